// README and docs, pasted line by line: each block ```sh runs as it stands against `npm start`, page by page, and prints what the comment
// below a command says (`…` stands for anything). Commands in the text run too, if they can run here.
import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { PROJECT } from "../../scripts/lib/workerd.ts";
import { checkout } from "../support/node/checkout.ts";
import { type Local, start } from "../support/node/local.ts";

const pages = globSync("{README,SECURITY,CONTRIBUTING}.md docs/*.md examples/*/README.md".split(" "), { cwd: PROJECT })
  .sort()
  .map((path) => ({ path, text: readFileSync(join(PROJECT, path), "utf8") }));

/** Blocks of a language, in order. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    ([, block = ""]) => block,
  );
}

interface Step {
  lines: string;
  prints: string;
}

/** A block as lines to paste, each with what they print. */
function steps(block: string): Step[] {
  const found: Step[] = [];
  let lines: string[] = [];
  for (const line of block.trimEnd().split("\n")) {
    if (line.startsWith("# ")) {
      found.push({ lines: lines.join("\n"), prints: line.slice(2) });
      lines = [];
    } else lines.push(line);
  }
  if (lines.length > 0) throw new Error(`no comment says what this prints:\n${lines.join("\n")}`);
  return found;
}

const withSteps = pages
  .map(({ path, text }) => ({ path, steps: blocks(text, "sh").flatMap(steps) }))
  .filter((page) => page.steps.length > 0);

/** What the pages leave to the reader. */
function filledIn(lines: string, { url, httpsPort }: Local): string {
  return lines
    .replaceAll("http://localhost:8787", url)
    .replaceAll("https://HOST", `https://localhost:${httpsPort}`)
    .replaceAll("APP_ID", "demo")
    .replaceAll("FULL_ACCESS_KEY", "demo-server-key");
}

interface Ended {
  code: number;
  out: string;
  errors: string;
}

function run(program: string, args: readonly string[], cwd: string, env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, args, { cwd, env: { ...process.env, ...env } }, (error, out, errors) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, errors }),
    );
  });
}

describe("the lines of the pages", () => {
  it.for([withSteps])("print what the pages say, pasted in order", async (all, { expect }) => {
    expect(all.map(({ path }) => path)).toEqual(
      expect.arrayContaining(["README.md", "docs/deploy.md", "docs/local.md"]),
    );
    const tables = blocks(pages.find(({ path }) => path === "docs/local.md")?.text ?? "", "toml").join("\n");
    const project = await checkout(`\n${tables}`);
    const local = await start([], { project });
    for (const { path, steps: each } of all) {
      // In one shell, as a reader has it. What a step prints ends with a line of its own.
      const script = each.map(({ lines }) => `${filledIn(lines, local)}\nprintf '\\n@@@\\n'`).join("\n");
      const trust = { CURL_CA_BUNDLE: join(local.data, "https/cert.pem") };
      const { code, out, errors } = await run("bash", ["-eu", "-c", script], project, trust);
      expect({ path, code, errors: code === 0 ? "" : errors }).toEqual({ path, code: 0, errors: "" });
      const printed = out.split("\n@@@\n");
      for (const [n, { lines, prints }] of each.entries()) {
        expect((printed[n] ?? "").trim(), `${path}: ${lines}`).toMatch(anyWhereDots(prints));
      }
    }
  });

  it("are all among them: no curl stands in a block that is not run", ({ expect }) => {
    const elsewhere = pages.flatMap(({ path, text }) =>
      [...text.replace(/^```sh\n[\s\S]*?^```$/gm, "").matchAll(/^\s*curl .*$/gm)].map(([line]) => `${path}: ${line}`),
    );
    expect(elsewhere).toEqual([]);
  });
});

function anyWhereDots(text: string): RegExp {
  const parts = text.split("…").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join("[\\s\\S]*?")}$`);
}

/** Why a command does not run here; another test may run it. */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  [/^npm ci/, "needs the registry of packages; CI begins with it"],
  [/^npm (start|test)/, "runs above, and this is one"],
  [/^npm run directory/, "test/system/directory.test.ts, against a registry with its data on disk"],
  [/^npm run (demo-data|explain|test-push)/, "test/scripts has a test of each, against a registry"],
  [/^npm run client-scenarios/, "minutes; shorter runs are tests of their own"],
  [/^npm run screenshots/, "test/scripts/screenshots.test.ts"],
  [/^npm run (import|export)/, "test/system/import.test.ts, against a registry"],
  [/^npm run probe/, "test/scripts/probe.test.ts, against a registry"],
  [/^npm run (setup|deploy)/, "test/scripts/setup.test.ts, against a fake"],
  [/^npm run (check(:types|:static)?|format|types)$/, "minutes; CI runs them"],
  [/^npm run (crash|fuzz|soak|model|bench|cost|scale)\b/, "minutes; shorter runs are tests of their own"],
  [/^npx wrangler/, "needs an account"],
  [/^(npx tsc|npm (init|install))\b/, "in a folder of the reader: test/system/back-end-client.test.ts"],
  [/^npm pack$/, "test/system/testing-package.test.ts"],
  [/^npx vitest/, "runs tests"],
  [/^npm run <name>/, "stands for each command: test/scripts/commands.test.ts"],
];

function commands(): string[] {
  const found = pages.flatMap(({ text }) =>
    [
      ...text
        .replaceAll(/\n\s*(?=[^\n`]*`)/g, (gap) => (gap.includes("\n\n") ? gap : " "))
        .matchAll(/`((?:npm|npx) [^`\n]+)`/g),
    ]
      .map(([, command = ""]) => command)
      .concat([...text.matchAll(/^((?:npm|npx) [^\n#]+?)\s*(?:#.*)?$/gm)].map(([, command = ""]) => command)),
  );
  return [...new Set(found)].sort();
}

describe("the commands of the pages", () => {
  it("run, if they can run here", { timeout: 120_000 }, async ({ expect }) => {
    const here = commands().filter((command) => !ELSEWHERE.some(([pattern]) => pattern.test(command)));
    expect(here.filter((command) => !command.startsWith("npm run "))).toEqual([]);
    expect(here).toEqual(expect.arrayContaining(["npm run keys -- ACME --signing-key", "npm run check:config"]));
    const project = await checkout();
    const runs = here.map(async (command) => {
      const [, , name = "", , ...args] = command.replace("<uid>", "alice --app-id demo").split(" ");
      // As npm would, in a shell, without its own half second.
      const line = `${(manifest.scripts as Record<string, string>)[name] ?? `echo no ${name} >&2; false`} ${args.join(" ")}`;
      const PATH = `${join(project, "node_modules/.bin")}:${process.env.PATH}`;
      return { command, ...(await run("sh", ["-c", line], project, { PATH })) };
    });
    for (const { command, code, errors } of await Promise.all(runs)) {
      expect({ command, code, errors }).toEqual({ command, code: 0, errors: "" });
    }
  });
});
