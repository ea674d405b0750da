// What the benchmark concludes from its figures.
import { describe, it } from "vitest";
import type { Measured } from "../../bench/lib/load.ts";
import { causeOf, lossesIn } from "../../bench/lib/losses.ts";

/** Rounds of this speed and CPU time; one of them was disturbed. */
function rounds(perSecond: number, cpuPerRequest: number | null): Measured[] {
  return [1, 1, 0.1].map((pace) => ({
    requests: 1000,
    perSecond: perSecond * pace,
    p50: 1,
    p99: 2,
    cpuPerRequest: cpuPerRequest === null ? null : cpuPerRequest / pace,
  }));
}

describe("what the benchmark says of a loss", () => {
  it("is three factors: more cores, the object per user, and what the registry adds to the floor", ({ expect }) => {
    const [loss] = lossesIn({
      list: { floor: rounds(4000, 250), registry: rounds(2000, 400), "Node + PostgreSQL 15": rounds(8000, 200) },
    });
    expect(loss).toMatchObject({ operation: "list", peer: "Node + PostgreSQL 15", speed: 0.25 });
    expect(loss?.machine).toBeCloseTo(0.5);
    expect(loss?.design).toBeCloseTo(0.8);
    expect(loss?.registry).toBeCloseTo(0.625);
    expect((loss?.machine ?? 0) * (loss?.design ?? 0) * (loss?.registry ?? 0)).toBeCloseTo(0.25);
  });

  it.for([
    { cause: "the machine", floor: rounds(1500, 90), peer: rounds(4000, 100) },
    { cause: "the design", floor: rounds(1500, 90), peer: rounds(2000, 10) },
    { cause: "us", floor: rounds(4000, 20), peer: rounds(2000, 10) },
    { cause: "the design or us", floor: undefined, peer: rounds(2000, 10) },
    { cause: "not known", floor: undefined, peer: rounds(2000, null) },
  ])("names what makes most of it: $cause", ({ cause, floor, peer }, { expect }) => {
    const bySubject = { ...(floor === undefined ? {} : { floor }), registry: rounds(1000, 100), peer };
    expect(lossesIn({ list: bySubject }).map(causeOf)).toEqual([cause]);
  });

  it("compares within a simulator, and with nobody who has no such operation", ({ expect }) => {
    const d1 = {
      "registry (Miniflare)": rounds(500, 100),
      registry: rounds(2000, 50),
      "D1 (Miniflare)": rounds(1000, 50),
    };
    expect(lossesIn({ list: d1 })).toMatchObject([{ peer: "D1 (Miniflare)", speed: 0.5 }]);
    expect(lossesIn({ list: { registry: rounds(2000, 50), peer: rounds(1000, 50) } })).toEqual([]);
    expect(lossesIn({ "page of 1,000": { "Node + PostgreSQL 15": rounds(1000, 50) } })).toEqual([]);
  });
});
