// The budgets of the design that are counted, not timed: sizes, rows, calls and the bill.
import { describe, inject, it } from "vitest";
import { DEFAULT_WORKLOAD, registryBill } from "../../bench/lib/cost.ts";
import { countOperations } from "../../bench/lib/counts.ts";
import { measureSizes } from "../../bench/lib/sizes.ts";

const KIB = 1024;

describe("the budgets", () => {
  it("hold for the bundle and for what a user takes on disk", async ({ expect }) => {
    const { gzipBytes, userBytes } = await measureSizes(inject("bundle"));
    expect(gzipBytes).toBeLessThanOrEqual(60 * KIB);
    expect(userBytes["3"]).toBeLessThanOrEqual(20 * KIB);
  });

  it("hold for calls and rows of each operation, and for the monthly bill", async ({ expect }) => {
    const counts = await countOperations();
    expect(counts["unchanged registration"]).toMatchObject({ userCalls: 1, ownerCalls: 0, rowsWritten: 0 });
    expect(counts["new token of a known user"]).toMatchObject({ userCalls: 1, ownerCalls: 1 });
    expect(counts["new token of a known user"].rowsWritten).toBeLessThanOrEqual(3);
    expect(counts["first registration of a user"].rowsWritten).toBeLessThanOrEqual(12);
    expect(counts.refresh).toMatchObject({ userCalls: 1, ownerCalls: 0, rowsWritten: 1 });
    expect(counts.list).toMatchObject({ userCalls: 1, ownerCalls: 0, rowsWritten: 0 });
    // Two registrations are listed.
    expect(counts.list.rowsRead).toBeLessThanOrEqual(2 + 3);
    expect(counts["sender read"]).toMatchObject({ userCalls: 1, ownerCalls: 0, rowsWritten: 0 });
    expect(counts["read of an unknown user"]).toMatchObject({ userCalls: 1, ownerCalls: 0, rowsWritten: 0 });
    // By the service binding, and over HTTP in the largest batches.
    expect(registryBill(counts, { ...DEFAULT_WORKLOAD, batch: Number.POSITIVE_INFINITY }).total).toBeLessThanOrEqual(
      700,
    );
    expect(registryBill(counts, { ...DEFAULT_WORKLOAD, batch: 500 }).total).toBeLessThanOrEqual(700);
  });
});
