// Every SQL statement of a directory object: one row per user who holds a registration.
//
// A row is found by a hash of the uid: `id` is 45 bits of it, and one of 256 places for users of one hash. So no uid is part of
// a key, and what is no key can be written over where it stands (see `erase`).
//
//   fact          key        value                                    until (epoch ms, 0: no end)
//   schema        ''         id of the last migration                 0
//   floor         ''         the highest version of any user whose    0
//                            row went
import { cheapHash } from "../domain/hash.ts";
import { FactsTable } from "../durable/facts-table.ts";
import { LazyTables } from "../durable/lazy-tables.ts";
import type { Migration } from "../durable/migrate.ts";
import type { DirectoryRow, Snapshot } from "../durable/snapshots.ts";
import { MIGRATIONS } from "./migrations.ts";
import { RecentLines } from "./recent-lines.ts";

/** Users of one hash: of a million users of one object, two share one in one case of seventy. */
const PLACES = 256;

/** Users whom one statement looks for: it may have 100 bindings. */
const ASKED_AT_ONCE = 32;

/**
 * Finds each of so many users by its first id and its uid: one row with a text for each, because rows, columns and bindings are
 * what takes time here. Subqueries, because they end at the row that they find: they read one row for each user, where a join
 * reads the row after it too, and `json_each` and `IN` a row of their own.
 */
const LINES = `SELECT ${Array.from({ length: ASKED_AT_ONCE }, (_, place) => {
  const base = 2 * place + 1;
  return `(
    SELECT format || ' ' || muted || ' ' || shown_since || ' ' || tokens FROM users
    WHERE id >= ?${base} AND id < ?${base} + ${PLACES} AND uid = ?${base + 1} LIMIT 1
  )`;
}).join(", ")}`;

/** As many dashes as the column's value has bytes. */
const DASHES = (column: string) => `replace(hex(zeroblob(length(CAST(${column} AS BLOB)))), '00', '-')`;

export interface UserRow {
  id: number;
  version: number;
}

export class DirectoryStore {
  readonly #tables: LazyTables;
  readonly #facts: FactsTable;
  /** Lines as stored: whatever writes a user's row drops the line. */
  #recent = new RecentLines();

  constructor(storage: DurableObjectStorage, migrations: readonly Migration[] = MIGRATIONS) {
    this.#tables = new LazyTables(storage, migrations);
    this.#facts = new FactsTable(this.#tables);
    this.#tables.whenLost(() => {
      this.#recent = new RecentLines();
    });
  }

  get exists(): boolean {
    return this.#tables.exists;
  }

  /** As {@link LazyTables.deleteAll}. */
  async deleteAll(): Promise<void> {
    await this.#tables.deleteAll();
  }

  row(uid: string): UserRow | undefined {
    const base = baseOf(uid);
    const question = "SELECT id, version FROM users WHERE id >= ? AND id < ? AND uid = ?";
    return this.#tables.rows<UserRow>(question, base, base + PLACES, uid)[0];
  }

  /** Whether the row holds exactly these tokens. */
  holds(id: number, { format, tokens }: Snapshot): boolean {
    const same = "SELECT 1 FROM users WHERE id = ? AND format = ? AND tokens = ?";
    return this.#tables.rows(same, id, format, tokens).length > 0;
  }

  /** At least the version of every user who has no row. */
  floor(): number {
    return Number(this.#facts.one("floor")?.value ?? 0);
  }

  /** Writes only a rise. */
  raiseFloor(version: number): void {
    if (version <= this.floor()) return;
    this.#tables.transaction(() => this.#facts.set("floor", { value: String(version), until: 0 }));
  }

  /** @throws if the users of this hash have no place left: nobody makes 256 such uids by chance */
  insert(snapshot: Snapshot): void {
    this.#tables.transaction(() => this.#put(this.#freeId(snapshot.uid), snapshot));
  }

  replace(id: number, snapshot: Snapshot): void {
    this.#tables.transaction(() => this.#put(id, snapshot));
  }

  /**
   * The user holds nothing any more, as of that version. `erase`: and leaves nothing of the row. SQLite leaves the bytes of a deleted
   * row in its page until something else needs the room, but values of the same length are written in place: one more row written.
   * (Of earlier states of the row, which had another length, bytes may stand elsewhere until they are written over.)
   */
  remove(id: number, { uid, version }: Snapshot, erase: boolean): void {
    this.#recent.drop(uid);
    this.#tables.transaction(() => {
      if (erase)
        this.#tables.sql.exec(`UPDATE users SET uid = ${DASHES("uid")}, tokens = ${DASHES("tokens")} WHERE id = ?`, id);
      this.#tables.sql.exec("DELETE FROM users WHERE id = ?", id);
      this.raiseFloor(version);
    });
  }

  /** What the row of each of these users says, in their order (`entryOn` reads it); `""`: there is none. */
  *lines(uids: readonly string[]): Iterable<string> {
    for (let i = 0; i < uids.length; i += ASKED_AT_ONCE) {
      const asked = uids.slice(i, i + ASKED_AT_ONCE);
      const lines = asked.map((uid) => this.#recent.line(uid));
      const unknown = asked.filter((_, place) => lines[place] === undefined);
      const found = unknown.length > 0 ? this.#read(unknown) : [];
      for (const line of lines) yield line ?? found.shift() ?? "";
    }
  }

  /** As {@link lines}, of {@link ASKED_AT_ONCE} users at most. */
  #read(uids: readonly string[]): string[] {
    const bindings: (string | number | null)[] = uids.flatMap((uid) => [baseOf(uid), uid]);
    while (bindings.length < 2 * ASKED_AT_ONCE) bindings.push(null);
    const [found = []] = this.#tables.exists ? this.#tables.sql.exec(LINES, ...bindings).raw() : [];
    return uids.map((uid, place) => {
      const line = String(found[place] ?? "");
      this.#recent.keep(uid, line);
      return line;
    });
  }

  /** All rows after `id` in the order of their ids, `limit` at most. */
  *page(after: number | null, limit: number): Iterable<DirectoryRow> {
    if (!this.#tables.exists) return;
    yield* this.#tables.sql.exec<DirectoryRow & Record<string, SqlStorageValue>>(
      "SELECT id, uid, format, tokens, muted, shown_since AS shownSince FROM users WHERE id > ? ORDER BY id LIMIT ?",
      after ?? -1,
      limit,
    );
  }

  #put(id: number, s: Snapshot): void {
    this.#recent.drop(s.uid);
    this.#tables.sql.exec(
      `INSERT INTO users (id, uid, version, format, tokens, registrations, muted, shown_since) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET version = excluded.version, format = excluded.format, tokens = excluded.tokens,
         registrations = excluded.registrations, muted = excluded.muted, shown_since = excluded.shown_since`,
      id,
      s.uid,
      s.version,
      s.format,
      s.tokens,
      s.registrations,
      s.muted,
      s.shownSince,
    );
  }

  #freeId(uid: string): number {
    const base = baseOf(uid);
    const question = "SELECT id FROM users WHERE id >= ? AND id < ?";
    const ids = new Set(this.#tables.rows<UserRow>(question, base, base + PLACES).map(({ id }) => id));
    for (let id = base; id < base + PLACES; id += 1) if (!ids.has(id)) return id;
    throw new Error("too many users of one hash");
  }
}

/** The first of the ids for users of this uid's hash. Below 2^53. */
function baseOf(uid: string): number {
  return Math.floor(cheapHash(uid) / PLACES) * PLACES;
}
