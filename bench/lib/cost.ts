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
  /** KiB on disk of one user: measured (bench/lib/sizes.ts), without the pages of the local runtime. */
  storageKib: number;
  /** Runs of a user's alarm per month; each is a request and sets the next, one row. */
  alarms: number;
}

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
  storageKib: 12,
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

export function registryBill(counts: Record<Operation, Counts>, w: Workload): Bill {
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
  const { worker, durableObjects } = PRICES;
  return bill("registry", {
    "Worker requests": charge(worker.requests, requests),
    "Worker CPU": charge(worker.cpuMs, cpu),
    "object requests": charge(durableObjects.requests, sum(calls) + alarms),
    "object duration": charge(
      durableObjects.duration,
      sum((c, writes) => calls(c) * (writes ? w.writeSeconds : w.readSeconds) * GB_PER_OBJECT),
    ),
    "rows read": charge(
      durableObjects.rowsRead,
      sum((c) => c.rowsRead),
    ),
    "rows written": charge(durableObjects.rowsWritten, sum((c) => c.rowsWritten) + alarms),
    storage: charge(durableObjects.storageGb, (w.users * w.storageKib) / KIB_PER_GB),
  });
}

/** Rows of subjects/d1: a row and its unique index entry are two rows written. */
export function d1Bill(w: Workload): Bill {
  const { worker, d1 } = PRICES;
  const perUserReads = w.launches * w.devices + (w.senderReads + w.logouts) * w.devices;
  const perUserWrites = w.refreshes * 2 + w.newTokens * 4 + w.logouts * 3;
  const requests = (w.launches + w.logouts + w.senderReads / w.batch) * w.users;
  return bill("D1", {
    "Worker requests": charge(worker.requests, requests / MILLION),
    "Worker CPU": charge(worker.cpuMs, (requests * w.cpuMs) / MILLION),
    "rows read": charge(d1.rowsRead, (perUserReads * w.users) / MILLION),
    "rows written": charge(d1.rowsWritten, (perUserWrites * w.users) / MILLION),
    storage: charge(d1.storageGb, (w.users * w.devices * 0.4) / KIB_PER_GB),
  });
}

/** Operations of subjects/kv: a read per launch and per user of a batch, one document and one owner key per change. */
export function kvBill(w: Workload): Bill {
  const { worker, kv } = PRICES;
  const requests = (w.launches + w.logouts + w.senderReads / w.batch) * w.users;
  const reads = w.launches * 2 + w.senderReads + w.logouts + w.newTokens;
  const writes = (w.refreshes + w.newTokens) * 2 + w.logouts * 2;
  return bill("KV", {
    "Worker requests": charge(worker.requests, requests / MILLION),
    "Worker CPU": charge(worker.cpuMs, (requests * w.cpuMs) / MILLION),
    reads: charge(kv.reads, (reads * w.users) / MILLION),
    writes: charge(kv.writes, (writes * w.users) / MILLION),
    deletes: charge(kv.deletes, ((w.logouts + w.newTokens) * w.users) / MILLION),
    storage: charge(kv.storageGb, (w.users * w.devices * 0.4) / KIB_PER_GB),
  });
}

function bill(design: string, meters: Record<string, number>): Bill {
  const total = Object.values(meters).reduce((sum, dollars) => sum + dollars, PRICES.plan);
  return { design, meters: { plan: PRICES.plan, ...meters }, total };
}
