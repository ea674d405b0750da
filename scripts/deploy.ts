// `npm run deploy`: checks the configuration, runs `wrangler deploy` with the arguments that it was given, and notes in deployed.json what
// must not change unnoticed.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check } from "./check-config.ts";
import { CommandError, defineCommand, type Environment, main } from "./lib/command.ts";
import { PROJECT } from "./lib/workerd.ts";
import { runWrangler } from "./lib/wrangler.ts";
import { mustBeWritable } from "./lib/writable.ts";

export interface Deploy {
  /** The directory of the wrangler.toml. */
  project: string;
  /** For `wrangler deploy`. */
  args: readonly string[];
  env: Environment;
}

export interface Deployed {
  /** Where the Worker is reached, as wrangler says it: `https://…` on workers.dev, else `host (custom domain)`. */
  targets: string[];
  /** What to tell. */
  lines: string[];
}

/** @throws {CommandError} if the configuration is wrong or wrangler fails; then nothing is noted */
export async function deploy({ project, args, env }: Deploy): Promise<Deployed> {
  await mustBeWritable(project);
  const configuration = { config: join(project, "wrangler.toml"), env: environmentIn(args) };
  const { problems } = await check({ ...configuration, forDeploy: true });
  if (problems.length > 0) throw new CommandError(problems.join("\n"));
  const report = await mkdtemp(join(tmpdir(), "push-token-registry-deploy-"));
  try {
    const path = join(report, "wrangler.ndjson");
    const { code } = await runWrangler(["deploy", ...args], {
      project,
      env: { ...env, WRANGLER_OUTPUT_FILE_PATH: path },
      talks: true,
    });
    if (code !== 0) throw new CommandError("wrangler deploy failed; what it says is above.");
    const targets = targetsIn(await readFile(path, "utf8"));
    if (args.includes("--dry-run")) return { targets, lines: [] };
    return { targets, lines: (await check({ ...configuration, record: true })).lines };
  } finally {
    await rm(report, { recursive: true });
  }
}

/** The environment that the arguments name. */
function environmentIn(args: readonly string[]): string | undefined {
  for (const [n, arg] of args.entries()) {
    if (arg === "--env" || arg === "-e") return args[n + 1];
    if (arg.startsWith("--env=")) return arg.slice("--env=".length);
  }
  return undefined;
}

/** wrangler writes a JSON document per line. */
function targetsIn(report: string): string[] {
  const entries = report
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  return entries.find(({ type }) => type === "deploy")?.targets ?? [];
}

export const command = defineCommand({
  name: "deploy",
  summary:
    "Checks the configuration, runs `wrangler deploy` with your arguments, and notes in deployed.json what must not change unnoticed. " +
    "The first time, run npm run setup.",
  options: {},
  operands: { placeholder: "ARGUMENTS", help: "For wrangler deploy.", min: 0, max: Number.POSITIVE_INFINITY },
  examples: ["", "--env staging", "--dry-run"],
  hasJson: false,
  passesOn: true,
  async run(_, { output, operands }) {
    const { lines } = await deploy({ project: PROJECT, args: operands, env: process.env });
    for (const line of lines) output.say(line);
    return 0;
  },
});

if (import.meta.main) await main(command);
