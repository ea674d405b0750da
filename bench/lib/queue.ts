// A queue at one object, simulated: calls come by chance, and the object does one after the other.
import { percentile, seededRandom } from "../../scripts/lib/load.ts";

export interface Stream {
  /** Calls a second, at any moment as likely as at another. */
  perSecond: number;
  /** How long one takes, seconds. */
  seconds: number;
}

export interface Waited {
  /** From the arrival to the end of the call, ms. */
  mean: number;
  p50: number;
  p99: number;
  /** The share that took longer than `patienceMs`. */
  late: number;
}

/** The same for the same arguments: the chance has a seed. */
export function queue(
  streams: readonly Stream[],
  { seconds, patienceMs }: { seconds: number; patienceMs: number },
): Waited {
  const random = seededRandom(1);
  const total = streams.reduce((sum, { perSecond }) => sum + perSecond, 0);
  const took: number[] = [];
  let free = 0;
  for (let now = arrival(random, total); now < seconds; now += arrival(random, total)) {
    const work = which(streams, random() * total);
    free = Math.max(free, now) + work;
    took.push((free - now) * 1000);
  }
  const late = took.filter((each) => each > patienceMs).length / Math.max(1, took.length);
  const mean = took.reduce((sum, each) => sum + each, 0) / Math.max(1, took.length);
  return { mean, p50: percentile(took, 50), p99: percentile(took, 99), late };
}

/** Seconds until the next call. */
function arrival(random: () => number, perSecond: number): number {
  return -Math.log(1 - random()) / perSecond;
}

function which(streams: readonly Stream[], at: number): number {
  let left = at;
  for (const { perSecond, seconds } of streams) {
    left -= perSecond;
    if (left < 0) return seconds;
  }
  return 0;
}
