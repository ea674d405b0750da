// What a probe will do, and what that costs at most: said before it begins.
import { charge, PRICES } from "../../bench/lib/prices.ts";
import { type Output, rounded } from "../lib/output.ts";
import type { Run } from "./people.ts";

export interface Settings {
  /** Calls of an operation; as many users log in. */
  calls: number;
  /** Users of a lookup. */
  sizes: readonly number[];
  /** How many calls run at once. */
  atOnce: readonly number[];
  /** Of a measurement. */
  seconds: number;
}

export interface Plan {
  /** HTTP requests. */
  requests: number;
  objectCalls: number;
  rowsWritten: number;
  /** On the Paid plan, once what it includes is used up. */
  dollars: number;
  measurements: number;
  /** No measurement takes longer; what comes before and behind them is some calls for each user. */
  seconds: number;
}

/**
 * What one call takes at most: the budgets that test/scripts/figures.test.ts holds the counted calls to. A lookup asks each of
 * the 16 directory objects once at most.
 */
export const AT_MOST = {
  mint: { objectCalls: 1, rowsWritten: 0 },
  first: { objectCalls: 3, rowsWritten: 13 },
  unchanged: { objectCalls: 1, rowsWritten: 0 },
  rotation: { objectCalls: 4, rowsWritten: 8 },
  read: { objectCalls: 1, rowsWritten: 0 },
  logout: { objectCalls: 3, rowsWritten: 8 },
  lookup: { objectCalls: 16, rowsWritten: 0 },
  erasure: { objectCalls: 4, rowsWritten: 14 },
} as const;

const USERS_PER_IMPORT = 100;

/** A lookup of many is measured less often. */
export function lookupsOf(size: number, calls: number): number {
  return Math.min(calls, Math.max(20, Math.ceil(20_000 / size)));
}

export function planOf({ calls, sizes, atOnce, seconds }: Settings, mints: boolean): Plan {
  const shown = Math.max(...sizes);
  const lookups = sizes.reduce((sum, size) => sum + lookupsOf(size, calls), 0) + atOnce.length * calls;
  const clients = mints ? calls : 0;
  const many: [number, keyof typeof AT_MOST][] = [
    [clients, "mint"],
    [clients, "first"],
    [clients * (1 + atOnce.length), "unchanged"],
    [clients, "rotation"],
    [clients, "read"],
    [calls, "read"],
    [clients, "logout"],
    [lookups, "lookup"],
    [clients + shown, "erasure"],
  ];
  const sum = (what: "objectCalls" | "rowsWritten") =>
    many.reduce((total, [amount, call]) => total + amount * AT_MOST[call][what], shown * AT_MOST.first[what]);
  const measurements = (mints ? 7 : 1) + sizes.length + (mints ? 2 : 1) * atOnce.length;
  const warmUps = measurements + 2 * atOnce.reduce((total, each) => total + each, 0);
  const requests = many.reduce((total, [amount]) => total + amount, Math.ceil(shown / USERS_PER_IMPORT) + warmUps);
  const { worker, durableObjects } = PRICES;
  const priced = (meter: { price: number }, amount: number) => charge({ ...meter, included: 0 }, amount / 1_000_000);
  const dollars =
    priced(worker.requests, requests) +
    priced(durableObjects.requests, sum("objectCalls")) +
    priced(durableObjects.rowsWritten, sum("rowsWritten"));
  return {
    requests,
    objectCalls: sum("objectCalls"),
    rowsWritten: sum("rowsWritten"),
    dollars,
    measurements,
    seconds: measurements * seconds,
  };
}

export function tellPlan(plan: Plan, url: string, run: Run, output: Output): void {
  const users = rounded(run.shown + run.clients);
  output.note(`${url}: a probe makes ${users} users, of whom ${run.clients} log in, measures, and erases them again.`);
  output.note(
    `At most ${rounded(plan.requests)} requests, ${rounded(plan.objectCalls)} calls of objects and ${rounded(plan.rowsWritten)} rows ` +
      `written: ${plan.dollars.toFixed(2)} dollars on the Paid plan; the free plan has 100,000 requests and rows a day. ` +
      `The measurements take ${rounded(plan.seconds)} seconds at most.`,
  );
}
