// Every command of this project, taken from package.json: its help, and what it refuses. A new command is covered as soon as it
// stands there.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import type { Command } from "../../scripts/lib/command.ts";
import { helpOf, parse } from "../../scripts/lib/command.ts";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import { type Ended, executed } from "../support/node/caught.ts";

const GUARD = ["--import", "./scripts/needs-node-24.mjs"];
const NODE = `node ${GUARD.join(" ")} `;

/** The file of each command and its arguments. Other programs (vitest, wrangler) have help of their own. */
const COMMANDS = Object.entries(manifest.scripts).flatMap(([name, line]) => {
  const words = line.startsWith(NODE) ? line.slice(NODE.length).split(" ") : [];
  // Behind what is for Node itself, such as --max-semi-space-size.
  const [file = "", ...args] = words.slice(words.findIndex((word) => !word.startsWith("--")));
  return /^(scripts|bench)\//.test(file) ? [{ name, file, args }] : [];
});

async function node(args: readonly string[]): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  execFile(process.execPath, args, { cwd: PROJECT }, (error, out, errors) => {
    resolve({ code: error === null ? 0 : Number(error.code), out, errors });
  });
  return await promise;
}

async function commandIn(file: string): Promise<Command> {
  const { command } = (await import(join(PROJECT, file))) as { command?: Command };
  if (command === undefined) throw new Error(`${file} exports no command`);
  return command;
}

describe("the commands in package.json", () => {
  it("are found there", ({ expect }) => {
    const names = COMMANDS.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["bench", "cost", "crash", "fuzz", "keys", "model", "soak", "start"]));
  });

  it("say what is missing where Node is too old to read them", async ({ expect }) => {
    const old = 'Object.defineProperty(process, "versions", { value: { node: "20.20.2" } })';
    const found = await node([
      "--import",
      `data:text/javascript,${encodeURIComponent(old)}`,
      ...GUARD,
      "scripts/keys.ts",
    ]);
    expect(found).toEqual({
      code: 1,
      out: "",
      errors: expect.stringMatching(
        /^Node 24 is missing \(this is 20\.20\.2\).*run npm ci --ignore-scripts=false\.\n$/,
      ),
    });
    const lines = Object.values(manifest.scripts).filter((line) => /\bnode /.test(line));
    expect(lines.filter((line) => !line.startsWith(NODE))).toEqual([]);
  });

  it.for(COMMANDS)("npm run $name explains itself", async ({ file, args }, { expect }) => {
    const command = await commandIn(file);
    const { code, out, errors } = await executed(command, [...args, "--help"]);
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    expect(out).toContain(`npm run ${command.name} -- [options]`);
    expect(out).toMatch(/^Examples?:\n {2}npm run /m);
    for (const [option, { help, shownDefault }] of Object.entries(command.options)) {
      expect(help).toMatch(/[.]$/);
      expect(out).toContain(`  --${option}`);
      if (shownDefault !== undefined) expect(out.replace(/\s+/g, " ")).toContain(`Default: ${shownDefault}`);
    }
  });

  // Each as a process: its file runs what it exports.
  it.concurrent.for(COMMANDS.filter(({ name }) => name !== "deploy"))(
    "npm run $name names what it does not know",
    { timeout: 120_000 },
    async ({ file, args }, { expect }) => {
      const { code, out, errors } = await node([join(PROJECT, file), ...args, "--no-such-option", "3"]);
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(errors).toMatch(/^--no-such-option is no option; there are --.*--help.*\n$/);
    },
  );

  it("npm run deploy explains itself as a process too", async ({ expect }) => {
    const { code, out } = await node([join(PROJECT, "scripts/deploy.ts"), "--help"]);
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining("npm run deploy -- ") });
  });

  it.for(COMMANDS)("npm run $name refuses what is no number, by name", async ({ file }, { expect }) => {
    const command = await commandIn(file);
    const numeric = Object.entries(command.options).filter(([, { placeholder }]) => placeholder?.startsWith("NUMBER"));
    for (const [option] of numeric) {
      for (const nonsense of ["abc", "", "NaN", "Infinity", "-7", "1e999", "5 apples"]) {
        expect(() => parse(command, [`--${option}`, nonsense], {})).toThrow(`--${option} must be a number`);
      }
    }
    const [first] = numeric[0] ?? [];
    if (first === undefined) return;
    const { code, out, errors } = await executed(command, [`--${first}`, "abc"]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(errors).toMatch(new RegExp(`^--${first} must be a number .*, not abc .*\\n$`));
  });

  it.for(COMMANDS)(
    "npm run $name has a name that package.json has, and examples that it accepts",
    async ({ file }, { expect }) => {
      const command = await commandIn(file);
      expect(Object.keys(manifest.scripts)).toContain(command.name);
      expect(
        helpOf(command)
          .split("\n")
          .filter((line) => line.length > 100),
      ).toEqual([]);
      for (const example of command.examples) {
        const words = [...example.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
        const env = { REGISTRY_URL: "http://localhost", REGISTRY_APP_ID: "demo", REGISTRY_API_KEY: "key" };
        expect(() => parse(command, words, env)).not.toThrow();
      }
    },
  );

  const NOWHERE = ["--url", "http://127.0.0.1:1", "--app-id", "demo", "--api-key", "key"];

  it.for([
    ["bench/run.ts", ["--only", "nothing of it"], 2, /^--only must be part of one of .*lookup of 500/],
    ["bench/run.ts", ["--beside", "/none"], 2, /^--beside: \/none is no checkout with its dependencies installed/],
    ["scripts/demo-data.ts", ["--url", "http://127.0.0.1:1"], 1, /^http:\/\/127\.0\.0\.1:1 does not answer/],
    ["scripts/directory.ts", ["--rebuild", "--repeats", "0", ...NOWHERE], 1, /does not answer/],
    ["scripts/explain.ts", ["alice", ...NOWHERE], 1, /does not answer/],
    ["scripts/export.ts", NOWHERE, 1, /does not answer/],
    ["scripts/import.ts", ["/none", "--from", "csv", "--dry-run"], 2, /^there is no file \/none/],
    ["scripts/user.ts", ["alice", "--config", "/none"], 1, /^\/none: there is no such file$/],
  ] as const)("%s says at once, in one line, what is not there: %j", async ([file, args, code, says], { expect }) => {
    const ended = await executed(await commandIn(file), args);
    expect(ended).toEqual({ code, out: "", errors: expect.stringMatching(/^[^\n]+\n$/) });
    expect(ended.errors.trimEnd()).toMatch(says);
  });

  it("npm run deploy hands every argument on to wrangler", async ({ expect }) => {
    const deploy = await commandIn("scripts/deploy.ts");
    const args = ["--dry-run", "--no-such-option", "3", "--", "x"];
    expect(parse(deploy, args, {})).toEqual({ values: {}, operands: args, isJson: false });
  });
});
