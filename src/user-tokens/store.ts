// What a user's object keeps, on SQLite: the registrations, and the facts beside them. No clock, no other object, no decision.
//
//   fact          key        value                         until (epoch ms, 0: no end)
//   schema        ''         id of the last migration      0
//   user          ''         {uid, retentionMs}            0
//   valid_from    ''         epoch ms                      when no older auth token can live
//   fence         session    when its auth token was       when no auth token of the session can live
//                            issued (epoch ms)
//   takeovers     session    tokens taken from others      end of the window
//   changes       ''         the record of changes         its last entry + CHANGES_KEPT_MS
//   forget        hash       ''                            0 (an erasure that waits for the owner object)
import type { Kind, Platform } from "../domain/kinds.ts";
import type { Change, ChangeKind } from "../domain/registration.ts";
import { FactsTable } from "../durable/facts-table.ts";
import { LazyTables } from "../durable/lazy-tables.ts";
import type { Migration } from "../durable/migrate.ts";
import { CHANGES_KEPT_MS, CHANGES_MAX } from "../limits.ts";
import { MIGRATIONS } from "./migrations.ts";
import { RegistrationsTable } from "./registrations-table.ts";

export interface UserFact {
  uid: string;
  retentionMs: number;
}

export interface Fence {
  session: string;
  issuedAt: number;
  until: number;
}

export interface ValidFrom {
  at: number;
  /** When no auth token issued until `at` can live. */
  until: number;
}

export class UserTokensStore {
  readonly registrations: RegistrationsTable;
  readonly #tables: LazyTables;
  readonly #facts: FactsTable;
  /** Fences and `valid_from` as stored, because every call of a session asks for them. Read once, then kept in step here. */
  #ends: { fences: Map<string, Fence>; validFrom: ValidFrom | undefined } | undefined;

  constructor(storage: DurableObjectStorage, migrations: readonly Migration[] = MIGRATIONS) {
    this.#tables = new LazyTables(storage, migrations);
    this.#facts = new FactsTable(this.#tables);
    this.registrations = new RegistrationsTable(this.#tables);
  }

  get exists(): boolean {
    return this.#tables.exists;
  }

  /** As {@link LazyTables.transaction}. */
  transaction<T>(write: () => T): T {
    try {
      return this.#tables.transaction(write);
    } catch (error) {
      this.#ends = undefined;
      throw error;
    }
  }

  /** As {@link LazyTables.deleteAll}. */
  async deleteAll(): Promise<void> {
    this.#ends = undefined;
    await this.#tables.deleteAll();
  }

  user(): UserFact | undefined {
    const fact = this.#facts.one("user");
    return fact && (JSON.parse(fact.value) as UserFact);
  }

  /** Writes only a change. */
  setUser({ uid, retentionMs }: UserFact): void {
    this.#facts.set("user", { value: JSON.stringify({ uid, retentionMs }), until: 0 });
  }

  // Session ends

  validFrom(): ValidFrom | undefined {
    return this.#sessionEnds().validFrom;
  }

  setValidFrom(validFrom: ValidFrom): void {
    this.#facts.set("valid_from", { value: String(validFrom.at), until: validFrom.until });
    this.#sessionEnds().validFrom = validFrom;
  }

  fence(session: string): Fence | undefined {
    return this.#sessionEnds().fences.get(session);
  }

  fences(): Fence[] {
    return [...this.#sessionEnds().fences.values()];
  }

  setFence(fence: Fence): void {
    this.#facts.set("fence", { key: fence.session, value: String(fence.issuedAt), until: fence.until });
    this.#sessionEnds().fences.set(fence.session, fence);
  }

  deleteFence(session: string): void {
    this.#facts.delete("fence", session);
    this.#sessionEnds().fences.delete(session);
  }

  #sessionEnds() {
    if (this.#ends === undefined) {
      const fences = this.#facts
        .all("fence")
        .map(({ key, value, until }): Fence => ({ session: key, issuedAt: Number(value), until }));
      const validFrom = this.#facts.one("valid_from");
      this.#ends = {
        fences: new Map(fences.map((fence) => [fence.session, fence])),
        validFrom: validFrom && { at: Number(validFrom.value), until: validFrom.until },
      };
    }
    return this.#ends;
  }

  // Takeovers

  /** How many tokens this session took from other users in the window that is open at `now`, and when it ends. */
  takeovers(session: string, now: number): { count: number; until: number } | undefined {
    const fact = this.#facts.one("takeovers", session);
    return fact && fact.until > now ? { count: Number(fact.value), until: fact.until } : undefined;
  }

  allTakeovers(now: number): { session: string; count: number; until: number }[] {
    return this.#facts
      .all("takeovers")
      .filter(({ until }) => until > now)
      .map(({ key, value, until }) => ({ session: key, count: Number(value), until }));
  }

  /** Drops windows that ended: sessions are many, and the alarm may be weeks away. */
  setTakeovers(session: string, count: number, until: number, now: number): void {
    for (const fact of this.#facts.all("takeovers")) if (fact.until <= now) this.#facts.delete("takeovers", fact.key);
    this.#facts.set("takeovers", { key: session, value: String(count), until });
  }

  // The record of changes

  /** The record of changes at `now`, oldest first. */
  changes(now: number): Change[] {
    const fact = this.#facts.one("changes");
    return fact && fact.until > now ? (JSON.parse(fact.value) as StoredChange[]).map(fromStored) : [];
  }

  /** Adds to the record, in one row whatever the number of changes; the oldest are dropped. */
  addChanges(changes: readonly Change[], now: number): void {
    if (changes.length === 0) return;
    const kept = [...this.changes(now), ...changes].slice(-CHANGES_MAX).map(toStored);
    this.#facts.set("changes", { value: JSON.stringify(kept), until: now + CHANGES_KEPT_MS });
  }

  // Erasure

  /** Hashes of tokens whose owner objects have yet to hear of an erasure. */
  pendingForgets(): string[] {
    return this.#facts.all("forget").map(({ key }) => key);
  }

  addPendingForget(hash: string): void {
    this.#facts.set("forget", { key: hash, value: "", until: 0 });
  }

  deletePendingForget(hash: string): void {
    this.#facts.delete("forget", hash);
  }

  /** Deletes what about the user is not a registration, but for fences, `valid_from` and pending forgets. */
  deleteRecord(): void {
    this.#facts.deleteAll(["user", "takeovers", "changes"]);
  }

  // Time

  deleteExpiredFacts(now: number): void {
    this.#ends = undefined;
    this.#facts.deleteExpired(now);
  }

  /** As {@link FactsTable.nextEnd}. */
  nextFactEnd(): number | undefined {
    return this.#facts.nextEnd();
  }
}

/** A change as an array: 50 of them fit beside three registrations in 20 KiB. */
type StoredChange = [number, ChangeKind, Kind, Platform, string, string, string?];

function toStored(c: Change): StoredChange {
  const stored: StoredChange = [c.at, c.change, c.kind, c.platform, c.session, c.token];
  if (c.code !== undefined) stored.push(c.code);
  return stored;
}

function fromStored([at, change, kind, platform, session, token, code]: StoredChange): Change {
  return { at, change, kind, platform, session, token, ...(code === undefined ? {} : { code }) };
}
