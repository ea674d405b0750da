// A short run of the crash test (`npm run crash` for a long one): workerd under load, killed and restarted.
import { describe, inject, it } from "vitest";
import { crashTest } from "../../scripts/crash.ts";

describe("after kill -9 under load", () => {
  it("nothing acknowledged is lost, nothing removed is back, no token has two holders", async ({ expect }) => {
    const result = await crashTest({ rounds: 4, seed: 20_261_124, bundle: inject("bundle") });
    expect(result.violations).toEqual([]);
    expect(result.rounds).toBe(4);
    expect(result.acknowledged).toBeGreaterThan(0);
    expect(result.unanswered).toBeGreaterThan(0);
    expect(result.deadSessionsTried).toBeGreaterThan(0);
    expect(result.tokensChecked).toBeGreaterThan(0);
  });
});
