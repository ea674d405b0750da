// What a user's object and a directory object say to each other, and what the Worker asks the directory: the objects import
// each other's words from here, never each other.
import type { Kind, Platform } from "../domain/kinds.ts";

/**
 * The form of {@link Snapshot.tokens}. Another release may write another one beside this: whoever does not know a row's format
 * asks the user's own object. Raise it when a reader of this release could take the text wrongly.
 */
export const SNAPSHOT_FORMAT = 1;

/** All that senders see of one user, under the version of that state. */
export interface Snapshot {
  uid: string;
  /** Of one user, a higher version is a later state; equal versions have equal tokens. */
  version: number;
  format: number;
  /** `SenderToken[]` as JSON, in the order in which they are shown, with the muted ones. */
  tokens: string;
  registrations: number;
  muted: number;
  /** The earliest `refreshedAt` in `tokens`, epoch ms; 0: there are none. */
  shownSince: number;
}

/** `version`: what the directory has is as late or later, and the user's next version must be above it. */
export type PutOutcome = { ok: true } | { ok: false; version: number };

/** What a user's row says. */
export interface DirectoryEntry extends Pick<Snapshot, "format" | "muted" | "shownSince"> {
  /** As {@link Snapshot.tokens}; `null`: the answer would have been too long. */
  tokens: string | null;
}

/** With its user, and its place among the rows of its object. */
export interface DirectoryRow extends DirectoryEntry {
  id: number;
  uid: string;
}

/**
 * The entry that stands on a line of {@link DirectoryRpc.lines}; `undefined`: there is no row. Hundreds of entries travel as one
 * text, because as objects they cost more than all the rest of a lookup: format, muted, shownSince and tokens, with a space
 * between. No format may have line breaks in its tokens; JSON has none.
 */
export function entryOn(line: string): DirectoryEntry | undefined {
  if (line === "") return undefined;
  const muted = line.indexOf(" ") + 1;
  const shownSince = line.indexOf(" ", muted) + 1;
  const tokens = line.indexOf(" ", shownSince) + 1;
  return {
    format: Number(line.slice(0, muted - 1)),
    muted: Number(line.slice(muted, shownSince - 1)),
    shownSince: Number(line.slice(shownSince, tokens - 1)),
    tokens: line.slice(tokens) || null,
  };
}

/** A part of all users, in the order of their ids. */
export interface DirectoryPage {
  entries: DirectoryRow[];
  /** Where the next page begins; `null`: this is the last. */
  next: number | null;
}

export interface DirectoryCounts {
  /** Users who hold a registration. */
  users: number;
  registrations: number;
  muted: number;
  byKind: Partial<Record<Kind, number>>;
  byPlatform: Partial<Record<Platform, number>>;
  /** Registrations by whole days since the directory last heard of a launch. */
  byDays: Record<number, number>;
  /** Where to go on; `null`: all were counted. */
  next: number | null;
}

/** Methods of a directory object that may run twice, or late: versions tell what is late. */
export const REPEATABLE_BY_DIRECTORY = [
  "put",
  "lines",
  "page",
  "count",
  "clear",
] as const satisfies (keyof DirectoryRpc)[];

export interface DirectoryRpc {
  put(snapshot: Snapshot, options?: { erase?: boolean }): Promise<PutOutcome>;
  lines(uids: readonly string[], bytesMax: number): Promise<string>;
  page(after: number | null, limit: number, bytesMax: number): Promise<DirectoryPage>;
  clear(): Promise<void>;
  count(after: number | null, limit: number, since: number, now: number): Promise<DirectoryCounts>;
}
