// Which file may import which. CONTRIBUTING.md says what each room is for; here the real imports are read.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import { readSource, resolveImport } from "./source.ts";

/**
 * The rooms of src/, from the top of the house to its ground. A file imports from its own room and from lower floors; rooms
 * on one floor do not know each other.
 */
const FLOORS: readonly (readonly string[])[] = [
  ["index.ts"],
  ["libraries.ts"],
  ["app.ts"],
  ["routes/"],
  ["sender/"],
  ["cometchat/"],
  ["auth/"],
  ["objects.ts"],
  ["http/"],
  ["user-tokens/", "token-owners/", "directory/"],
  ["durable/"],
  ["config/"],
  ["metrics.ts", "log.ts"],
  ["domain/"],
  ["limits.ts"],
  ["unused.ts"],
];

/** Imports of a higher floor that are wanted, with the reason of each. */
const UPWARD: Readonly<Record<string, string>> = {
  "src/auth/middleware.ts -> src/cometchat/identity.ts":
    "who calls is found out by the app's identity, and one of the three asks CometChat: the dispatch stands in one place",
};

/** Files below `config/` that may import a package all the same. */
const PACKAGES_BELOW_CONFIG: Readonly<Record<string, string>> = {
  "src/unused.ts -> hono/utils/url": "it stands in for a file of Hono of which two functions are used",
};

/** Calls that lead into the parts of Hono for which src/unused.ts stands in. */
const NOT_IN_THE_BUNDLE = /\.req\.(query|queries|parseBody)\(|\.mount\(|\b(c|context)\.(html|render)\(/;

const files = readSource("src");
const arrows = files.flatMap(({ path, imports }) =>
  imports.flatMap((specifier) => {
    const to = resolveImport(path, specifier);
    return to === undefined ? [] : [{ from: path, to }];
  }),
);

/** Number of the floor (0 is the top) and name of the room; a file that stands nowhere is an error. */
function roomOf(path: string): { floor: number; room: string } {
  for (const [floor, rooms] of FLOORS.entries()) {
    const room = rooms.find((each) => (each.endsWith("/") ? path.startsWith(`src/${each}`) : path === `src/${each}`));
    if (room !== undefined) return { floor, room };
  }
  throw new Error(`${path} is in no room: add its room to FLOORS, and to CONTRIBUTING.md`);
}

function runsUp({ from, to }: { from: string; to: string }): boolean {
  const [above, below] = [roomOf(from), roomOf(to)];
  return above.room !== below.room && above.floor >= below.floor;
}

/** Files that can be reached from themselves, in the order of one way round. */
function findCircles(): string[] {
  const next = new Map(files.map(({ path }) => [path, arrows.filter(({ from }) => from === path).map(({ to }) => to)]));
  const circles = new Map<string, string>();
  for (const { path } of files) {
    const ways = [[path]];
    const seen = new Set<string>();
    for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
      for (const to of next.get(way.at(-1) ?? path) ?? []) {
        // The same circle is found from each of its files: it is told once.
        if (to === path) circles.set(way.toSorted().join(), [...way, path].join(" -> "));
        else if (!seen.has(to)) ways.push([...way, to]);
        seen.add(to);
      }
    }
  }
  return [...circles.values()];
}

/** `found` and not excepted, or excepted and not found. */
const unexpected = (found: readonly string[], exceptions: Readonly<Record<string, string>>) => ({
  forbidden: found.filter((each) => !Object.hasOwn(exceptions, each)),
  exceptionsNoLongerNeeded: Object.keys(exceptions).filter((each) => !found.includes(each)),
});
const NOTHING = { forbidden: [], exceptionsNoLongerNeeded: [] };

describe("the imports of src/", () => {
  it("are read: every file but the top one is imported by another", ({ expect }) => {
    const imported = new Set(arrows.map(({ to }) => to));
    expect(files.map(({ path }) => path).filter((path) => !imported.has(path))).toEqual(["src/index.ts"]);
  });

  it("lead from each room to lower ones only", ({ expect }) => {
    const found = new Set(arrows.filter(runsUp).map(({ from, to }) => `${from} -> ${to}`));
    expect(unexpected([...found], UPWARD)).toEqual(NOTHING);
  });

  it("make no circle", ({ expect }) => {
    expect(findCircles()).toEqual([]);
  });

  it("name no package from config/ down, but for zod in config/ itself: objects know neither HTTP nor validation", ({
    expect,
  }) => {
    const ground = FLOORS.findIndex((rooms) => rooms.includes("config/"));
    const found = files
      .filter(({ path }) => roomOf(path).floor >= ground)
      .flatMap(({ path, imports }) =>
        imports
          .filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("cloudflare:"))
          .filter((specifier) => !(specifier.startsWith("zod") && path.startsWith("src/config/")))
          .map((specifier) => `${path} -> ${specifier}`),
      );
    expect(unexpected(found, PACKAGES_BELOW_CONFIG)).toEqual(NOTHING);
  });

  it("keep domain/ free of the platform too", ({ expect }) => {
    const found = files
      .filter(({ path }) => path.startsWith("src/domain/"))
      .flatMap(({ path, imports }) => imports.map((specifier) => resolveImport(path, specifier) ?? specifier));
    expect(found.filter((to) => !to.startsWith("src/domain/") && to !== "src/limits.ts")).toEqual([]);
  });
});

describe("src/", () => {
  it("holds SQL in stores, tables and durable/ only", ({ expect }) => {
    const holders = files.filter(({ sql }) => sql.length > 0).map(({ path }) => path);
    expect(holders.length).toBeGreaterThan(1);
    expect(holders.filter((path) => !/(\/store|-table)\.ts$|^src\/durable\//.test(path))).toEqual([]);
  });

  it("calls no part of Hono that the bundle does not hold", ({ expect }) => {
    const callers = files.filter(({ path }) => NOT_IN_THE_BUNDLE.test(readFileSync(join(PROJECT, path), "utf8")));
    expect(callers.map(({ path }) => path)).toEqual([]);
  });

  it("uses the console in log.ts only", ({ expect }) => {
    expect(files.filter((file) => file.console.length > 0).map(({ path }) => path)).toEqual(["src/log.ts"]);
  });
});
