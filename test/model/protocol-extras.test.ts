// The search with what it does only if it is asked for (`npm run model -- --also`).
import { describe, it } from "vitest";
import { EXTRAS } from "./schedule.ts";
import { runner, search } from "./search.ts";

const SEED = 20_260_717;

describe("the objects, in any order of events", () => {
  it.for(EXTRAS)("keep their promises in 400 schedules with %s", async (extra, { expect }) => {
    const subject = await runner([], [extra]);
    const found = await search(subject, { runs: 400, seed: SEED });
    expect(found === null ? "" : [found.violation, ...found.events].join("\n")).toBe("");
    expect(subject.counts[extra]).toBeGreaterThan(100);
  });
});
