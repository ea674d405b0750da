// Where the registry is slower than what people build instead, and what makes it so: the machine, the design or us.
import type { Measured } from "./load.ts";
import { ratio } from "./ratios.ts";

export interface Loss {
  operation: string;
  peer: string;
  /** Of the peer's requests per second; the product of the factors below. */
  speed: number;
  /** What is not lost by CPU time, but because the peer used more cores. `null` where CPU time is not known. */
  machine: number | null;
  /** What the floor loses to the peer by CPU time: any Worker with an object per user does. `null` where there is no floor. */
  design: number | null;
  /** What the registry loses to the floor by CPU time; where there is no floor, design and registry together. */
  registry: number | null;
}

/** `results`: by operation and subject, a round each. */
export function lossesIn(results: Record<string, Record<string, Measured[]>>): Loss[] {
  return Object.entries(results).flatMap(([operation, bySubject]) =>
    Object.keys(bySubject).flatMap((peer) => {
      if (peer === "floor" || peer === "other" || peer.startsWith("registry")) return [];
      // Only those of one simulator are compared with each other; the floor runs on workerd itself.
      const own = peer.includes("Miniflare") ? "registry (Miniflare)" : "registry";
      const speed = ratio(bySubject, own, peer);
      if (!(speed < 1)) return [];
      const byCpu = known(ratio(bySubject, peer, own, "cpuPerRequest"));
      const design = own === "registry" ? known(ratio(bySubject, peer, "floor", "cpuPerRequest")) : null;
      return [
        {
          operation,
          peer,
          speed,
          machine: byCpu === null ? null : speed / byCpu,
          design,
          registry: byCpu === null ? null : byCpu / (design ?? 1),
        },
      ];
    }),
  );
}

/** What makes most of it: the smallest factor. */
export function causeOf({ machine, design, registry }: Loss): string {
  const factors: [string, number | null][] = [
    ["the machine", machine],
    ["the design", design],
    [design === null ? "the design or us" : "us", registry],
  ];
  const [smallest] = factors
    .flatMap(([cause, factor]) => (factor === null ? [] : [{ cause, factor }]))
    .toSorted((a, b) => a.factor - b.factor);
  return smallest?.cause ?? "not known";
}

/** Of a request that takes less than Linux counts, the CPU time is 0. */
function known(value: number): number | null {
  return Number.isFinite(value) && value > 0 ? value : null;
}
