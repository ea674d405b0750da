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

/** A user's row as it is read. */
export interface DirectoryEntry extends Pick<Snapshot, "uid" | "format" | "muted" | "shownSince"> {
  /** As {@link Snapshot.tokens}; `null`: the answer would have been too long. */
  tokens: string | null;
}

/** With its place among the rows of its object. */
export interface DirectoryRow extends DirectoryEntry {
  id: number;
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
  "read",
  "page",
  "count",
  "clear",
] as const satisfies (keyof DirectoryRpc)[];

export interface DirectoryRpc {
  put(snapshot: Snapshot, options?: { erase?: boolean }): Promise<PutOutcome>;
  read(uids: readonly string[], bytesMax: number): Promise<DirectoryEntry[]>;
  page(after: number | null, limit: number, bytesMax: number): Promise<DirectoryPage>;
  clear(): Promise<void>;
  count(after: number | null, limit: number, since: number, now: number): Promise<DirectoryCounts>;
}
