// How many users and registrations a directory object knows, a part at a time: nothing else is served meanwhile.
import type { SenderToken } from "../domain/sender-token.ts";
import { type DirectoryCounts, type DirectoryEntry, type DirectoryRow, SNAPSHOT_FORMAT } from "../durable/snapshots.ts";
import { DAY_MS } from "../limits.ts";

/** Counts `limit` of the rows; users of whom nothing was refreshed after `since` (epoch ms) hold nothing any more. */
export function countPage(rows: Iterable<DirectoryRow>, limit: number, since: number, now: number): DirectoryCounts {
  const counts: DirectoryCounts = {
    users: 0,
    registrations: 0,
    muted: 0,
    byKind: {},
    byPlatform: {},
    byDays: {},
    next: null,
  };
  let seen = 0;
  let last: number | null = null;
  for (const { id, ...entry } of rows) {
    if (seen === limit) return { ...counts, next: last };
    seen += 1;
    last = id;
    const tokens = tokensOf(entry).filter(({ refreshedAt }) => refreshedAt > since);
    if (tokens.length > 0) counts.users += 1;
    for (const token of tokens) countToken(counts, token, now);
  }
  return counts;
}

/** A row of a format that another release wrote says nothing here. */
function tokensOf({ format, tokens }: DirectoryEntry): SenderToken[] {
  return format === SNAPSHOT_FORMAT && tokens !== null ? JSON.parse(tokens) : [];
}

function countToken(counts: DirectoryCounts, { kind, platform, muted, refreshedAt }: SenderToken, now: number): void {
  counts.registrations += 1;
  if (muted === true) counts.muted += 1;
  add(counts.byKind, kind);
  add(counts.byPlatform, platform);
  add(counts.byDays, Math.max(0, Math.floor((now - refreshedAt) / DAY_MS)));
}

function add<K extends PropertyKey>(sums: Partial<Record<K, number>>, key: K): void {
  sums[key] = (sums[key] ?? 0) + 1;
}
