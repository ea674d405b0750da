// Every SQL statement of an owner object: who owns a token, by its hash. Neither a uid nor a token stands here.
// Tables are made by the first write, never by a read.
import { LazyTables } from "../durable/lazy-tables.ts";
import type { Migration } from "../durable/migrate.ts";
import { MIGRATIONS } from "./migrations.ts";

export interface OwnerEntry {
  /** {@link tokenHash} of the token. */
  hash: string;
  /** {@link userHash} of the owner. */
  user: string;
  version: number;
  /** Changes of owner in the window that ends at `takeoversUntil` (epoch ms). */
  takeovers: number;
  takeoversUntil: number;
}

/** As long as every {@link userHash}. */
const NOBODY = "-".repeat(43);

export class TokenOwnersStore {
  readonly #tables: LazyTables;

  constructor(storage: DurableObjectStorage, migrations: readonly Migration[] = MIGRATIONS) {
    this.#tables = new LazyTables(storage, migrations);
  }

  /** The owners on record: at most one under policy `exclusive`. */
  owners(hash: string): OwnerEntry[] {
    if (!this.#tables.exists) return [];
    return this.#tables.sql
      .exec("SELECT hash, user, version, takeovers, takeovers_until FROM owners WHERE hash = ?", hash)
      .toArray()
      .map((row) => ({
        hash: String(row.hash),
        user: String(row.user),
        version: Number(row.version),
        takeovers: Number(row.takeovers),
        takeoversUntil: Number(row.takeovers_until),
      }));
  }

  /** Makes `entry` the only owner of its token. */
  setOnlyOwner(entry: OwnerEntry): void {
    this.#tables.transaction(() => {
      this.#tables.sql.exec("DELETE FROM owners WHERE hash = ?", entry.hash);
      this.#insert(entry);
    });
  }

  /** Adds `entry` to the owners of its token (policy `shared`). */
  addOwner(entry: OwnerEntry): void {
    this.#tables.transaction(() => {
      this.#tables.sql.exec("DELETE FROM owners WHERE hash = ? AND user = ?", entry.hash, entry.user);
      this.#insert(entry);
    });
  }

  delete(hash: string, user: string, version: number): void {
    if (!this.#tables.exists) return;
    this.#tables.sql.exec("DELETE FROM owners WHERE hash = ? AND user = ? AND version = ?", hash, user, version);
  }

  /**
   * As {@link delete}, and leaves no trace of the user: SQLite leaves the bytes of a deleted row in its page until something
   * else needs the room. A value of the same length is written in place, so it is overwritten first; it is no part of
   * the key for that reason. One more row written.
   */
  erase(hash: string, user: string, version: number): void {
    if (!this.#tables.exists) return;
    const where = "WHERE hash = ? AND user = ? AND version = ?";
    this.#tables.transaction(() => {
      this.#tables.sql.exec(`UPDATE owners SET user = ? ${where}`, NOBODY, hash, user, version);
      this.#tables.sql.exec(`DELETE FROM owners ${where}`, hash, NOBODY, version);
    });
  }

  #insert(entry: OwnerEntry): void {
    this.#tables.sql.exec(
      "INSERT INTO owners (hash, user, version, takeovers, takeovers_until) VALUES (?, ?, ?, ?, ?)",
      entry.hash,
      entry.user,
      entry.version,
      entry.takeovers,
      entry.takeoversUntil,
    );
  }
}
