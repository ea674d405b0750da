// Every SQL statement of a user's object, rows to domain and back. No clock, no other object, no decision.
//
// Tables are made by the first write, never by a read (a probe must leave nothing): until then every read answers
// "nothing" without touching the database. `facts` holds what is not a registration, one row a fact:
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

import type {
  Change,
  ChangeKind,
  Kind,
  ListedToken,
  Platform,
  PushToken,
  Registration,
} from "../domain/registration.ts";
import { type Migration, migrate } from "../durable/migrate.ts";
import { CHANGES_KEPT_MS, CHANGES_MAX } from "../limits.ts";
import { MIGRATIONS } from "./migrations.ts";

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

type SqlRow = Record<string, SqlStorageValue>;

const COLUMNS =
  "session, kind, token, hash, platform, provider_id, timezone, version, claimed, registered_at, refreshed_at, suspect_at";

export class UserTokensStore {
  readonly #storage: DurableObjectStorage;
  readonly #migrations: readonly Migration[];
  /** Whether the tables exist; read once, then kept in step by this class. */
  #exists: boolean;
  /** Fences and `valid_from` as stored, for every call of a session asks for them. Read once, then kept in step here. */
  #ends: { fences: Map<string, Fence>; validFrom: ValidFrom | undefined } | undefined;

  constructor(storage: DurableObjectStorage, migrations: readonly Migration[] = MIGRATIONS) {
    this.#storage = storage;
    this.#migrations = migrations;
    this.#exists =
      storage.sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'facts'").toArray().length > 0;
    if (this.#exists) this.#migrate();
  }

  /** Whether anything was ever written (and not deleted whole). */
  get exists(): boolean {
    return this.#exists;
  }

  /** Runs `write` in one transaction, on tables that it makes if need be; all of it happens or nothing. */
  transaction<T>(write: () => T): T {
    const existed = this.#exists;
    try {
      return this.#storage.transactionSync(() => {
        if (!existed) this.#migrate();
        return write();
      });
    } catch (error) {
      this.#exists = existed;
      this.#ends = undefined;
      throw error;
    }
  }

  /** Deletes everything, tables and alarm included. */
  async deleteAll(): Promise<void> {
    this.#exists = false;
    this.#ends = undefined;
    await this.#storage.deleteAll();
  }

  #migrate(): void {
    const applied = this.#fact("schema", "")?.value ?? "";
    migrate(this.#storage, this.#migrations, applied, (version) => {
      this.#exists = true;
      this.#setFact("schema", "", version, 0);
    });
  }

  // Registrations

  registrations(): Registration[] {
    return this.#select("");
  }

  registrationsOf(session: string): Registration[] {
    return this.#select("WHERE session = ?", session);
  }

  /** What is left of the rows refreshed after `since` for a client, oldest first: a launch reads no more than it shows. */
  tokens(since: number): ListedToken[] {
    if (!this.#exists) return [];
    return this.#storage.sql
      .exec<ListedToken & SqlRow>(
        "SELECT token, platform FROM registrations WHERE refreshed_at > ? ORDER BY registered_at, session, kind",
        since,
      )
      .toArray();
  }

  count(): number {
    return this.#exists ? Number(this.#storage.sql.exec("SELECT count(*) AS n FROM registrations").one().n) : 0;
  }

  /** Whether any session holds the token of that hash. */
  holdsHash(hash: string): boolean {
    return (
      this.#exists && this.#storage.sql.exec("SELECT 1 FROM registrations WHERE hash = ?", hash).toArray().length > 0
    );
  }

  slot(session: string, kind: Kind): Registration | undefined {
    return this.#select("WHERE session = ? AND kind = ?", session, kind)[0];
  }

  /**
   * When the slot's registration was made (epoch ms), if it is this very one, refreshed after `since`, not suspect and, where
   * it must be, claimed; else `undefined`. Asked by every launch, so the database compares: each column that it sends costs.
   */
  registeredAt(session: string, token: PushToken, since: number, mustBeClaimed: boolean): number | undefined {
    if (!this.#exists) return undefined;
    const row = this.#storage.sql
      .exec<SqlRow>(
        `SELECT registered_at FROM registrations WHERE session = ? AND kind = ? AND token = ? AND platform = ?
         AND provider_id IS ? AND timezone IS ? AND refreshed_at > ? AND suspect_at IS NULL AND claimed >= ?`,
        session,
        token.kind,
        token.token,
        token.platform,
        token.providerId,
        token.timezone,
        since,
        mustBeClaimed ? 1 : 0,
      )
      .toArray()[0];
    return row && Number(row.registered_at);
  }

  /** The registration that holds this very token, in whatever session: a user has at most one. */
  holding(kind: Kind, token: string): Registration | undefined {
    return this.#select("WHERE kind = ? AND token = ?", kind, token)[0];
  }

  put(r: Registration): void {
    this.#storage.sql.exec(
      `INSERT OR REPLACE INTO registrations (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      r.session,
      r.kind,
      r.token,
      r.hash,
      r.platform,
      r.providerId,
      r.timezone,
      r.version,
      r.claimed ? 1 : 0,
      r.registeredAt,
      r.refreshedAt,
      r.suspectAt,
    );
  }

  delete(r: Pick<Registration, "session" | "kind">): void {
    this.#storage.sql.exec("DELETE FROM registrations WHERE session = ? AND kind = ?", r.session, r.kind);
  }

  #select(where: string, ...bindings: string[]): Registration[] {
    if (!this.#exists) return [];
    return this.#storage.sql
      .exec<SqlRow>(`SELECT ${COLUMNS} FROM registrations ${where}`, ...bindings)
      .toArray()
      .map(toRegistration);
  }

  // Facts

  user(): UserFact | undefined {
    const fact = this.#fact("user", "");
    return fact && (JSON.parse(fact.value) as UserFact);
  }

  /** Writes only a change. */
  setUser(user: UserFact): void {
    this.#setFact("user", "", JSON.stringify({ uid: user.uid, retentionMs: user.retentionMs }), 0);
  }

  /** Auth tokens issued at or before this (epoch ms) are dead; 0: none are. */
  validFrom(): number {
    return this.#sessionEnds().validFrom?.at ?? 0;
  }

  /** As {@link validFrom}, with the time until which it must stand; `undefined` if it was never set. */
  validFromFact(): ValidFrom | undefined {
    return this.#sessionEnds().validFrom;
  }

  setValidFrom(at: number, until: number): void {
    this.#setFact("valid_from", "", String(at), until);
    this.#sessionEnds().validFrom = { at, until };
  }

  isFenced(session: string): boolean {
    return this.#sessionEnds().fences.has(session);
  }

  /** Until when the session's fence stands, epoch ms; 0: there is none. */
  fenceEnd(session: string): number {
    return this.#sessionEnds().fences.get(session)?.until ?? 0;
  }

  fences(): Fence[] {
    return [...this.#sessionEnds().fences.values()];
  }

  setFence(fence: Fence): void {
    this.#setFact("fence", fence.session, String(fence.issuedAt), fence.until);
    this.#sessionEnds().fences.set(fence.session, fence);
  }

  deleteFence(session: string): void {
    this.#deleteFact("fence", session);
    this.#sessionEnds().fences.delete(session);
  }

  #sessionEnds() {
    if (this.#ends === undefined) {
      const fences = this.#facts("fence").map(({ key, value, until }) => ({
        session: key,
        issuedAt: Number(value),
        until,
      }));
      const validFrom = this.#fact("valid_from", "");
      this.#ends = {
        fences: new Map(fences.map((fence) => [fence.session, fence])),
        validFrom: validFrom && { at: Number(validFrom.value), until: validFrom.until },
      };
    }
    return this.#ends;
  }

  /** How many tokens this session took from other users in the window that is open at `now`, and when it ends. */
  takeovers(session: string, now: number): { count: number; until: number } | undefined {
    const fact = this.#fact("takeovers", session);
    return fact && fact.until > now ? { count: Number(fact.value), until: fact.until } : undefined;
  }

  allTakeovers(now: number): { session: string; count: number; until: number }[] {
    return this.#facts("takeovers")
      .filter(({ until }) => until > now)
      .map(({ key, value, until }) => ({ session: key, count: Number(value), until }));
  }

  /** Windows that ended give way: sessions are many, and the alarm may be weeks away. */
  setTakeovers(session: string, count: number, until: number, now: number): void {
    this.#storage.sql.exec("DELETE FROM facts WHERE fact = 'takeovers' AND until <= ?", now);
    this.#setFact("takeovers", session, String(count), until);
  }

  /** The record of changes at `now`, oldest first. */
  changes(now: number): Change[] {
    const fact = this.#fact("changes", "");
    return fact && fact.until > now ? (JSON.parse(fact.value) as StoredChange[]).map(fromStored) : [];
  }

  /** Adds to the record, in one row whatever the number of changes; the oldest give way. */
  addChanges(changes: Change[], now: number): void {
    if (changes.length === 0) return;
    const kept = [...this.changes(now), ...changes].slice(-CHANGES_MAX).map(toStored);
    this.#setFact("changes", "", JSON.stringify(kept), now + CHANGES_KEPT_MS);
  }

  /** Hashes of tokens whose owner objects have yet to hear of an erasure. */
  pendingForgets(): string[] {
    return this.#facts("forget").map(({ key }) => key);
  }

  addPendingForget(hash: string): void {
    this.#setFact("forget", hash, "", 0);
  }

  deletePendingForget(hash: string): void {
    this.#deleteFact("forget", hash);
  }

  /** Deletes what about the user is not a registration, but for fences, `valid_from` and pending forgets. */
  deleteRecord(): void {
    if (!this.#exists) return;
    this.#storage.sql.exec("DELETE FROM facts WHERE fact IN ('user', 'takeovers', 'changes')");
  }

  /** Deletes the facts whose time is over. */
  deleteExpiredFacts(now: number): void {
    if (!this.#exists) return;
    this.#ends = undefined;
    this.#storage.sql.exec("DELETE FROM facts WHERE until > 0 AND until <= ?", now);
  }

  /** When the next fact's time is over, epoch ms; `undefined` if none ends. */
  nextFactEnd(): number | undefined {
    if (!this.#exists) return undefined;
    const row = this.#storage.sql.exec<SqlRow>("SELECT min(until) AS next FROM facts WHERE until > 0").one();
    return row.next === null ? undefined : Number(row.next);
  }

  #fact(fact: string, key: string): { value: string; until: number } | undefined {
    if (!this.#exists) return undefined;
    const row = this.#storage.sql
      .exec<SqlRow>("SELECT value, until FROM facts WHERE fact = ? AND key = ?", fact, key)
      .toArray()[0];
    return row && { value: String(row.value), until: Number(row.until) };
  }

  #facts(fact: string): { key: string; value: string; until: number }[] {
    if (!this.#exists) return [];
    return this.#storage.sql
      .exec<SqlRow>("SELECT key, value, until FROM facts WHERE fact = ?", fact)
      .toArray()
      .map((row) => ({ key: String(row.key), value: String(row.value), until: Number(row.until) }));
  }

  #setFact(fact: string, key: string, value: string, until: number): void {
    this.#storage.sql.exec(
      `INSERT INTO facts (fact, key, value, until) VALUES (?, ?, ?, ?)
       ON CONFLICT (fact, key) DO UPDATE SET value = excluded.value, until = excluded.until
       WHERE value <> excluded.value OR until <> excluded.until`,
      fact,
      key,
      value,
      until,
    );
  }

  #deleteFact(fact: string, key: string): void {
    if (!this.#exists) return;
    this.#storage.sql.exec("DELETE FROM facts WHERE fact = ? AND key = ?", fact, key);
  }
}

function toRegistration(row: SqlRow): Registration {
  return {
    session: String(row.session),
    kind: row.kind as Kind,
    token: String(row.token),
    hash: String(row.hash),
    platform: row.platform as Platform,
    providerId: row.provider_id as string | null,
    timezone: row.timezone as string | null,
    version: Number(row.version),
    claimed: row.claimed === 1,
    registeredAt: Number(row.registered_at),
    refreshedAt: Number(row.refreshed_at),
    suspectAt: row.suspect_at as number | null,
  };
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
