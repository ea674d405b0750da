// How much each kind of object has to do at a number of users, and what ends first: from the counted calls, the day's curve
// and Cloudflare's limits. What one object can do in a second is measured (service-times.json) or published.
import { OWNER_SHARDS } from "../../src/limits.ts";
import type { Counts } from "../subjects/counted/counted.ts";
import { DEFAULT_WORKLOAD, MILLION, mixOf, type Workload } from "./cost.ts";
import type { Operation } from "./counts.ts";

/** Cloudflare's limits of one object, and how much of its time may be spoken for before calls pile up. */
export const LIMITS = {
  /** developers.cloudflare.com/durable-objects/platform/limits: a soft limit. */
  callsPerSecond: 1000,
  /**
   * Transactional writes of one object, measured in production by others (lumenize.com, "What I got wrong about Durable Object
   * throughput"). Cloudflare's own rules of thumb say 200 to 500.
   */
  writesPerSecond: 410,
  bytes: 10_000_000_000,
  busy: 0.8,
} as const;

/** Microseconds of CPU that a call takes on this kind of machine, the Worker's share of it included: more than the object's own. */
export interface ServiceTimes {
  measured: string;
  machine: string;
  /** A call of a directory object, without the rows. */
  directoryCall: number;
  /** For each user whom it answers for. */
  directoryRow: number;
  /** A read of one user's object. */
  userRead: number;
}

/** Bytes on disk. */
export interface EntrySizes {
  /** Of a token in its owner object. */
  ownerEntry: number;
  /** Of a user in the directory. */
  directoryUser: number;
  /** Of a user's own object. */
  user: number;
}

export interface Settings {
  users: number;
  /** Users of one lookup: the members of a group, in the mean. */
  batch: number;
  devices: number;
  /** Directory objects: the setting `directory.objects`. */
  directoryObjects: number;
  /** The busiest hour, in means. */
  peak: number;
}

export interface Load {
  objects: number;
  /** Of one object in the busiest hour. */
  readsPerSecond: number;
  writesPerSecond: number;
  /** How much of its time is spoken for. */
  busy: number;
  bytes: number;
}

export type Kind = "user" | "owner" | "directory";

export interface Scale {
  loads: Record<Kind, Load>;
  /** Of the whole app in the busiest hour: requests of clients and back ends, and calls of objects. */
  requestsPerSecond: number;
  callsPerSecond: number;
}

/**
 * How a day goes: shares of its hours, from midnight on, where most users live in neighbouring time zones. Users all over the
 * world make it flatter.
 */
export const DAY = [5, 3, 2, 2, 2, 3, 6, 9, 11, 11, 11, 12, 13, 12, 11, 11, 12, 14, 16, 18, 19, 17, 13, 9] as const;

/** The busiest hour of {@link DAY}, in means. */
export const PEAK = (Math.max(...DAY) * DAY.length) / DAY.reduce((sum: number, share) => sum + share, 0);

const SECONDS_PER_MONTH = 30 * 24 * 3600;

/** Which share of the directory objects a lookup of so many users calls: all of them, from some 70 on. */
export function shareAsked(batch: number, objects: number): number {
  return 1 - (1 - 1 / objects) ** batch;
}

/** Seconds that a directory object works on one call for that many users. */
export function secondsOfCall(times: ServiceTimes, usersOfCall: number): number {
  return (times.directoryCall + times.directoryRow * usersOfCall) / MILLION;
}

export function scaleOf(
  counts: Record<Operation, Counts>,
  times: ServiceTimes,
  sizes: EntrySizes,
  settings: Settings,
): Scale {
  const { users, batch, devices, directoryObjects, peak } = settings;
  const workload: Workload = { ...DEFAULT_WORKLOAD, users, batch, devices };
  const perSecond = (perUserAndMonth: number) => (users * perUserAndMonth * peak) / SECONDS_PER_MONTH;
  const changes = mixOf(workload).filter(([operation]) => !operation.startsWith("lookup"));
  const rate = (calls: (counts: Counts) => number, only: (writes: boolean) => boolean) =>
    perSecond(
      changes.reduce(
        (sum, [operation, perUser, writes]) => sum + (only(writes) ? calls(counts[operation]) * perUser : 0),
        0,
      ),
    );
  const [reading, writing] = [(writes: boolean) => !writes, (writes: boolean) => writes];
  const userReads = rate((c) => c.userCalls, reading) + perSecond(workload.alarms);
  const lookups = batch === 1 ? 0 : perSecond(workload.senderReads / batch);
  const asked = shareAsked(batch, directoryObjects);
  const load = (objects: number, [reads, seconds]: [number, number], writes: number, bytes: number): Load => ({
    objects,
    readsPerSecond: reads / objects,
    writesPerSecond: writes / objects,
    busy: (reads * seconds + writes / LIMITS.writesPerSecond) / objects,
    bytes: bytes / objects,
  });
  const userWrites = rate((c) => c.userCalls, writing);
  const ownerWrites = rate((c) => c.ownerCalls, writing);
  const puts = rate((c) => c.directoryCalls, writing);
  // Of one object: `asked` of all lookups, each for its share of the users.
  const directoryReads = lookups * asked * directoryObjects;
  const usersOfCall = batch / (directoryObjects * asked);
  return {
    loads: {
      user: load(users, [userReads, times.userRead / MILLION], userWrites, users * sizes.user),
      owner: load(OWNER_SHARDS, [0, 0], ownerWrites, users * devices * sizes.ownerEntry),
      directory: load(
        directoryObjects,
        [directoryReads, secondsOfCall(times, usersOfCall)],
        puts,
        users * sizes.directoryUser,
      ),
    },
    requestsPerSecond: perSecond(workload.launches + workload.logouts + workload.senderReads / batch),
    callsPerSecond: userReads + userWrites + ownerWrites + puts + directoryReads,
  };
}

export type Limit = "calls" | "time" | "size";

/** Which share of each limit one object of a kind has reached; 1 is the limit. */
export function sharesOf({ readsPerSecond, writesPerSecond, busy, bytes }: Load): Record<Limit, number> {
  return {
    calls: (readsPerSecond + writesPerSecond) / LIMITS.callsPerSecond,
    time: busy / LIMITS.busy,
    size: bytes / LIMITS.bytes,
  };
}

export interface Break {
  kind: Kind;
  limit: Limit;
  /** The number of users at which it is reached. */
  users: number;
}

/** At how many users each limit of each shared kind of object is reached, the first one first. All loads grow with the users. */
export function breaksOf({ loads }: Scale, users: number): Break[] {
  return (["owner", "directory"] as const)
    .flatMap((kind) =>
      Object.entries(sharesOf(loads[kind])).map(([limit, share]) => ({
        kind,
        limit: limit as Limit,
        users: users / share,
      })),
    )
    .sort((a, b) => a.users - b.users);
}
