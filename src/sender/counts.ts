// How many users and registrations an app has, in steps.
import type { App } from "../config/apps.ts";
import { KIND_NAMES, type Kind, PLATFORMS, type Platform } from "../domain/kinds.ts";
import type { DirectoryCounts } from "../durable/snapshots.ts";
import { AGE_DAYS, COUNT_CALLS_MAX, COUNT_STEP_USERS, SHOWN_EVERY_MAX_MS } from "../limits.ts";
import { askDirectory } from "../objects.ts";
import { checkComplete, cursorOf, directoryWalk, type Place, placeAfter, placeAt, rowId } from "./places.ts";

/** Of the users that one call counted; those of the calls that follow `cursor` are to be added. */
export interface Counts {
  /** Who hold a registration. */
  users: number;
  registrations: number;
  /** Of the registrations, those that senders are not shown by default. */
  muted: number;
  byKind: Record<Kind, number>;
  byPlatform: Record<Platform, number>;
  /**
   * Registrations by the days since the device was last seen, as far as the directory knows: the truth is up to 90 days less. The
   * name is the number of days below which they are, and that is not in an earlier one; or `more`.
   */
  byAge: Record<string, number>;
  cursor?: string;
}

export interface CountOptions {
  cursor?: string | null | undefined;
}

/** @throws {ApiError} 400 for a wrong cursor; 503 where an object does not answer */
export async function countAll(env: Env, app: App, { cursor }: CountOptions): Promise<Counts> {
  const now = Date.now();
  // What the directory shows of a device is that much older than the truth, at most: nothing that is alive is left out.
  const since = now - app.rules.retentionMs - SHOWN_EVERY_MAX_MS;
  const counts: Counts = {
    users: 0,
    registrations: 0,
    muted: 0,
    byKind: zeros(KIND_NAMES),
    byPlatform: zeros(PLATFORMS),
    byAge: zeros([...AGE_DAYS.map(String), "more"]),
  };
  checkComplete(app);
  const walk = directoryWalk(app);
  let place: Place | null = placeAt(app, walk, cursor);
  for (let calls = 0; place !== null && calls < COUNT_CALLS_MAX; calls += 1) {
    const { shard, after }: Place = place;
    const part = await askDirectory(env, app, shard, (it) => it.count(rowId(after), COUNT_STEP_USERS, since, now));
    add(counts, part);
    place = placeAfter(walk, place, part.next);
  }
  const next = cursorOf(app, place);
  return next === undefined ? counts : { ...counts, cursor: next };
}

function add(counts: Counts, { users, registrations, muted, byKind, byPlatform, byDays }: DirectoryCounts): void {
  counts.users += users;
  counts.registrations += registrations;
  counts.muted += muted;
  addAll(counts.byKind, byKind, (kind) => kind);
  addAll(counts.byPlatform, byPlatform, (platform) => platform);
  addAll(counts.byAge, byDays, (days) => String(AGE_DAYS.find((each) => Number(days) < each) ?? "more"));
}

function addAll(sums: Record<string, number>, parts: Record<string, number>, nameOf: (key: string) => string): void {
  for (const [key, count] of Object.entries(parts)) sums[nameOf(key)] = (sums[nameOf(key)] ?? 0) + count;
}

function zeros<K extends string>(names: readonly K[]): Record<K, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<K, number>;
}
