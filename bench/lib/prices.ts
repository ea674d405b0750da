// What Cloudflare charges, in US dollars a month on the Workers Paid plan, as published on 2026-11-23:
// developers.cloudflare.com/workers/platform/pricing, …/durable-objects/platform/pricing, …/d1/platform/pricing,
// …/kv/platform/pricing. Amounts are in millions unless named otherwise.

export const PRICES = {
  date: "2026-11-23",
  plan: 5,
  worker: { requests: { included: 10, price: 0.3 }, cpuMs: { included: 30, price: 0.02 } },
  durableObjects: {
    requests: { included: 1, price: 0.15 },
    /** GB-seconds; an object is billed for 128 MB while it runs. */
    duration: { included: 0.4, price: 12.5 },
    rowsRead: { included: 25_000, price: 0.001 },
    rowsWritten: { included: 50, price: 1 },
    /** GB-months, not millions. */
    storageGb: { included: 5, price: 0.2 },
  },
  d1: {
    rowsRead: { included: 25_000, price: 0.001 },
    rowsWritten: { included: 50, price: 1 },
    storageGb: { included: 5, price: 0.75 },
  },
  kv: {
    reads: { included: 10, price: 0.5 },
    writes: { included: 1, price: 5 },
    deletes: { included: 1, price: 5 },
    storageGb: { included: 1, price: 0.5 },
  },
} as const;

/** What the free plan allows in a day: millions; storage in GB, at any time. Beyond it calls fail until midnight UTC. */
export const FREE = {
  registry: {
    "Worker requests": 0.1,
    "object requests": 0.1,
    "object duration": 0.013,
    "rows read": 5,
    "rows written": 0.1,
    storage: 5,
  },
  /** One database has at most 500 MB. */
  d1: { "Worker requests": 0.1, "rows read": 5, "rows written": 0.1, storage: 0.5 },
} as const;

/** A meter's bill for `amount`, beyond what the plan includes. */
export function charge(meter: { included: number; price: number }, amount: number): number {
  return Math.max(0, amount - meter.included) * meter.price;
}
