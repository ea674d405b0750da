// What a user's object keeps, on SQLite: the registrations, and the facts beside them. No clock, no other object, no decision.
//
//   fact          key        value                         until (epoch ms, 0: no end)
//   schema        ''         id of the last migration      0
//   user          ''         the uid                       0
//   valid_from    ''         epoch ms                      when no older auth token can live
//   fence         session    [issuedAt, endedAt, open]     when no auth token of the session can live
//   muted         session    ''                            MUTED_KEPT_MS after its last registration went
//   takeovers     ''         [installations taken from     end of the window
//                            others, hashes of the latest]
//   changes       ''         what the directory is to      the last change + CHANGES_KEPT_MS; 0 if there is none
//                            have, and the record of
//                            changes
//   kept          ''         {since, attempts, version}    since + KEPT_MARKS_MS (only in the object that
//                                                          keeps the marks of one that is restored)
//   erasure       ''         ''                            0 (while the user is erased)
//   forget        hash       ''                            0 (an erasure that waits for the owner object)
import type { Kind, Platform } from "../domain/kinds.ts";
import type { Change, ChangeKind } from "../domain/registration.ts";
import type { Fence, Kept, ValidFrom } from "../durable/claims.ts";
import { FactsTable } from "../durable/facts-table.ts";
import { LazyTables } from "../durable/lazy-tables.ts";
import type { Migration } from "../durable/migrate.ts";
import { CHANGES_KEPT_MS, CHANGES_MAX, KEPT_MARKS_MS, MUTED_KEPT_MAX } from "../limits.ts";
import { MIGRATIONS } from "./migrations.ts";
import { RegistrationsTable } from "./registrations-table.ts";

/** What ends sessions. */
const MARKS = ["fence", "valid_from"];

/** The state that the directory has, or is about to get. */
export interface Shown {
  version: number;
  /** Which directory objects are meant: {@link directoryGeneration}. */
  generation: string;
}

export interface TakeoverWindow {
  count: number;
  /** The latest of them, TAKEOVERS_REMEMBERED_MAX at most. */
  hashes: readonly string[];
  until: number;
}

export class UserTokensStore {
  readonly registrations: RegistrationsTable;
  readonly #tables: LazyTables;
  readonly #facts: FactsTable;
  /** Fences and `valid_from` as stored, because every call of a session asks for them. Read once, then kept in step here. */
  #ends: { fences: Map<string, Fence>; validFrom: ValidFrom | undefined } | undefined;
  /** As stored; read once, then kept in step here. `null`: there is none. */
  #record: StoredRecord | null | undefined;
  #highestVersion = 0;
  /** Erasures since this instance woke. What was asked before one leaves nothing behind it. */
  erasures = 0;

  constructor(storage: DurableObjectStorage, migrations: readonly Migration[] = MIGRATIONS) {
    this.#tables = new LazyTables(storage, migrations);
    this.#facts = new FactsTable(this.#tables);
    this.registrations = new RegistrationsTable(this.#tables);
    this.#tables.whenLost(() => {
      this.#ends = undefined;
      this.#record = undefined;
    });
  }

  get exists(): boolean {
    return this.#tables.exists;
  }

  /** As {@link LazyTables.transaction}. */
  transaction<T>(write: () => T): T {
    return this.#tables.transaction(write);
  }

  /** As {@link LazyTables.deleteAll}. */
  async deleteAll(): Promise<void> {
    await this.#tables.deleteAll();
  }

  /** As {@link LazyTables.wipe}, but that the marks of ended sessions stay. */
  wipe(): void {
    const { fences, validFrom } = this.#sessionEnds();
    this.#tables.wipe();
    if (validFrom !== undefined) this.setValidFrom(validFrom);
    for (const fence of fences.values()) this.setFence(fence);
  }

  uid(): string | null {
    return this.#facts.one("user")?.value ?? null;
  }

  /** Writes only a change. */
  setUid(uid: string): void {
    this.#facts.set("user", { value: uid, until: 0 });
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
    const { session, issuedAt, endedAt, open, until } = fence;
    this.#facts.set("fence", { key: session, value: JSON.stringify([issuedAt, endedAt, open]), until });
    this.#facts.delete("muted", session);
    this.#sessionEnds().fences.set(fence.session, fence);
  }

  /** The restore for which this object keeps the marks of another one. */
  kept(): Kept | null {
    const fact = this.#facts.one("kept");
    return fact === undefined ? null : (JSON.parse(fact.value) as Kept);
  }

  /** Whether that restore, and that attempt of it, is the last one. */
  keepsFor({ since, attempts }: Kept): boolean {
    const kept = this.kept();
    return kept?.since === since && kept.attempts === attempts;
  }

  setKept(kept: Kept): void {
    this.#facts.set("kept", { value: JSON.stringify(kept), until: kept.since + KEPT_MARKS_MS });
  }

  /** Whether anything keeps ended sessions out. */
  get hasMarks(): boolean {
    const { fences, validFrom } = this.#sessionEnds();
    return fences.size > 0 || validFrom !== undefined;
  }

  deleteValidFrom(): void {
    this.#facts.delete("valid_from");
    this.#sessionEnds().validFrom = undefined;
  }

  deleteFence(session: string): void {
    this.#facts.delete("fence", session);
    this.#sessionEnds().fences.delete(session);
  }

  #sessionEnds() {
    if (this.#ends === undefined) {
      const fences = this.#facts.all("fence").map(({ key, value, until }): Fence => {
        const [issuedAt, endedAt, open] = JSON.parse(value);
        return { session: key, issuedAt, endedAt, open, until };
      });
      const validFrom = this.#facts.one("valid_from");
      this.#ends = {
        fences: new Map(fences.map((fence) => [fence.session, fence])),
        validFrom: validFrom && { at: Number(validFrom.value), until: validFrom.until },
      };
    }
    return this.#ends;
  }

  // Muted sessions that hold nothing

  keepMuted(session: string, until: number): void {
    const [first, ...others] = this.mutedSessions().sort((a, b) => a.until - b.until);
    if (first !== undefined && others.length + 1 >= MUTED_KEPT_MAX) this.#facts.delete("muted", first.session);
    this.#facts.set("muted", { key: session, value: "", until });
  }

  /** Whether the session was muted when its last registration went; from now on its registrations say so. */
  takeMuted(session: string, now: number): boolean {
    const fact = this.#facts.one("muted", session);
    if (fact === undefined) return false;
    this.#facts.delete("muted", session);
    return fact.until > now;
  }

  mutedSessions(): { session: string; until: number }[] {
    return this.#facts.all("muted").map(({ key, until }) => ({ session: key, until }));
  }

  deleteMuted(): void {
    this.#facts.deleteAll(["muted"]);
  }

  // Takeovers

  /** Which installations the user took from others in the window that is open at `now`, and when it ends. */
  takeovers(now: number): TakeoverWindow | undefined {
    const fact = this.#facts.one("takeovers");
    if (fact === undefined || fact.until <= now) return undefined;
    const [count, ...hashes] = JSON.parse(fact.value);
    return { count, hashes, until: fact.until };
  }

  setTakeovers({ count, hashes, until }: TakeoverWindow): void {
    this.#facts.set("takeovers", { value: JSON.stringify([count, ...hashes]), until });
  }

  // What the directory has, and the record of changes: one row, for almost every change writes both.

  /** What the directory has, or is about to get; `null`: this user was never shown. */
  shown(): Shown | null {
    return this.#stored()?.shown ?? null;
  }

  /** Of {@link shown}; 0: there is none. */
  get version(): number {
    return this.shown()?.version ?? 0;
  }

  /** The highest {@link version} that this instance knew of: it outlasts what is deleted. */
  get highestVersion(): number {
    return Math.max(this.#highestVersion, this.version);
  }

  /** The record of changes at `now`, oldest first. */
  changes(now: number): Change[] {
    const record = this.#stored();
    return record !== null && record.until > now ? record.changes.map(fromStored) : [];
  }

  /** Adds to the record, in one row whatever the number of changes; the oldest are dropped. `shown`: senders see a change. */
  addChanges(changes: readonly Change[], shown: Shown | null, now: number): void {
    if (changes.length === 0 && shown === null) return;
    const before = this.#stored();
    const isOver = before === null || before.until <= now;
    const kept = [...(isOver ? [] : before.changes), ...changes.map(toStored)].slice(-CHANGES_MAX);
    const until = changes.length > 0 ? now + CHANGES_KEPT_MS : (before?.until ?? 0);
    this.#setRecord({ shown: shown ?? before?.shown ?? null, changes: kept, until: kept.length === 0 ? 0 : until });
  }

  /** Deletes the changes whose time has ended. What the directory has is kept with them unless `isNobody`. */
  deleteExpiredChanges(isNobody: boolean, now: number): void {
    const record = this.#stored();
    if (record === null || record.until > now) return;
    if (!isNobody) this.#setRecord({ shown: record.shown, changes: [], until: 0 });
    else {
      this.#facts.delete("changes");
      this.#record = null;
    }
  }

  #stored(): StoredRecord | null {
    if (this.#record !== undefined) return this.#record;
    const fact = this.#facts.one("changes");
    if (fact === undefined) this.#record = null;
    else {
      const [shown, ...changes] = JSON.parse(fact.value);
      this.#record = { shown: shown && { version: shown[0], generation: shown[1] }, changes, until: fact.until };
      this.#highestVersion = Math.max(this.#highestVersion, this.version);
    }
    return this.#record;
  }

  #setRecord(record: StoredRecord): void {
    const { shown, changes, until } = record;
    const value = JSON.stringify([shown && [shown.version, shown.generation], ...changes]);
    this.#facts.set("changes", { value, until });
    this.#record = record;
    this.#highestVersion = Math.max(this.#highestVersion, this.version);
  }

  // Erasure

  /** Whether an erasure has begun that has not ended. */
  get isErasing(): boolean {
    return this.#facts.one("erasure") !== undefined;
  }

  /** Deletes what about the user is not a registration, but for marks, and what the erasure needs until it has ended. */
  beginErasure(uid: string): void {
    this.erasures += 1;
    this.#facts.set("erasure", { value: "", until: 0 });
    this.setUid(uid);
    this.#facts.deleteAll(["muted", "takeovers"]);
    this.#setRecord({ shown: this.shown(), changes: [], until: 0 });
  }

  endErasure(): void {
    this.#facts.delete("erasure");
  }

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

  // Time

  /** Deletes what has expired but changes, and the marks of ended sessions: those are {@link SessionEnds}'s to judge. */
  deleteExpiredFacts(now: number): void {
    this.#facts.deleteExpired(now, [...MARKS, "changes"]);
  }

  /** When the next fact expires that is no mark, epoch ms; `undefined`: none does. */
  nextFactEnd(): number | undefined {
    return this.#facts.nextEnd(MARKS);
  }
}

interface StoredRecord {
  shown: Shown | null;
  changes: StoredChange[];
  until: number;
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
