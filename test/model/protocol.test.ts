// The protocols of ownership and of the directory under fire: fast-check picks the operations, what happens next at every await, and the faults. The
// long run is `npm run model`; what the search finds is in protocol-mutations.test.ts.
import { describe, it } from "vitest";
import { runner, search } from "./search.ts";

const SEED = 20_260_717;

describe("the objects, in any order of events", () => {
  it("keep their promises in 2,000 schedules", async ({ expect }) => {
    const subject = await runner();
    const found = await search(subject, { runs: 2_000, seed: SEED });
    expect(found === null ? "" : [found.violation, ...found.events].join("\n")).toBe("");
    // What the schedules were made of: each of these happened.
    for (const what of [
      "register",
      "erase",
      "import",
      "new directory",
      "timers",
      "near alarms",
      "alarms",
      "lost connections",
      "lost alarms",
    ]) {
      expect(subject.counts[what], what).toBeGreaterThan(20);
    }
  });
});
