// wrangler as a program: in which directory, with which environment, and whether people see what it says.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import type { Environment } from "./command.ts";

const require = createRequire(import.meta.url);

export interface WranglerRun {
  /** The directory of its wrangler.toml. */
  project: string;
  env?: Environment;
  /** Whether it talks to the terminal, and may ask there. Else what it prints is answered. */
  talks?: boolean;
}

export interface WranglerEnded {
  code: number;
  /** Empty if it talked to the terminal. */
  out: string;
  errors: string;
}

/** Runs a command of wrangler until it ends. */
export async function runWrangler(
  args: readonly string[],
  { project, env = process.env, talks = false }: WranglerRun,
): Promise<WranglerEnded> {
  const script = join(dirname(require.resolve("wrangler/package.json")), "bin/wrangler.js");
  const child = spawn(process.execPath, [script, ...args], {
    cwd: project,
    // wrangler is one large file: reading it takes a quarter of its time.
    env: {
      NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"),
      ...(env as NodeJS.ProcessEnv),
      WRANGLER_SEND_METRICS: "false",
    },
    stdio: talks ? "inherit" : ["ignore", "pipe", "pipe"],
  });
  const printed = Promise.all([text(child.stdout), text(child.stderr)]);
  const [code, signal] = await once(child, "exit");
  const [out, errors] = await printed;
  return { code: code ?? (signal === null ? 1 : 128), out, errors };
}

async function text(stream: Readable | null): Promise<string> {
  let all = "";
  for await (const chunk of stream ?? []) all += chunk;
  return all;
}
