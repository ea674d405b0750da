// How long the Worker takes to start: before an isolate's first request its module runs once.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wrangler } from "../../scripts/lib/workerd.ts";
import { median } from "./ratios.ts";

const RUNS = 5;

/** Milliseconds that this machine computes at start-up, by `wrangler check startup`: the median of a few runs. */
export async function measureStartUp(): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "push-token-registry-start-up-"));
  const active: number[] = [];
  try {
    for (let i = 0; i < RUNS; i++) {
      const output = await wrangler("check", "startup", "--outfile", join(directory, "start-up.cpuprofile"));
      const milliseconds = output.match(/Active: ([\d.]+) ms/)?.[1];
      if (milliseconds === undefined) throw new Error(`wrangler does not say how long the Worker took:\n${output}`);
      active.push(Number(milliseconds));
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return median(active);
}
