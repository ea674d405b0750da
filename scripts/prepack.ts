// `npm run prepack`, which `npm pack` runs by itself: makes the package `push-token-registry/testing` out of testing/.
import { execFile } from "node:child_process";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { CommandError, defineCommand, main } from "./lib/command.ts";
import { build, PROJECT } from "./lib/workerd.ts";

const INSIDE = ["main.js", "time.js"];

export const command = defineCommand({
  name: "prepack",
  summary:
    "Makes dist/testing, the part of the package that starts a registry in tests: the Worker as a deploy has it, and the modules of " +
    "testing/ as JavaScript with their types. `npm pack` runs it.",
  options: {},
  examples: [""],
  hasJson: false,
  async run() {
    const target = join(PROJECT, "dist/testing");
    await rm(target, { recursive: true, force: true });
    await mkdir(join(target, "inside"), { recursive: true });
    await compile(target);
    for (const file of INSIDE) await copyFile(join(PROJECT, "testing/inside", file), join(target, "inside", file));
    const bundle = await build();
    await copyFile(bundle, join(target, "worker.js"));
    await rm(dirname(bundle), { recursive: true });
    return 0;
  },
});

async function compile(target: string): Promise<void> {
  const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
  const emit = ["--noEmit", "false", "--declaration", "--rewriteRelativeImportExtensions", "--outDir", target];
  await promisify(execFile)(process.execPath, [tsc, "-p", join(PROJECT, "testing"), ...emit]).catch((error) => {
    throw new CommandError(`testing/ does not compile:\n${error.stdout}`);
  });
}

if (import.meta.main) await main(command);
