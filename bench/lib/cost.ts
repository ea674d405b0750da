// The monthly bill of a workload, meter by meter, for the registry (from counts of the real Worker) and for the same API on
// D1 and on KV (from the statements that subjects/d1 and subjects/kv make).
import type { Counts } from "../subjects/counted/counted.ts";
import type { Operation } from "./counts.ts";
import { charge, PRICES } from "./prices.ts";

export interface Workload {
  users: number;
  /** Per user and month. */
  launches: number;
  senderReads: number;
  logouts: number;
  newTokens: number;
  /** Users whose registration is refreshed per month: a launch after the refresh window (7 days) writes one row. */
  refreshes: number;
  /** Users per billed sender request: 1 (one HTTP call per user), up to 500 (lookup), Infinity (lookups by the service binding). */
  batch: number;
  /** Devices per user. */
  devices: number;
  /** CPU of one request, in milliseconds. Measured here: about 0.2; the default leaves room for what production adds. */
  cpuMs: number;
  /** Seconds that an object is active per call without and with a write: local SQLite, and the replicated commit. */
  readSeconds: number;
  writeSeconds: number;
  /**
   * KiB on disk of one user: the own object, and the shares of the directory and of owner objects. Measured (bench/lib/sizes.ts,
   * entry-sizes.ts), without the pages of the local runtime.
   */
  storageKib: number;
  /** Runs of a user's alarm per month; each is a request and sets the next, one row. */
  alarms: number;
}

/** Of a user with up to three devices. */
export const USER_OBJECT_KIB = 12;

/** facts of the field: 10 M monthly users who launch once a day and are sent to ten times a day. */
export const DEFAULT_WORKLOAD: Workload = {
  users: 10_000_000,
  launches: 30,
  senderReads: 300,
  logouts: 1,
  newTokens: 0.6,
  refreshes: 4.3,
  batch: 500,
  devices: 2,
  cpuMs: 0.5,
  readSeconds: 0.003,
  writeSeconds: 0.015,
  storageKib: USER_OBJECT_KIB + 1.75,
  alarms: 1 / 3,
};

export interface Bill {
  design: string;
  meters: Record<string, number>;
  total: number;
}

export const MILLION = 1_000_000;
const GB_PER_OBJECT = 0.128;
export const KIB_PER_GB = 1_000_000_000 / 1024;

/** What a month of one user is made of: how often each operation that is counted, and whether it writes. */
export function mixOf(w: Workload): (readonly [operation: Operation, perUser: number, writes: boolean])[] {
  // A lookup asks no user's object: what it costs is shared by the users whom it answers for.
  const size = w.batch < 500 ? 100 : 500;
  return [
    ["unchanged registration", w.launches - w.refreshes - w.newTokens, false],
    ["refresh", w.refreshes, true],
    ["rotation", w.newTokens, true],
    ["logout", w.logouts, true],
    w.batch === 1 ? ["sender read", w.senderReads, false] : [`lookup of ${size}`, w.senderReads / size, false],
  ];
}

/** What a month takes of each meter, in the meter's unit: millions, or GB. */
export type Usage<Meter extends string> = Record<Meter, number>;

type RegistryMeter =
  | "Worker requests"
  | "Worker CPU"
  | "object requests"
  | "object duration"
  | "rows read"
  | "rows written"
  | "storage";

export function registryUsage(counts: Record<Operation, Counts>, w: Workload): Usage<RegistryMeter> {
  const mix = mixOf(w);
  const calls = (c: Counts) => c.userCalls + c.ownerCalls + c.directoryCalls;
  const sum = (amount: (counts: Counts, writes: boolean) => number) =>
    mix.reduce(
      (total, [operation, perUser, writes]) => total + amount(counts[operation], writes) * perUser * w.users,
      0,
    ) / MILLION;
  const clientRequests = (w.launches + w.logouts) * w.users;
  const requests = (clientRequests + (w.senderReads * w.users) / w.batch) / MILLION;
  // A batched read costs the Worker about a tenth of a request's CPU: no routing, no auth, no reply of its own.
  const cpu = (clientRequests * w.cpuMs + w.senderReads * w.users * w.cpuMs * (w.batch > 1 ? 0.1 : 1)) / MILLION;
  const alarms = (w.alarms * w.users) / MILLION;
  return {
    "Worker requests": requests,
    "Worker CPU": cpu,
    "object requests": sum(calls) + alarms,
    "object duration": sum((c, writes) => calls(c) * (writes ? w.writeSeconds : w.readSeconds) * GB_PER_OBJECT),
    "rows read": sum((c) => c.rowsRead),
    "rows written": sum((c) => c.rowsWritten) + alarms,
    storage: (w.users * w.storageKib) / KIB_PER_GB,
  };
}

export function registryBill(counts: Record<Operation, Counts>, w: Workload): Bill {
  const { worker, durableObjects } = PRICES;
  return bill("registry", registryUsage(counts, w), {
    "Worker requests": worker.requests,
    "Worker CPU": worker.cpuMs,
    "object requests": durableObjects.requests,
    "object duration": durableObjects.duration,
    "rows read": durableObjects.rowsRead,
    "rows written": durableObjects.rowsWritten,
    storage: durableObjects.storageGb,
  });
}

/** Rows of subjects/d1: a row and its unique index entry are two rows written. */
export function d1Usage(
  w: Workload,
): Usage<"Worker requests" | "Worker CPU" | "rows read" | "rows written" | "storage"> {
  const perUserReads = w.launches * w.devices + (w.senderReads + w.logouts) * w.devices;
  const perUserWrites = w.refreshes * 2 + w.newTokens * 4 + w.logouts * 3;
  const requests = (w.launches + w.logouts + w.senderReads / w.batch) * w.users;
  return {
    "Worker requests": requests / MILLION,
    "Worker CPU": (requests * w.cpuMs) / MILLION,
    "rows read": (perUserReads * w.users) / MILLION,
    "rows written": (perUserWrites * w.users) / MILLION,
    storage: (w.users * w.devices * 0.4) / KIB_PER_GB,
  };
}

export function d1Bill(w: Workload): Bill {
  const { worker, d1 } = PRICES;
  return bill("D1", d1Usage(w), {
    "Worker requests": worker.requests,
    "Worker CPU": worker.cpuMs,
    "rows read": d1.rowsRead,
    "rows written": d1.rowsWritten,
    storage: d1.storageGb,
  });
}

/** Operations of subjects/kv: a read per launch and per user of a batch, one document and one owner key per change. */
export function kvBill(w: Workload): Bill {
  const { worker, kv } = PRICES;
  const requests = (w.launches + w.logouts + w.senderReads / w.batch) * w.users;
  const reads = w.launches * 2 + w.senderReads + w.logouts + w.newTokens;
  const writes = (w.refreshes + w.newTokens) * 2 + w.logouts * 2;
  const usage = {
    "Worker requests": requests / MILLION,
    "Worker CPU": (requests * w.cpuMs) / MILLION,
    reads: (reads * w.users) / MILLION,
    writes: (writes * w.users) / MILLION,
    deletes: ((w.logouts + w.newTokens) * w.users) / MILLION,
    storage: (w.users * w.devices * 0.4) / KIB_PER_GB,
  };
  return bill("KV", usage, {
    "Worker requests": worker.requests,
    "Worker CPU": worker.cpuMs,
    reads: kv.reads,
    writes: kv.writes,
    deletes: kv.deletes,
    storage: kv.storageGb,
  });
}

function bill<M extends string>(
  design: string,
  usage: Usage<M>,
  prices: Record<M, Parameters<typeof charge>[0]>,
): Bill {
  const dollars = Object.fromEntries(
    (Object.keys(usage) as M[]).map((meter) => [meter, charge(prices[meter], usage[meter])]),
  ) as Record<M, number>;
  const total = Object.values<number>(dollars).reduce((sum, each) => sum + each, PRICES.plan);
  return { design, meters: { plan: PRICES.plan, ...dollars }, total };
}

const DAYS_PER_MONTH = 30;

/** Up to how many users the free plan goes, in days that are all alike, and the meter that ends it. */
export function freeUsers<M extends string>(usage: Usage<M>, users: number, free: Partial<Record<M, number>>) {
  const meters = (Object.keys(usage) as M[]).flatMap((meter) => {
    const limit = free[meter];
    if (limit === undefined) return [];
    const perDay = meter === "storage" ? usage[meter] : usage[meter] / DAYS_PER_MONTH;
    return [{ meter, users: (users * limit) / perDay }];
  });
  return meters.reduce((first, each) => (each.users < first.users ? each : first));
}
