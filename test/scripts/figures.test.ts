// The figures in pages about cost and scale are those that their commands print, and within the design's budgets: one count of
// calls for all of them.
import { readFileSync } from "node:fs";
import { beforeAll, describe, it } from "vitest";
import { COST_PAGE, PERFORMANCE_PAGE } from "../../bench/cost.ts";
import { DEFAULT_WORKLOAD, freeUsers, registryBill, registryUsage } from "../../bench/lib/cost.ts";
import { partsOfCost, partsOfPerformance } from "../../bench/lib/cost-page.ts";
import { countOperations } from "../../bench/lib/counts.ts";
import { withParts } from "../../bench/lib/pages.ts";
import { queue } from "../../bench/lib/queue.ts";
import { breaksOf, LIMITS, scaleOf, shareAsked, sharesOf } from "../../bench/lib/scale.ts";
import { chartOf, DEFAULT_SETTINGS, type Given, givenOf, partsOf, SIZES } from "../../bench/lib/scale-page.ts";
import { flood } from "../../bench/lib/scenarios.ts";
import { knownServiceTimes } from "../../bench/lib/service-times.ts";
import { CHART, PAGE } from "../../bench/scale.ts";
import { AT_MOST } from "../../scripts/probe/plan.ts";

let counts: Awaited<ReturnType<typeof countOperations>>;
let given: Given;

beforeAll(async () => {
  counts = await countOperations();
  given = givenOf(counts, knownServiceTimes(), DEFAULT_SETTINGS.devices);
}, 300_000);

const scale = (users: number, settings = {}) =>
  scaleOf(counts, given.times, given.sizes, { ...DEFAULT_SETTINGS, users, ...settings });

describe("docs/scale.md", () => {
  it("is what npm run scale -- --write writes, and so is its chart", ({ expect }) => {
    const page = readFileSync(PAGE, "utf8");
    expect(page).toBe(withParts(page, partsOf(given, DEFAULT_SETTINGS, SIZES)));
    expect(readFileSync(CHART, "utf8")).toBe(chartOf(given, DEFAULT_SETTINGS));
  });
});

describe("docs/cost.md and docs/performance.md", () => {
  it("are what npm run cost -- --write writes", ({ expect }) => {
    const [cost, performance] = [COST_PAGE, PERFORMANCE_PAGE].map((path) => readFileSync(path, "utf8")) as [
      string,
      string,
    ];
    expect(cost).toBe(withParts(cost, partsOfCost(counts)));
    expect(performance).toBe(withParts(performance, partsOfPerformance(counts)));
  });
});

describe("the budgets", () => {
  it("hold for calls and rows of each operation, and for the monthly bill", ({ expect }) => {
    const one = { userCalls: 1, ownerCalls: 0, directoryCalls: 0 };
    expect(counts["unchanged registration"]).toMatchObject({ ...one, rowsWritten: 0 });
    expect(counts["new token of a known user"]).toMatchObject({ userCalls: 1, ownerCalls: 1, directoryCalls: 1 });
    expect(counts["new token of a known user"].rowsWritten).toBeLessThanOrEqual(6);
    expect(counts["first registration of a user"].rowsWritten).toBeLessThanOrEqual(12);
    expect(counts.refresh).toMatchObject({ ...one, rowsWritten: 1 });
    expect(counts.list).toMatchObject({ ...one, rowsWritten: 0 });
    // Two registrations are listed.
    expect(counts.list.rowsRead).toBeLessThanOrEqual(2 + 3);
    expect(counts["sender read"]).toMatchObject({ ...one, rowsWritten: 0 });
    expect(counts["read of an unknown user"]).toMatchObject({ ...one, rowsWritten: 0 });
    expect(counts["lookup of 500"]).toMatchObject({ userCalls: 0, ownerCalls: 0, rowsWritten: 0 });
    expect(counts["lookup of 500"].directoryCalls).toBeLessThanOrEqual(8);
    expect(counts["lookup of 500"].rowsRead).toBeLessThanOrEqual(500 + 8);
    // By the service binding, and over HTTP in the largest batches.
    for (const batch of [Number.POSITIVE_INFINITY, 500]) {
      expect(registryBill(counts, { ...DEFAULT_WORKLOAD, batch }).total).toBeLessThanOrEqual(350);
    }
  });
});

describe("the table of rows in docs/performance.md", () => {
  it("adds up to what is counted", ({ expect }) => {
    const [, text = ""] =
      /## What each row is for\n([\s\S]*?\*\*in all\*\*.*)\n/.exec(readFileSync(PERFORMANCE_PAGE, "utf8")) ?? [];
    const lines = text.split("\n").filter((line) => /\| \**\d+\** \|/.test(line));
    const columns = lines.map((line) =>
      [...line.matchAll(/\| \**(\d+)\**(?= \|)/g)].map(([, number]) => Number(number)),
    );
    const totals = columns.pop() ?? [];
    const sums = totals.map((_, i) => columns.reduce((sum, line) => sum + (line[i] ?? Number.NaN), 0));
    expect(sums).toEqual(totals);
    const operations = ["new token of a known user", "rotation", "logout", "handover"] as const;
    expect(totals).toEqual(operations.map((operation) => counts[operation].rowsWritten));
    const more = counts["first registration of a user"].rowsWritten - counts["new token of a known user"].rowsWritten;
    expect([more, counts.refresh.rowsWritten]).toEqual([4, 1]);
  });
});

describe("npm run cost", () => {
  it("finds the number of users at which the first meter of the free plan is used up", ({ expect }) => {
    const free = { "rows written": 0.1, "Worker requests": 0.1 };
    const first = freeUsers(registryUsage(counts, DEFAULT_WORKLOAD), DEFAULT_WORKLOAD.users, free);
    const usage = registryUsage(counts, { ...DEFAULT_WORKLOAD, users: first.users });
    expect(usage[first.meter] / 30).toBeCloseTo(0.1);
    for (const meter of ["rows written", "Worker requests"] as const)
      expect(usage[meter] / 30).toBeLessThan(0.1 + 1e-9);
  });

  it("bills what is above the plan, and nothing below it but the plan", ({ expect }) => {
    expect(registryBill(counts, { ...DEFAULT_WORKLOAD, users: 1000 }).total).toBe(5);
    const [one, two] = [10, 20].map(
      (millions) => registryBill(counts, { ...DEFAULT_WORKLOAD, users: millions * 1e6 }).meters,
    );
    const rows =
      counts.refresh.rowsWritten * 4.3 + counts.rotation.rowsWritten * 0.6 + counts.logout.rowsWritten + 1 / 3;
    expect((two?.["rows written"] ?? 0) - (one?.["rows written"] ?? 0)).toBeCloseTo(rows * 10);
  });
});

describe("npm run scale", () => {
  it("calls as many directory objects for a lookup as the Worker does", ({ expect }) => {
    for (const size of [100, 500] as const) {
      const calls = shareAsked(size, DEFAULT_SETTINGS.directoryObjects) * DEFAULT_SETTINGS.directoryObjects;
      expect(Math.round(calls)).toBe(counts[`lookup of ${size}`].directoryCalls);
    }
  });

  it("finds for each limit the number of users at which one object reaches it", ({ expect }) => {
    const breaks = breaksOf(scale(1_000_000), 1_000_000);
    expect(breaks).toHaveLength(6);
    for (const { kind, limit, users } of breaks) {
      expect(sharesOf(scale(users).loads[kind])[limit]).toBeCloseTo(1);
    }
    expect(breaks.map(({ users }) => users)).toEqual(breaks.map(({ users }) => users).toSorted((a, b) => a - b));
  });

  it("counts every call that is counted, once", ({ expect }) => {
    // One user who launches, reads and logs out as the workload says, in a month without a busiest hour.
    const { loads, callsPerSecond } = scale(1_000_000, { peak: 1 });
    const all = Object.values(loads).reduce(
      (sum, { objects, readsPerSecond, writesPerSecond }) => sum + objects * (readsPerSecond + writesPerSecond),
      0,
    );
    expect(all).toBeCloseTo(callsPerSecond, 6);
    const month = (callsPerSecond * 30 * 24 * 3600) / 1_000_000;
    // 30 launches of one call and more, 300 reads in lookups of 500, a logout of three calls, the alarm.
    const { rotation, logout } = counts;
    const calls = (c: typeof logout) => c.userCalls + c.ownerCalls + c.directoryCalls;
    expect(month).toBeCloseTo(
      29.4 + 0.6 * calls(rotation) + calls(logout) + (300 / 500) * DEFAULT_SETTINGS.directoryObjects + 1 / 3,
      3,
    );
  });

  it("says that senders who read user by user call no directory object", ({ expect }) => {
    expect(scale(1_000_000, { batch: 1 }).loads.directory.readsPerSecond).toBe(0);
  });

  it("has a flood last as long as the directory objects write", ({ expect }) => {
    const { seconds, pace } = flood(counts.logout, 1_000_000, 16);
    expect(seconds * 16 * LIMITS.writesPerSecond).toBeCloseTo(1_000_000 * counts.logout.directoryCalls);
    expect(pace).toBeCloseTo(1_000_000 / seconds / 2);
  });
});

describe("a queue at one object", () => {
  const patience = { seconds: 2000, patienceMs: 1500 };

  it("waits as theory says: half busy with equal calls, in the mean half a call (Pollaczek and Khinchine)", ({
    expect,
  }) => {
    const alone = queue([{ perSecond: 0.01, seconds: 0.01 }], patience);
    expect(alone).toEqual({ mean: expect.closeTo(10), p50: expect.closeTo(10), p99: expect.closeTo(10), late: 0 });
    const { mean } = queue([{ perSecond: 50, seconds: 0.01 }], patience);
    expect(mean).toBeGreaterThan(14.5);
    expect(mean).toBeLessThan(15.5);
  });

  it("grows without end where more comes than can be done", ({ expect }) => {
    const { late, p99 } = queue([{ perSecond: 120, seconds: 0.01 }], patience);
    expect(late).toBeGreaterThan(0.9);
    expect(p99).toBeGreaterThan(300_000);
  });
});

describe("npm run probe", () => {
  it("says at least what its calls cost, as they are counted", ({ expect }) => {
    const pairs = [
      ["first", "first registration of a user"],
      ["unchanged", "unchanged registration"],
      ["rotation", "rotation"],
      ["read", "sender read"],
      ["logout", "logout"],
      ["lookup", "lookup of 500"],
      ["erasure", "delete all"],
    ] as const;
    for (const [call, operation] of pairs) {
      const { userCalls, ownerCalls, directoryCalls, rowsWritten } = counts[operation];
      expect([call, userCalls + ownerCalls + directoryCalls <= AT_MOST[call].objectCalls]).toEqual([call, true]);
      expect([call, rowsWritten <= AT_MOST[call].rowsWritten]).toEqual([call, true]);
    }
  });
});
