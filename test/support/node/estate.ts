// The commands that move an estate, as processes that a test can watch and kill.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { PROJECT } from "../../../scripts/lib/workerd.ts";

/** Runs `npm run import`, or another command, as a process of its own. */
export function command(
  args: string[],
  env: Record<string, string>,
  { input = "", script = "import" }: { input?: string; script?: "import" | "export" } = {},
) {
  const child = spawn(process.execPath, [join(PROJECT, `scripts/${script}.ts`), ...args], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let [out, errors] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  child.stdin.end(input);
  const ended = once(child, "close").then(([code]) => ({ code, out, errors }));
  return { child, ended };
}

/** A directory that goes with the test. */
export async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "push-token-registry-import-files-"));
  onTestFinished(() => rm(made, { recursive: true }));
  return made;
}
