// What docs/cost.md and docs/performance.md say of money: tables of the bills of `npm run cost`.
import type { Counts } from "../subjects/counted/counted.ts";
import { DEFAULT_WORKLOAD, d1Bill, d1Usage, freeUsers, registryBill, registryUsage, type Workload } from "./cost.ts";
import type { Operation } from "./counts.ts";
import { figure, people, table } from "./pages.ts";
import { FREE, PRICES } from "./prices.ts";

type AllCounts = Record<Operation, Counts>;

const SIZES = [10_000, 1_000_000, 10_000_000, 100_000_000] as const;
/** Refresh windows that are weighed, in days. */
const WINDOWS = [1, 3, 7, 14, 30] as const;

const dollars = (amount: number) => `$${Math.round(amount).toLocaleString("en-US")}`;

/** Every part of docs/cost.md that has figures, by its name. */
export function partsOfCost(counts: AllCounts): Record<string, string> {
  return {
    bills: billTable(counts),
    meters: meterTable(counts),
    moves: moveTable(counts),
    workload: workloadTable(),
    counted: countedTable(counts),
  };
}

export function partsOfPerformance(counts: AllCounts): Record<string, string> {
  return { "refresh-window": windowTable(counts) };
}

/** Senders' reads: in lookups, by lookups through the service binding, user by user. */
const [IN_LOOKUPS, BY_BINDING, ONE_BY_ONE] = [500, Number.POSITIVE_INFINITY, 1];

function billTable(counts: AllCounts): string {
  const workload = (users: number, batch: number): Workload => ({ ...DEFAULT_WORKLOAD, users, batch });
  const row = (name: string, cell: (batch: number) => string, d1: (batch: number) => string) => [
    name,
    ...[IN_LOOKUPS, BY_BINDING, ONE_BY_ONE].map(cell),
    ...[IN_LOOKUPS, ONE_BY_ONE].map(d1),
  ];
  const free = ({ users, meter }: { users: number; meter: string }) => `${people(users)} (${meter})`;
  const some = SIZES[0];
  return table(
    [
      "monthly users",
      "registry, lookups of 500",
      "lookups by the service binding",
      "user by user",
      "D1, batches of 500",
      "D1, user by user",
    ],
    [
      ...SIZES.map((users) =>
        row(
          people(users),
          (batch) => dollars(registryBill(counts, workload(users, batch)).total),
          (batch) => dollars(d1Bill(workload(users, batch)).total),
        ),
      ),
      row(
        "**the free plan ends at**",
        (batch) => free(freeUsers(registryUsage(counts, workload(some, batch)), some, FREE.registry)),
        (batch) => free(freeUsers(d1Usage(workload(some, batch)), some, FREE.d1)),
      ),
    ],
  );
}

function meterTable(counts: AllCounts): string {
  const bills = SIZES.map((users) => registryBill(counts, { ...DEFAULT_WORKLOAD, users, batch: IN_LOOKUPS }));
  const meters = Object.keys(bills[0]?.meters ?? {});
  const rows = meters.map((meter) => [meter, ...bills.map((bill) => dollars(bill.meters[meter] ?? 0))]);
  const totals = ["**in all**", ...bills.map(({ total }) => `**${dollars(total)}**`)];
  return table(["registry, lookups of 500", ...SIZES.map((users) => `${people(users)} users`)], [...rows, totals]);
}

/** The default workload with one thing changed, at 10 million users. */
function moveTable(counts: AllCounts): string {
  const changes: [string, Partial<Workload>][] = [
    ["the default: a launch a day, lookups of 500, two devices", {}],
    ["three launches a day", { launches: 90 }],
    ["a launch every third day", { launches: 10 }],
    ["lookups of 100", { batch: 100 }],
    ["three times the reads by senders", { senderReads: 900 }],
    ["three times the logouts and new tokens", { logouts: 3, newTokens: 1.8 }],
    ["no logouts", { logouts: 0 }],
    ["`refreshWindowDays` = 1", { refreshes: DEFAULT_WORKLOAD.launches - DEFAULT_WORKLOAD.newTokens }],
    ["`refreshWindowDays` = 30", { refreshes: 1 }],
  ];
  const usual = registryBill(counts, DEFAULT_WORKLOAD).total;
  const rows = changes.map(([what, change]) => {
    const { total } = registryBill(counts, { ...DEFAULT_WORKLOAD, ...change });
    return [
      what,
      dollars(total),
      total === usual ? "" : `${total > usual ? "+" : "−"} ${figure(Math.abs(total / usual - 1) * 100)} %`,
    ];
  });
  return table(["10 million users", "a month", ""], rows);
}

const WORKLOAD_NAMES: Partial<Record<keyof Workload, string>> = {
  launches: "launches per user and month",
  senderReads: "reads by senders per user and month",
  logouts: "logouts per user and month",
  newTokens: "new tokens per user and month",
  refreshes: "launches that are written, once in a refresh window of 7 days",
  devices: "devices per user",
  storageKib: "KiB on disk per user, in all objects",
  cpuMs: "milliseconds of CPU per request",
};

function workloadTable(): string {
  const rows = Object.entries(WORKLOAD_NAMES).map(([name, says]) => [
    says,
    figure(DEFAULT_WORKLOAD[name as keyof Workload]),
    `\`--${name}\``,
  ]);
  return table([`prices of ${PRICES.date}`, "", "option"], rows);
}

function countedTable(counts: AllCounts): string {
  const rows = Object.entries(counts).map(([operation, c]) => [
    operation,
    String(c.userCalls + c.ownerCalls + c.directoryCalls),
    String(c.rowsWritten),
  ]);
  return table(["operation", "calls of objects", "rows written"], rows);
}

/** A launch is written once in a window; a report within a window of the last write only makes a token suspect. */
function windowTable(counts: AllCounts): string {
  const { launches } = DEFAULT_WORKLOAD;
  const rows = WINDOWS.map((days) => {
    const refreshes = Math.min(launches - DEFAULT_WORKLOAD.newTokens, 30 / days);
    const bill = (users: number) => registryBill(counts, { ...DEFAULT_WORKLOAD, users, refreshes });
    const [small, large] = [bill(1_000_000), bill(10_000_000)];
    return [
      `${days} day${days === 1 ? "" : "s"}`,
      figure(refreshes * counts.refresh.rowsWritten),
      dollars(small.total),
      dollars(large.total),
      `${Math.round(((large.meters["rows written"] ?? 0) / large.total) * 100)} %`,
      `${days} day${days === 1 ? "" : "s"}`,
    ];
  });
  const head = [
    "window",
    "rows a user and month",
    "a month, 1 million users",
    "10 million",
    "of it rows written",
    "a dead token stays at most",
  ];
  return table(head, rows);
}
