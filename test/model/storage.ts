// The storage of one Durable Object over SQLite in memory: what is written in one turn is one transaction, which the
// world commits or rolls back.
import { DatabaseSync, type StatementSync } from "node:sqlite";

type Value = string | number | null;
export type Row = Record<string, unknown>;

export class ModelStorage {
  readonly #database = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, StatementSync>();
  /** The tables, as last looked up; `null` after anything that may have changed them. */
  #tableNames: string[] | null = null;
  #inTurn = false;
  #savepoints = 0;
  /** The alarm that is set, epoch ms. */
  alarm: number | null = null;
  #alarmBefore: number | null = null;

  readonly sql = {
    exec: (query: string, ...bindings: Value[]) => this.#exec(query, bindings),
  };

  #exec(query: string, bindings: Value[]): { toArray(): Row[]; one(): Row } {
    const rows = this.#run(query, bindings);
    return {
      toArray: () => rows,
      one: () => {
        const [row] = rows;
        if (row === undefined || rows.length !== 1) throw new Error(`expected exactly one row, got ${rows.length}`);
        return row;
      },
    };
  }

  #run(query: string, bindings: Value[]): Row[] {
    if (!query.startsWith("SELECT")) this.#begin();
    if (bindings.length === 0 && query.trim().includes(";")) {
      this.#tableNames = null;
      this.#database.exec(query);
      return [];
    }
    return this.#statement(query).all(...bindings);
  }

  #statement(query: string): StatementSync {
    let statement = this.#statements.get(query);
    if (statement === undefined) {
      statement = this.#database.prepare(query);
      this.#statements.set(query, statement);
    }
    return statement;
  }

  #begin(): void {
    if (this.#inTurn) return;
    this.#inTurn = true;
    this.#alarmBefore = this.alarm;
    this.#statement("BEGIN").run();
  }

  transactionSync<T>(write: () => T): T {
    this.#begin();
    const name = `s${this.#savepoints}`;
    this.#statement(`SAVEPOINT ${name}`).run();
    this.#savepoints += 1;
    try {
      const result = write();
      this.#statement(`RELEASE ${name}`).run();
      return result;
    } catch (error) {
      this.#statement(`ROLLBACK TO ${name}`).run();
      this.#statement(`RELEASE ${name}`).run();
      throw error;
    } finally {
      this.#savepoints -= 1;
    }
  }

  async getAlarm(): Promise<number | null> {
    return this.alarm;
  }

  async setAlarm(at: number): Promise<void> {
    this.#begin();
    this.alarm = at;
  }

  async deleteAll(): Promise<void> {
    this.#begin();
    const tables = this.#tables();
    this.#tableNames = null;
    for (const table of tables) this.#database.exec(`DROP TABLE ${table}`);
    this.alarm = null;
  }

  // For the world

  commit(): void {
    if (this.#inTurn) this.#statement("COMMIT").run();
    this.#inTurn = false;
  }

  rollback(): void {
    if (this.#inTurn) {
      this.#statement("ROLLBACK").run();
      this.#tableNames = null;
      this.alarm = this.#alarmBefore;
    }
    this.#inTurn = false;
  }

  /** Begins the turn of an alarm: it is no longer set, unless the turn is rolled back. */
  takeAlarm(): void {
    this.#begin();
    this.alarm = null;
  }

  /** As before the first write (`cold`), or with tables but nothing in them. */
  reset(cold: boolean): void {
    this.rollback();
    this.alarm = null;
    const tables = this.#tables();
    if (cold) this.#tableNames = null;
    for (const table of tables) {
      if (cold) this.#database.exec(`DROP TABLE ${table}`);
      else if (table === "facts") this.#statement("DELETE FROM facts WHERE fact <> 'schema'").run();
      else if (table !== "schema") this.#statement(`DELETE FROM ${table}`).run();
    }
  }

  /** The rows of a table, none if it does not exist. For looking on: no part of a turn. */
  rows(table: string): Row[] {
    return this.#tables().includes(table) ? this.#statement(`SELECT * FROM ${table}`).all() : [];
  }

  #tables(): string[] {
    this.#tableNames ??= this.#statement("SELECT name FROM sqlite_master WHERE type = 'table'")
      .all()
      .map((row) => String(row.name));
    return this.#tableNames;
  }
}
