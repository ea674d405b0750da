// What must be known of a whole file and does not fit into memory: a temporary SQLite file, readable by its owner alone. It holds
// hashes, no token and no uid.
import { createHash } from "node:crypto";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { storedForm } from "../../src/domain/token.ts";
import type { EstateItem } from "./item.ts";

/** Bytes of a hash: two of a billion installations have the same with a probability of 10⁻²⁰. */
const HASH_BYTES = 16;
/** Rows in one transaction. */
const ROWS_PER_COMMIT = 10_000;

export class Scratch {
  readonly #directory: string;
  readonly #database: DatabaseSync;
  readonly #note: StatementSync;
  readonly #find: StatementSync;
  readonly #user: StatementSync;
  #uncommitted = 0;

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "push-token-registry-import-"));
    const file = join(this.#directory, "scratch.sqlite");
    closeSync(openSync(file, "wx", 0o600));
    this.#database = new DatabaseSync(file);
    this.#database.exec(`
      PRAGMA journal_mode = OFF;
      PRAGMA synchronous = OFF;
      PRAGMA cache_size = -4096;
      CREATE TABLE installations (hash BLOB PRIMARY KEY, seen INTEGER NOT NULL, entry INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE users (hash BLOB PRIMARY KEY) WITHOUT ROWID;
      BEGIN;
    `);
    this.#note = this.#database.prepare(`
      INSERT INTO installations VALUES (?, ?, ?)
      ON CONFLICT DO UPDATE SET seen = excluded.seen, entry = excluded.entry WHERE excluded.seen >= seen
    `);
    this.#find = this.#database.prepare("SELECT entry FROM installations WHERE hash = ?");
    this.#user = this.#database.prepare("INSERT INTO users VALUES (?) ON CONFLICT DO NOTHING");
  }

  /** An entry, by its number. Of those of one installation the one that was seen last counts, else the last. */
  note(item: EstateItem, entry: number): void {
    this.#note.run(keyOf(item), item.refreshedAt ?? item.registeredAt ?? 0, entry);
    this.#user.run(hashOf(item.uid));
    this.#uncommitted += 1;
    if (this.#uncommitted < ROWS_PER_COMMIT) return;
    this.#database.exec("COMMIT; BEGIN");
    this.#uncommitted = 0;
  }

  /** Whether the entry is the one that counts for its installation. */
  counts(item: EstateItem, entry: number): boolean {
    return this.#find.get(keyOf(item))?.entry === entry;
  }

  get installations(): number {
    return this.#count("installations");
  }

  get users(): number {
    return this.#count("users");
  }

  #count(table: string): number {
    return Number(this.#database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n);
  }

  /** Deletes it all. */
  close(): void {
    this.#database.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function keyOf({ kind, token }: EstateItem): Uint8Array {
  return hashOf(`${kind}:${storedForm(kind, token)}`);
}

function hashOf(text: string): Uint8Array {
  return createHash("sha256").update(text).digest().subarray(0, HASH_BYTES);
}
