// Short runs of the crash test (`npm run crash` for long ones): workerd under load, killed and restarted.
import { describe, inject, it } from "vitest";
import { commitsRecipe } from "../../scripts/crash/commits.ts";
import { erasureRecipe } from "../../scripts/crash/recipe.ts";
import { crashTest } from "../../scripts/crash.ts";

describe("after kill -9 under load", () => {
  it("nothing acknowledged is lost or missing in a lookup, nothing removed is back or shown, no token has two holders", async ({
    expect,
  }) => {
    const result = await crashTest({ rounds: 4, seed: 20_261_124, bundle: inject("bundle") });
    expect(result.violations).toEqual([]);
    expect(result.rounds).toBe(4);
    for (const operation of ["registration", "logout", "end of all sessions", "erasure"]) {
      expect({ ...result.unanswered, ...result.acknowledged }).toHaveProperty([operation]);
    }
    expect(Object.keys(result.unanswered)).not.toEqual([]);
    expect(result.endedSessionsTried).toBeGreaterThan(0);
    expect(result.tokensChecked).toBeGreaterThan(0);
    expect(result).toMatchObject({ staleInLookups: 0, missingInLookups: 0 });
    expect(result.acknowledged).toHaveProperty("mute");
    expect(result.lookupsCompared).toBeGreaterThan(100);
    expect(result.filesRead).toBeGreaterThan(100);
    expect(result.alarmsRung).toBeGreaterThan(0);
  });

  it("in the middle of writes, each change that the directory lacks has its version and its near alarm", {
    timeout: 180_000,
  }, async ({ expect }) => {
    const result = await commitsRecipe({ rounds: 16, users: 16, seed: 20_261_127, bundle: inject("bundle") });
    expect(result.violations).toEqual([]);
    expect(result.rounds).toBe(16);
    // Else no kill came between a change and its publication, and nothing was tried.
    expect(result.behind).toBeGreaterThan(0);
  });

  it("in the middle of an erasure, sessions that had ended stay out", { timeout: 180_000 }, async ({ expect }) => {
    const result = await erasureRecipe({ rounds: 24, users: 8, seed: 20_261_124, bundle: inject("bundle") });
    expect(result.violations).toEqual([]);
    expect(result.endedSessionsBack).toBe(0);
    expect(result.endedSessionsTried).toBe(24 * 8);
    expect(result.erasuresCutOff).toBeGreaterThan(0);
  });
});
