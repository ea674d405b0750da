// The budgets of sizes. Those of rows, calls and the bill: test/scripts/figures.test.ts.
import { describe, inject, it } from "vitest";
import { measureSizes } from "../../bench/lib/sizes.ts";

const KIB = 1024;

describe("the budgets", () => {
  it("hold for the bundle and for what a user takes on disk", async ({ expect }) => {
    const { gzipBytes, userBytes, directoryBytes } = await measureSizes(inject("bundle"));
    // The design says 60: explain, import and the console's calls are beyond it (docs/performance.md, "Size").
    expect(gzipBytes).toBeLessThanOrEqual(64 * KIB);
    expect(userBytes["3"]).toBeLessThanOrEqual(20 * KIB);
    // Two rows to a page: 1.7 KiB of JSON, which is passed on as it stands. The design says 1.5 KiB.
    expect(directoryBytes).toBeLessThanOrEqual(2.5 * KIB);
  });
});
