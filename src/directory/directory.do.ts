// The object that knows what senders see of many users. No SQL (store.ts), no HTTP.

import { retryable } from "cloudflare:durable-objects";
import { DurableObject } from "cloudflare:workers";
import {
  type DirectoryCounts,
  type DirectoryPage,
  type DirectoryRow,
  type DirectoryRpc,
  type PutOutcome,
  REPEATABLE_BY_DIRECTORY,
  type Snapshot,
} from "../durable/snapshots.ts";
import { countPage } from "./counts.ts";
import { DirectoryStore } from "./store.ts";

/**
 * One of the objects per app among which its users are spread; it holds what senders see of each. It decides nothing: users'
 * objects write it, and it could be made anew from them. It:
 * - takes a higher version of a user, and refuses any other with the version that it has;
 * - remembers of users who hold nothing only the highest version of them all, the floor: what comes late is below it.
 *
 * It has no clock and calls nobody. docs/directory.md has the protocol.
 */
export class Directory extends DurableObject<Env> implements DirectoryRpc {
  readonly #store: DirectoryStore;

  static {
    for (const method of REPEATABLE_BY_DIRECTORY) retryable(Directory.prototype[method]);
  }

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new DirectoryStore(ctx.storage);
  }

  /** The user's state of that version, whole. `erase`: the user is erased, and leaves nothing here. */
  async put(snapshot: Snapshot, { erase = false } = {}): Promise<PutOutcome> {
    const row = this.#store.row(snapshot.uid);
    if (snapshot.registrations === 0) {
      if (row === undefined) this.#store.raiseFloor(snapshot.version);
      else if (snapshot.version <= row.version) return { ok: false, version: row.version };
      else this.#store.remove(row.id, snapshot, erase);
      return { ok: true };
    }
    if (row === undefined) {
      const floor = this.#store.floor();
      if (snapshot.version <= floor) return { ok: false, version: floor };
      this.#store.insert(snapshot);
      return { ok: true };
    }
    if (snapshot.version > row.version) this.#store.replace(row.id, snapshot);
    else if (snapshot.version < row.version || !this.#store.holds(row.id, snapshot)) {
      return { ok: false, version: row.version };
    }
    return { ok: true };
  }

  /** A line for each of these users, in their order (`entryOn`); tokens of more than `bytesMax` characters in all are left out. */
  async lines(uids: readonly string[], bytesMax: number): Promise<string> {
    let bytes = 0;
    const lines: string[] = [];
    for (const line of this.#store.lines(uids)) {
      bytes += line.length;
      lines.push(bytes > bytesMax ? withoutTokens(line) : line);
    }
    return lines.join("\n");
  }

  /** The users after `after`, `limit` at most; fewer where their tokens would have more than `bytesMax` characters. */
  async page(after: number | null, limit: number, bytesMax: number): Promise<DirectoryPage> {
    const entries: DirectoryRow[] = [];
    let bytes = 0;
    let last: number | null = null;
    for (const row of this.#store.page(after, limit + 1)) {
      bytes += row.tokens?.length ?? 0;
      if (entries.length === limit || (entries.length > 0 && bytes > bytesMax)) return { entries, next: last };
      entries.push(row);
      last = row.id;
    }
    return { entries, next: null };
  }

  /** Counts the next `limit` users after `after`; of registrations those that were refreshed after `since` (epoch ms). */
  async count(after: number | null, limit: number, since: number, now: number): Promise<DirectoryCounts> {
    return countPage(this.#store.page(after, limit + 1), limit, since, now);
  }

  /** Deletes everything here. Of an epoch that is over: nobody reads or writes it any more. */
  async clear(): Promise<void> {
    await this.#store.deleteAll();
  }
}

function withoutTokens(line: string): string {
  return line.split(" ", 3).join(" ") + (line && " ");
}
