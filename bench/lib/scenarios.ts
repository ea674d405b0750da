// The bad days of a large app: much at one place, or much at once.
import { LOOKUP_TIMEOUT_MS, LOOKUP_USERS_MAX } from "../../src/limits.ts";
import type { Counts } from "../subjects/counted/counted.ts";
import { MILLION } from "./cost.ts";
import type { Operation } from "./counts.ts";
import { PRICES } from "./prices.ts";
import { queue, type Stream, type Waited } from "./queue.ts";
import { LIMITS, type Scale, type ServiceTimes, secondsOfCall } from "./scale.ts";

/** Long enough that the p99 is that of hundreds of calls. */
const SIMULATED_SECONDS = 60;

const simulate = (streams: readonly Stream[]): Waited =>
  queue(streams, { seconds: SIMULATED_SECONDS, patienceMs: LOOKUP_TIMEOUT_MS });

/** Calls of one directory object in the busiest hour: lookups, and what users' objects publish. */
export function busiestHour({ loads: { directory } }: Scale, times: ServiceTimes, usersOfCall: number): Waited {
  return simulate([
    { perSecond: directory.readsPerSecond, seconds: secondsOfCall(times, usersOfCall) },
    { perSecond: directory.writesPerSecond, seconds: 1 / LIMITS.writesPerSecond },
  ]);
}

/** One user read that often each second, by reads of this user alone. */
export function hotUser(times: ServiceTimes, perSecond: number): Waited {
  return simulate([{ perSecond, seconds: times.userRead / MILLION }]);
}

export interface HotGroup {
  members: number;
  /** Calls of 1,000 users each. */
  lookups: number;
  /** From the first call to the last answer, where all are sent at once. */
  seconds: number;
}

/** Calls of 1,000 users that one directory object answers for in the time that a lookup waits for it. */
export function lookupsAtOnce(times: ServiceTimes, objects: number): number {
  return Math.floor(LOOKUP_TIMEOUT_MS / 1000 / secondsOfCall(times, LOOKUP_USERS_MAX / objects));
}

export function hotGroup(times: ServiceTimes, objects: number, members: number): HotGroup {
  const lookups = Math.ceil(members / LOOKUP_USERS_MAX);
  return { members, lookups, seconds: lookups * secondsOfCall(times, LOOKUP_USERS_MAX / objects) };
}

export interface Flood {
  calls: number;
  rowsWritten: number;
  /** What the directory objects need for it at least, if they do nothing else. */
  seconds: number;
  /** So many a second leave half of their time for the rest. */
  pace: number;
  /** Beyond what the plan includes, without the HTTP requests. */
  dollars: number;
}

/** The same change of so many users, each once. */
export function flood(
  { userCalls, ownerCalls, directoryCalls, rowsWritten }: Counts,
  users: number,
  objects: number,
): Flood {
  const calls = (userCalls + ownerCalls + directoryCalls) * users;
  const perSecond = (objects * LIMITS.writesPerSecond) / directoryCalls;
  const { requests, rowsWritten: rows } = PRICES.durableObjects;
  return {
    calls,
    rowsWritten: rowsWritten * users,
    seconds: users / perSecond,
    pace: perSecond / 2,
    dollars: (calls * requests.price + rowsWritten * users * rows.price) / MILLION,
  };
}

/** What happens to every user at once, by the operation that is counted. */
export const FLOODS: readonly (readonly [what: string, operation: Operation])[] = [
  ["everybody is logged out", "logout"],
  ["everybody logs in again", "new token of a known user"],
  ["a provider calls every token dead", "report of a dead token"],
  ["every token is another after an update of the app", "rotation"],
];
