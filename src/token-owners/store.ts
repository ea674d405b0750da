// Every SQL statement of an owner object: who owns a token, by its hash. Neither a uid nor a token stands here.
// Tables are made by the first write, never by a read.
import { type Migration, migrate } from "../durable/migrate.ts";
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
  readonly #storage: DurableObjectStorage;
  readonly #migrations: readonly Migration[];
  #exists: boolean;

  constructor(storage: DurableObjectStorage, migrations: readonly Migration[] = MIGRATIONS) {
    this.#storage = storage;
    this.#migrations = migrations;
    this.#exists =
      storage.sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema'").toArray().length > 0;
    if (this.#exists) this.#migrate();
  }

  /** The owners on record: at most one under policy `exclusive`. */
  owners(hash: string): OwnerEntry[] {
    if (!this.#exists) return [];
    return this.#storage.sql
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
    this.#write(() => {
      this.#storage.sql.exec("DELETE FROM owners WHERE hash = ?", entry.hash);
      this.#insert(entry);
    });
  }

  /** Adds `entry` to the owners of its token (policy `shared`). */
  addOwner(entry: OwnerEntry): void {
    this.#write(() => {
      this.#storage.sql.exec("DELETE FROM owners WHERE hash = ? AND user = ?", entry.hash, entry.user);
      this.#insert(entry);
    });
  }

  delete(hash: string, user: string, version: number): void {
    if (!this.#exists) return;
    this.#storage.sql.exec("DELETE FROM owners WHERE hash = ? AND user = ? AND version = ?", hash, user, version);
  }

  /**
   * As {@link delete}, and leaves no trace of the user: SQLite leaves the bytes of a deleted row in its page until something
   * else needs the room. A value of the same length is written in place, so it is overwritten first; it is no part of
   * the key for that reason. One more row written.
   */
  erase(hash: string, user: string, version: number): void {
    if (!this.#exists) return;
    const where = "WHERE hash = ? AND user = ? AND version = ?";
    this.#storage.transactionSync(() => {
      this.#storage.sql.exec(`UPDATE owners SET user = ? ${where}`, NOBODY, hash, user, version);
      this.#storage.sql.exec(`DELETE FROM owners ${where}`, hash, NOBODY, version);
    });
  }

  #insert(entry: OwnerEntry): void {
    this.#storage.sql.exec(
      "INSERT INTO owners (hash, user, version, takeovers, takeovers_until) VALUES (?, ?, ?, ?, ?)",
      entry.hash,
      entry.user,
      entry.version,
      entry.takeovers,
      entry.takeoversUntil,
    );
  }

  #write(write: () => void): void {
    const existed = this.#exists;
    try {
      this.#storage.transactionSync(() => {
        if (!existed) this.#migrate();
        write();
      });
    } catch (error) {
      this.#exists = existed;
      throw error;
    }
  }

  #migrate(): void {
    const applied = this.#exists
      ? String(this.#storage.sql.exec("SELECT version FROM schema").toArray()[0]?.version ?? "")
      : "";
    migrate(this.#storage, this.#migrations, applied, (version) => {
      this.#exists = true;
      this.#storage.sql.exec("DELETE FROM schema");
      this.#storage.sql.exec("INSERT INTO schema (version) VALUES (?)", version);
    });
  }
}
