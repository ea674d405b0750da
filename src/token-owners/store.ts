// Every SQL statement of an owner object: who owns a token, by its hash. Neither a uid nor a token stands here.
//
//   fact          key        value                                    until (epoch ms, 0: no end)
//   schema        ''         id of the last migration                 0
//   window        hash       [changes of owner, users who owned it    the window's end
//                            before the first of them]
import type { OwnersPosition } from "../durable/claims.ts";
import { FactsTable } from "../durable/facts-table.ts";
import { LazyTables } from "../durable/lazy-tables.ts";
import type { Migration } from "../durable/migrate.ts";
import { MIGRATIONS } from "./migrations.ts";

export interface OwnerEntry {
  /** {@link tokenHash} of the token. */
  hash: string;
  /** {@link userHash} of the owner. */
  user: string;
  version: number;
  /** Whether it is a claim under policy `exclusive` that nobody shares: the user's row says the same. */
  claimed: boolean;
}

/** The hour after a token was first taken from its owner. */
export interface TakeoverWindow {
  /** Changes of owner since then. */
  changes: number;
  /** Who owned the token before. */
  owners: readonly string[];
  /** Epoch ms. */
  until: number;
}

/** As long as every {@link userHash}. */
const NOBODY = "-".repeat(43);

export class TokenOwnersStore {
  readonly #tables: LazyTables;
  readonly #facts: FactsTable;

  constructor(storage: DurableObjectStorage, migrations: readonly Migration[] = MIGRATIONS) {
    this.#tables = new LazyTables(storage, migrations);
    this.#facts = new FactsTable(this.#tables);
  }

  /** The owners on record: at most one that is claimed. */
  owners(hash: string): OwnerEntry[] {
    return this.#select("WHERE hash = ?", hash);
  }

  /** The entries after `after` in the order of their hashes and versions, `limit` at most. */
  page(after: OwnersPosition | null, limit: number): OwnerEntry[] {
    const { hash, version } = after ?? { hash: "", version: 0 };
    return this.#select("WHERE (hash, version) > (?, ?) ORDER BY hash, version LIMIT ?", hash, version, limit);
  }

  /** Makes `entry` the only owner of its token; `window` is the one that is open now, if it was taken. */
  setOnlyOwner(entry: OwnerEntry, window: TakeoverWindow | null = null): void {
    this.#tables.transaction(() => {
      const [before, ...more] = this.owners(entry.hash);
      if (before === undefined) this.#insert(entry);
      else this.#replace(before, entry);
      for (const { hash, user, version } of more) this.delete(hash, user, version);
      if (window === null) return;
      const { changes, owners, until } = window;
      this.#facts.set("window", { key: entry.hash, value: JSON.stringify([changes, ...owners]), until });
    });
  }

  /** Adds `entry` to the owners of its token, none of whom has a claim any more (policy `shared`). */
  addOwner(entry: OwnerEntry): void {
    this.#tables.transaction(() => {
      this.#tables.sql.exec("DELETE FROM owners WHERE hash = ? AND user = ?", entry.hash, entry.user);
      this.#tables.sql.exec("UPDATE owners SET claimed = 0 WHERE hash = ? AND claimed = 1", entry.hash);
      this.#insert(entry);
    });
  }

  /** Gives the user's entry another version. */
  renew({ hash, user, version, claimed }: OwnerEntry): void {
    this.#tables.sql.exec(
      "UPDATE owners SET version = ?, claimed = ? WHERE hash = ? AND user = ?",
      version,
      claimed ? 1 : 0,
      hash,
      user,
    );
  }

  delete(hash: string, user: string, version: number): void {
    if (!this.#tables.exists) return;
    this.#tables.sql.exec("DELETE FROM owners WHERE hash = ? AND user = ? AND version = ?", hash, user, version);
  }

  deleteAll(entries: readonly OwnerEntry[]): void {
    this.#tables.transaction(() => {
      for (const { hash, user, version } of entries) this.delete(hash, user, version);
    });
  }

  /** The window that is open at `now`. */
  window(hash: string, now: number): TakeoverWindow | undefined {
    const fact = this.#facts.one("window", hash);
    if (fact === undefined || fact.until <= now) return undefined;
    const [changes, ...owners] = JSON.parse(fact.value);
    return { changes, owners, until: fact.until };
  }

  /** When the next window ends, epoch ms; `undefined`: none is there. */
  nextWindowEnd(): number | undefined {
    return this.#facts.nextEnd();
  }

  /** Deletes the windows that ended, and leaves no trace of a user there. */
  deleteExpiredWindows(now: number): void {
    this.#tables.transaction(() => {
      for (const { key, value, until } of this.#facts.all("window")) {
        if (until <= now) this.#facts.set("window", { key, value: "-".repeat(value.length), until });
      }
      this.#facts.deleteExpired(now);
    });
  }

  /**
   * As {@link delete}, and leaves no trace of the user here: SQLite leaves the bytes of a deleted row in its page until
   * something else needs the room. A value of the same length is written in place, so it is overwritten first; it is no part
   * of the key for that reason. One more row written.
   */
  erase(hash: string, user: string, version: number | null): void {
    if (!this.#tables.exists) return;
    this.#tables.transaction(() => {
      const where = "WHERE hash = ? AND user = ? AND version = ?";
      this.#tables.sql.exec(`UPDATE owners SET user = ? ${where}`, NOBODY, hash, user, version);
      this.#tables.sql.exec(`DELETE FROM owners ${where}`, hash, NOBODY, version);
      for (const { key, value, until } of this.#facts.all("window")) {
        this.#facts.set("window", { key, value: value.replaceAll(user, NOBODY), until });
      }
    });
  }

  #select(where: string, ...bindings: (string | number)[]): OwnerEntry[] {
    const question = `SELECT hash, user, version, claimed FROM owners ${where}`;
    const rows = this.#tables.rows<Omit<OwnerEntry, "claimed"> & { claimed: number }>(question, ...bindings);
    return rows.map((row) => ({ ...row, claimed: row.claimed === 1 }));
  }

  #replace(before: OwnerEntry, { user, version, claimed }: OwnerEntry): void {
    this.#tables.sql.exec(
      "UPDATE owners SET user = ?, version = ?, claimed = ? WHERE hash = ? AND version = ?",
      user,
      version,
      claimed ? 1 : 0,
      before.hash,
      before.version,
    );
  }

  #insert({ hash, user, version, claimed }: OwnerEntry): void {
    this.#tables.sql.exec(
      "INSERT INTO owners (hash, user, version, claimed) VALUES (?, ?, ?, ?)",
      hash,
      user,
      version,
      claimed ? 1 : 0,
    );
  }
}
