// What may grow while the soak runs: latency, memory, and what the objects keep.
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { meanObjectBytes } from "../lib/sqlite.ts";
import type { Server } from "../lib/workerd.ts";

/** What may grow, and how far, before the run fails. A shared machine is noisy: these find a leak, not a slower minute. */
const P99_GROWTH_MAX = 3;
const P99_GROWTH_MIN_MS = 50;
const MEMORY_GROWTH_MAX = 1.5;
// A record of changes that fills is a page or two; each session that ended leaves a fence until its auth token cannot live.
const OBJECT_GROWTH_MAX_BYTES = 8 * 1024;
const FENCE_MAX_BYTES = 256;

export interface Window {
  calls: number;
  p50: number;
  p99: number;
  memoryMiB: number;
}

/** Bytes of an average object of each kind. */
export interface Stored {
  userTokens: number;
  tokenOwners: number;
  directory: number;
}

/** Resident memory of a process (`ps` knows it on Linux and macOS). */
export function memoryMiB(pid: number): number {
  return Math.round(Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)]).toString()) / 1024);
}

/** What the objects hold, without the logs that the databases write ahead. The process stands still meanwhile. */
export async function stored({ data, pid }: Server): Promise<Stored> {
  const copy = await mkdtemp(join(tmpdir(), "push-token-registry-soak-"));
  process.kill(pid, "SIGSTOP");
  try {
    await cp(data, copy, { recursive: true });
  } finally {
    process.kill(pid, "SIGCONT");
  }
  const [userTokens, tokenOwners, directory] = [
    await meanObjectBytes(copy, "UserTokens"),
    await meanObjectBytes(copy, "TokenOwners"),
    await meanObjectBytes(copy, "Directory"),
  ];
  await rm(copy, { recursive: true });
  return { userTokens, tokenOwners, directory };
}

/** What grew. `logouts`: per user; each leaves a fence. */
export function growthsOf(
  [first, , last]: readonly Window[],
  { before, after }: { before: Stored; after: Stored },
  logouts: number,
): string[] {
  const growths: string[] = [];
  const fenceBytes = logouts * FENCE_MAX_BYTES;
  if (first === undefined || last === undefined) return growths;
  if (last.p99 > first.p99 * P99_GROWTH_MAX && last.p99 > P99_GROWTH_MIN_MS) growths.push("p99");
  if (last.memoryMiB > first.memoryMiB * MEMORY_GROWTH_MAX) growths.push("memory");
  if (after.userTokens - before.userTokens > OBJECT_GROWTH_MAX_BYTES + fenceBytes) growths.push("storage of users");
  if (after.tokenOwners - before.tokenOwners > OBJECT_GROWTH_MAX_BYTES) growths.push("storage of owners");
  if (after.directory - before.directory > OBJECT_GROWTH_MAX_BYTES) growths.push("storage of the directory");
  return growths;
}
