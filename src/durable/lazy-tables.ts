// The life of an object's tables. They are made by the first write, in its transaction, never by a read or a constructor (a
// probe must leave nothing); an object that wakes with tables of an older release gets what is new.
//
// Every object has the table `facts` (facts-table.ts); the id of the last migration stands there.
import { type Migration, migrate } from "./migrate.ts";

/** SQLite's default, which workerd keeps. */
const PAGE_BYTES = 4096;
/**
 * The largest blob that stays within one page of a table, with its 3 bytes of record header: 35 bytes less than the page (SQLite
 * file format §1.6, "X is U-35"). A smaller one would leave a part of the page as it was.
 */
const ZEROES_BYTES = PAGE_BYTES - 35 - 3;

export class LazyTables {
  readonly sql: SqlStorage;
  readonly #storage: DurableObjectStorage;
  readonly #migrations: readonly Migration[];
  /** Whether the tables exist; read once, then kept in step here. */
  #exists: boolean;
  readonly #dropCopies: (() => void)[] = [];

  constructor(storage: DurableObjectStorage, migrations: readonly Migration[]) {
    this.#storage = storage;
    this.#migrations = migrations;
    this.sql = storage.sql;
    const found = storage.sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'facts'");
    this.#exists = found.toArray().length > 0;
    if (this.#exists) this.#migrate();
  }

  /** Whether anything was ever written (and not deleted whole). */
  get exists(): boolean {
    return this.#exists;
  }

  /** `drop` is called when what was read may be so no longer: a transaction failed, or everything was deleted. */
  whenLost(drop: () => void): void {
    this.#dropCopies.push(drop);
  }

  /** What a question finds: rows whose columns are the fields of `T`; none where nothing was ever written. */
  rows<T>(question: string, ...bindings: SqlStorageValue[]): T[] {
    return this.#exists ? (this.sql.exec(question, ...bindings).toArray() as T[]) : [];
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
      this.#lose(existed);
      throw error;
    }
  }

  /** Deletes everything, tables and alarm included. Nothing that must survive may be written again after it. */
  async deleteAll(): Promise<void> {
    this.#lose(false);
    await this.#storage.deleteAll();
  }

  /**
   * Makes the tables anew, and leaves nothing of what was deleted in the database's pages: SQLite leaves the bytes of deleted
   * rows where they were until something else needs the room, so zeroes are made to need all of it. Part of the caller's
   * transaction; what must stay is written again by the caller, in the same one. (The write-ahead log of a workerd of one's
   * own holds older pages until the object's instance ends.)
   */
  wipe(): void {
    const { sql } = this;
    const tables = sql.exec(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'",
    );
    for (const { name } of tables.toArray()) sql.exec(`DROP TABLE ${name};`);
    sql.exec("CREATE TABLE zeroes (bytes BLOB NOT NULL) STRICT;");
    for (let pages = Math.ceil(sql.databaseSize / PAGE_BYTES); pages > 0; pages -= 1) {
      sql.exec("INSERT INTO zeroes (bytes) VALUES (zeroblob(?))", ZEROES_BYTES);
    }
    sql.exec("DROP TABLE zeroes;");
    this.#lose(false);
    this.#migrate();
  }

  #lose(exists: boolean): void {
    this.#exists = exists;
    for (const drop of this.#dropCopies) drop();
  }

  #migrate(): void {
    const applied = this.#exists ? this.#version() : "";
    migrate(this.#storage, this.#migrations, applied, (version) => {
      this.#exists = true;
      this.sql.exec("INSERT OR REPLACE INTO facts (fact, key, value, until) VALUES ('schema', '', ?, 0)", version);
    });
  }

  #version(): string {
    const row = this.sql.exec("SELECT value FROM facts WHERE fact = 'schema' AND key = ''").toArray()[0];
    return String(row?.value ?? "");
  }
}
