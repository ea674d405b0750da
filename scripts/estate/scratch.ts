// What must be known of a whole file and does not fit into memory: a temporary SQLite file, readable by its owner alone. It holds
// the entries, so it has no name once it is open, where the system allows that: what ends the command ends the file.
import { createHash } from "node:crypto";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type IdentityRules, identityOf } from "../../src/domain/token.ts";
import type { EstateItem } from "./item.ts";

/** Bytes of a hash: two of a billion installations have the same with a probability of 10⁻²⁰. */
const HASH_BYTES = 16;
/** Rows in one transaction. */
const ROWS_PER_COMMIT = 10_000;

/** Else Node refuses `journal_mode = OFF`, and a journal needs the file's name. (The types of Node do not have it yet.) */
const WITHOUT_JOURNAL = { readOnly: false, defensive: false };

/** An entry that is to be sent. */
export interface Due {
  line: number;
  item: EstateItem;
}

export class Scratch {
  readonly #rules: IdentityRules;
  readonly #directory: string;
  readonly #database: DatabaseSync;
  readonly #keep: StatementSync;
  readonly #note: StatementSync;
  readonly #reject: StatementSync;
  #uncommitted = 0;

  constructor(rules: IdentityRules) {
    this.#rules = rules;
    this.#directory = mkdtempSync(join(tmpdir(), "push-token-registry-import-"));
    const file = join(this.#directory, "scratch.sqlite");
    closeSync(openSync(file, "wx", 0o600));
    this.#database = new DatabaseSync(file, WITHOUT_JOURNAL);
    this.#database.exec(`
      PRAGMA journal_mode = OFF;
      PRAGMA synchronous = OFF;
      PRAGMA cache_size = -4096;
      CREATE TABLE entries (entry INTEGER PRIMARY KEY, line INTEGER NOT NULL, item TEXT NOT NULL);
      CREATE TABLE installations (
        hash BLOB PRIMARY KEY, user BLOB NOT NULL, seen INTEGER NOT NULL, entry INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE rejected (line INTEGER NOT NULL, why TEXT NOT NULL);
    `);
    if (process.platform !== "win32") this.#remove();
    this.#keep = this.#database.prepare("INSERT INTO entries VALUES (?, ?, ?)");
    this.#note = this.#database.prepare(`
      INSERT INTO installations VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET user = excluded.user, seen = excluded.seen, entry = excluded.entry
      WHERE excluded.seen >= seen
    `);
    this.#reject = this.#database.prepare("INSERT INTO rejected VALUES (?, ?)");
    this.#database.exec("BEGIN");
  }

  /** An entry, by its number. Of those of one installation the one that was seen last counts, else the last. */
  note({ line, item }: Due, entry: number): void {
    this.#keep.run(entry, line, JSON.stringify(item));
    this.#note.run(this.#keyOf(item), hashOf(item.uid), item.refreshedAt ?? item.registeredAt ?? 0, entry);
    this.#written();
  }

  reject(line: number, why: string): void {
    this.#reject.run(line, why);
    this.#written();
  }

  #written(): void {
    this.#uncommitted += 1;
    if (this.#uncommitted < ROWS_PER_COMMIT) return;
    this.#database.exec("COMMIT; BEGIN");
    this.#uncommitted = 0;
  }

  /** All entries are there. Answers of how many installations and users they are. */
  complete(): { installations: number; users: number } {
    this.#database.exec("COMMIT; CREATE INDEX by_user ON installations (user, entry)");
    const found = this.#database.prepare(
      "SELECT count(*) AS installations, count(DISTINCT user) AS users FROM installations",
    );
    const { installations, users } = found.get() ?? {};
    return { installations: Number(installations), users: Number(users) };
  }

  /**
   * The entries that count, without the first `after` ones. Those of a user stand together, in the order of the file: a user's object
   * is then woken once. The same file has the same order each time.
   */
  *due(after: number): Generator<Due> {
    const found = this.#database.prepare(`
      SELECT line, item FROM installations CROSS JOIN entries USING (entry) ORDER BY user, entry LIMIT -1 OFFSET ?
    `);
    for (const { line, item } of found.iterate(after)) yield { line: Number(line), item: JSON.parse(String(item)) };
  }

  /** What was rejected, in the order of the file. */
  *rejected(): Generator<{ line: number; why: string }> {
    const found = this.#database.prepare("SELECT line, why FROM rejected ORDER BY rowid");
    for (const { line, why } of found.iterate()) yield { line: Number(line), why: String(why) };
  }

  /** Deletes it all. */
  close(): void {
    this.#database.close();
    this.#remove();
  }

  #keyOf({ kind, token }: EstateItem): Uint8Array {
    return hashOf(`${kind}:${identityOf(kind, token, this.#rules)}`);
  }

  #remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function hashOf(text: string): Uint8Array {
  return createHash("sha256").update(text).digest().subarray(0, HASH_BYTES);
}
