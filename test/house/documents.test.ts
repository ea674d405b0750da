// The pages that people read: what they lead to exists, and they can be read without scrolling sideways.
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, it } from "vitest";
import * as z from "zod/mini";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import { appSchema, cometchatSchema, secretsSchema } from "../../src/config/schema.ts";

const LINE_LENGTH_MAX = 120;
const README_LINES_MAX = 150;

/** Written by a command, or a record of releases: their lines are not wrapped. */
const NOT_WRAPPED = ["BENCHMARKS.md", "CHANGELOG.md"];

const read = (path: string) => readFileSync(join(PROJECT, path), "utf8");
/** A subject of the benchmark may have its dependencies installed. */
const exclude = (path: string) => path.includes("node_modules");
const pages = globSync("{*.md,{docs,test,examples,bench,clients}/**/*.md}", { cwd: PROJECT, exclude })
  .sort()
  .map((path) => ({ path, text: read(path) }));

/** Without what is between fences: `text` line by line, with the number of each. */
function prose(text: string): { line: string; number: number }[] {
  let fenced = false;
  return text.split("\n").flatMap((line, n) => {
    if (line.trimStart().startsWith("```")) fenced = !fenced;
    return fenced || line.trimStart().startsWith("```") ? [] : [{ line, number: n + 1 }];
  });
}

/** Names of the headings as GitHub links to them. */
function anchors(text: string): string[] {
  return prose(text)
    .filter(({ line }) => line.startsWith("#"))
    .map(({ line }) =>
      line
        .replace(/^#+ /, "")
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    );
}

function deadLinks({ path, text }: { path: string; text: string }): string[] {
  return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)]
    .filter(([, file = "", anchor]) => {
      const target = file === "" ? path : normalize(join(dirname(path), file));
      if (globSync(target, { cwd: PROJECT }).length === 0) return true;
      return anchor !== undefined && !anchors(read(target)).includes(anchor);
    })
    .map(([link]) => `${path}: ${link}`);
}

/** Commands that the source and its comments, the configuration and the pages tell people to run. */
function commandsNamed(): string[] {
  const files = globSync("{{src,scripts,test,bench,examples}/**/*.ts,wrangler.toml,.ci/run}", {
    cwd: PROJECT,
    exclude,
  });
  const texts = [...pages.map(({ text }) => text), ...files.map(read)];
  return texts.flatMap((text) => [...text.matchAll(/\bnpm run ([a-z][a-z:-]*[a-z])/g)].map(([, name = ""]) => name));
}

describe("the pages", () => {
  it("link to files and headings that exist", ({ expect }) => {
    expect(pages.length).toBeGreaterThan(10);
    expect(pages.flatMap(deadLinks)).toEqual([]);
  });

  it("name commands that exist, as the source does", ({ expect }) => {
    const { scripts } = JSON.parse(read("package.json"));
    expect([...new Set(commandsNamed())].filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });

  it(`have lines of at most ${LINE_LENGTH_MAX} characters outside tables and code, but for one long link`, ({
    expect,
  }) => {
    const long = pages
      .filter(({ path }) => !NOT_WRAPPED.includes(path))
      .flatMap(({ path, text }) => prose(text).map((each) => ({ path, ...each })))
      .filter(({ line }) => line.length > LINE_LENGTH_MAX && !line.startsWith("|") && /\S\s+\S/.test(line));
    expect(long.map(({ path, line, number }) => `${path}:${number} has ${line.length}`)).toEqual([]);
  });
});

describe("docs/README.md", () => {
  it("leads to every page of docs/", ({ expect }) => {
    const index = read("docs/README.md");
    const others = globSync("docs/*.md", { cwd: PROJECT }).filter((path) => path !== "docs/README.md");
    expect(others.filter((path) => !index.includes(`](${path.replace("docs/", "")})`))).toEqual([]);
  });
});

describe("README.md", () => {
  it(`has at most ${README_LINES_MAX} lines`, ({ expect }) => {
    expect(read("README.md").split("\n").length - 1).toBeLessThanOrEqual(README_LINES_MAX);
  });
});

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  additionalProperties?: unknown;
}

/** The fields of a table of the configuration, those of the tables in it as `outer.inner`; a key set is one field. */
function fieldsOf({ properties, additionalProperties }: JsonSchema): string[] {
  if (properties === undefined || additionalProperties !== false) return [];
  return Object.entries(properties).flatMap(([name, field]) => {
    const nested = fieldsOf(field);
    return nested.length === 0 ? [name] : nested.map((each) => `${name}.${each}`);
  });
}

const tableOf = (schema: z.ZodMiniType) => fieldsOf(z.toJSONSchema(schema, { io: "input" }) as JsonSchema);

describe("the pages on the configuration", () => {
  it("have every field of an app, its secret and its identity's table in the first cell of a row", ({ expect }) => {
    const cells = ["docs/apps.md", "docs/cometchat.md", "docs/own-login.md"]
      .flatMap((path) => [...read(path).matchAll(/^\| (`[^|]+) \|/gm)])
      .flatMap(([, cell = ""]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name));
    // `rateLimits.ip`, `.session`: the second is short for `rateLimits.session`.
    const named = cells.map((name, n) => {
      const outer = cells
        .slice(0, n)
        .findLast((each) => /^\w+\.\w+$/.test(each))
        ?.split(".")[0];
      return name.startsWith(".") ? `${outer}${name}` : name;
    });
    const ofApp = tableOf(appSchema).map((field) => field.replace(/^(jwt|cometchat)\./, ""));
    const ofSecret = tableOf(secretsSchema);
    expect(ofApp.length).toBeGreaterThan(20);
    expect(tableOf(cometchatSchema)).toContain("cacheSeconds");
    expect([...ofApp, ...ofSecret].filter((field) => !named.includes(field))).toEqual([]);
  });
});

describe("CONTRIBUTING.md", () => {
  it("has a line for every room of src/", ({ expect }) => {
    const rooms = new Set(
      globSync("src/**/*.ts", { cwd: PROJECT })
        .filter((path) => path !== "src/env.d.ts")
        .map((path) => path.replace(/^src\//, "").replace(/\/.*/, "/")),
    );
    const guide = read("CONTRIBUTING.md");
    expect([...rooms].filter((room) => !guide.includes(`\`${room}\``))).toEqual([]);
  });
});

describe("test/README.md", () => {
  it("names tests that exist, in the files that it names or in http/owasp.test.ts", ({ expect }) => {
    const items = read("test/README.md").split(/\n(?=- |\n)/);
    const named = items.flatMap((item) => {
      const files = ["http/owasp.test.ts", ...[...item.matchAll(/`([\w/-]+\.test\.ts)`/g)].map(([, file]) => file)];
      const tests = files.map((file) => read(`test/${file}`)).join("\n");
      return [...item.matchAll(/(?<!\*)\*([^*]+)\*(?!\*)/g)].map(([, name = ""]) => ({
        name: name.replace(/\s+/g, " "),
        tests,
      }));
    });
    expect(named.length).toBeGreaterThan(30);
    // A `…` stands for what differs between the tests of one name.
    const missing = named.filter(({ name, tests }) => !name.split("…").every((part) => tests.includes(part.trim())));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});
