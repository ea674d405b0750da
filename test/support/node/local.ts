// `npm start` as people run it: a process of its own, and what it printed.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { PROJECT } from "../../../scripts/lib/workerd.ts";

export interface Ended {
  code: number | null;
  out: string;
  errors: string;
}

export interface Local {
  /** All that it has printed so far. */
  readonly out: string;
  /** `http://localhost:<port>`, and the port of https. */
  url: string;
  httpsPort: number;
  /** Where it keeps its data. */
  data: string;
  pid: number;
  /** That of the server that it runs. */
  workerd(): Promise<number>;
  stop(signal?: NodeJS.Signals): Promise<Ended>;
}

/** A directory that is gone after the test. */
export async function temporary(name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `push-token-registry-${name}-`));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function run(args: readonly string[], project: string): { child: ChildProcess; ended: Promise<Ended>; said: Ended } {
  const child = spawn(process.execPath, [join(project, "scripts/start.ts"), ...args], { cwd: project });
  const said: Ended = { code: null, out: "", errors: "" };
  child.stdout.on("data", (chunk) => {
    said.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    said.errors += chunk;
  });
  const ended = once(child, "close").then(([code]) => ({ ...said, code }));
  return { child, ended, said };
}

/** Runs `npm start` with these arguments until it ends by itself. */
export function startAndEnd(args: readonly string[], project = PROJECT): Promise<Ended> {
  return run(args, project).ended;
}

/** Runs `npm start` at free ports, and answers once its welcome is printed. It ends with the test. */
export async function start(
  args: readonly string[] = [],
  { data, project = PROJECT }: { data?: string; project?: string } = {},
): Promise<Local> {
  const directory = data ?? (await temporary("start"));
  const { child, ended, said } = run(["--port", "0", "--persist-to", directory, ...args], project);
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await ended;
  });
  const early = await Promise.race([ended, printed(child, () => said.out.includes("\nEND\n"))]);
  if (early !== undefined) throw new Error(`npm start ended with ${early.code}: ${early.errors}`);
  const [, url = "", httpsPort] = said.out.match(/serves (http:\S+) and https:\S+:(\d+)/) ?? [];
  return {
    get out() {
      return said.out;
    },
    url,
    httpsPort: Number(httpsPort),
    data: directory,
    pid: child.pid ?? -1,
    workerd: async () => Number(await readFile(join(directory, "server.lock"), "utf8")),
    stop: async (signal = "SIGTERM") => {
      child.kill(signal);
      return await ended;
    },
  };
}

/** The part of what it printed between two texts. */
export function section({ out }: Pick<Local, "out">, from: string, to: string): string {
  const start = out.indexOf(from) + from.length;
  return out.slice(start, out.indexOf(to, start));
}

/** What a shell prints on stdout for lines that are pasted into it. It ends at the first that fails. */
export async function pasted(lines: string): Promise<string> {
  const { stdout } = await promisify(execFile)("bash", ["-euc", lines], { cwd: PROJECT });
  return stdout;
}

function printed(child: ChildProcess, isThere: () => boolean): Promise<undefined> {
  return new Promise((resolve) => {
    child.stdout?.on("data", () => {
      if (isThere()) resolve(undefined);
    });
  });
}
