// What an object keeps as well as its main table, one row per fact. It is one table because every table costs a page in every
// object's file; `until` is the end of any fact's time, so one statement collects them all, and one finds the next end.
import type { LazyTables } from "./lazy-tables.ts";

/** Part of the first migration of every object. */
export const FACTS_DDL = `
  CREATE TABLE facts (
    fact TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (fact, key)
  ) STRICT, WITHOUT ROWID;
`;

export interface Fact {
  key: string;
  value: string;
  /** When its time ends, epoch ms; 0: it has no end of its own. */
  until: number;
}

/** Facts that an object remembers; beyond that, it begins anew. */
const KNOWN_MAX = 100;

export class FactsTable {
  readonly #tables: LazyTables;
  /** As stored, also that there is none; read once, then kept in step here. */
  readonly #known = new Map<string, Fact | undefined>();

  constructor(tables: LazyTables) {
    this.#tables = tables;
    tables.whenLost(() => this.#known.clear());
  }

  one(fact: string, key = ""): Fact | undefined {
    const name = nameOf(fact, key);
    if (!this.#known.has(name)) this.#learn(name, this.#select("WHERE fact = ? AND key = ?", fact, key)[0]);
    return this.#known.get(name);
  }

  all(fact: string): Fact[] {
    return this.#select("WHERE fact = ?", fact);
  }

  /** Writes only a change. */
  set(fact: string, { key = "", value, until }: { key?: string; value: string; until: number }): void {
    const name = nameOf(fact, key);
    const known = this.#known.get(name);
    if (known?.value === value && known.until === until) return;
    this.#tables.sql.exec(
      `INSERT INTO facts (fact, key, value, until) VALUES (?, ?, ?, ?)
       ON CONFLICT (fact, key) DO UPDATE SET value = excluded.value, until = excluded.until
       WHERE value <> excluded.value OR until <> excluded.until`,
      fact,
      key,
      value,
      until,
    );
    this.#learn(name, { key, value, until });
  }

  delete(fact: string, key = ""): void {
    const name = nameOf(fact, key);
    if (!this.#tables.exists || (this.#known.has(name) && this.#known.get(name) === undefined)) return;
    this.#tables.sql.exec("DELETE FROM facts WHERE fact = ? AND key = ?", fact, key);
    this.#learn(name, undefined);
  }

  deleteAll(facts: readonly string[]): void {
    this.#known.clear();
    for (const fact of this.#tables.exists ? facts : []) {
      this.#tables.sql.exec("DELETE FROM facts WHERE fact = ?", fact);
    }
  }

  /** Deletes the facts whose time has ended, except those named in `kept`. */
  deleteExpired(now: number, kept: readonly string[] = []): void {
    this.#known.clear();
    if (!this.#tables.exists) return;
    const places = kept.map(() => "?").join(", ");
    this.#tables.sql.exec(`DELETE FROM facts WHERE until > 0 AND until <= ? AND fact NOT IN (${places})`, now, ...kept);
  }

  /** When the time of the next fact ends, without those named in `ignored`, epoch ms; `undefined` if none ends. */
  nextEnd(ignored: readonly string[] = []): number | undefined {
    const places = ignored.map(() => "?").join(", ");
    const [found] = this.#tables.rows<{ next: number | null }>(
      `SELECT min(until) AS next FROM facts WHERE until > 0 AND fact NOT IN (${places})`,
      ...ignored,
    );
    return found?.next ?? undefined;
  }

  #select(where: string, ...bindings: string[]): Fact[] {
    return this.#tables.rows(`SELECT key, value, until FROM facts ${where}`, ...bindings);
  }

  #learn(name: string, fact: Fact | undefined): void {
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(name, fact);
  }
}

function nameOf(fact: string, key: string): string {
  return `${fact} ${key}`;
}
