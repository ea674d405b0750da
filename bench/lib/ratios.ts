// Figures of several rounds, in one.
import type { Measured } from "./load.ts";

/** The middle one; of an even number the upper. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Ratio of two subjects in the same rounds: the machine's speed drifts, so each round is compared with itself. */
export function ratio(
  results: Record<string, Measured[]>,
  a: string,
  b: string,
  figure: "perSecond" | "cpuPerRequest" = "perSecond",
): number {
  const [of, to] = [results[a] ?? [], results[b] ?? []];
  return median(of.map((measured, round) => (measured[figure] ?? Number.NaN) / (to[round]?.[figure] ?? Number.NaN)));
}
