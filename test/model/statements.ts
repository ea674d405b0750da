// SQL as workerd answers it, over Node's SQLite.
import type { DatabaseSync, StatementSync } from "node:sqlite";

export type Value = string | number | null;
export type Row = Record<string, unknown>;

/** What a query found, as workerd gives it. */
export class Found {
  readonly #rows: Row[];

  constructor(rows: Row[]) {
    this.#rows = rows;
  }

  [Symbol.iterator](): Iterator<Row> {
    return this.#rows.values();
  }

  toArray(): Row[] {
    return this.#rows;
  }

  one(): Row {
    const [row] = this.#rows;
    if (row === undefined || this.#rows.length !== 1) {
      throw new Error(`expected exactly one row, got ${this.#rows.length}`);
    }
    return row;
  }
}

/** A statement whose rows are plain objects: those that Node makes itself take twice the time, and more to be read. */
export class Statement {
  readonly #statement: StatementSync;
  readonly isQuestion: boolean;
  readonly #answers: boolean;
  #columns: readonly string[] = [];

  constructor(database: DatabaseSync, query: string) {
    this.isQuestion = query.startsWith("SELECT");
    this.#answers = this.isQuestion || query.includes("RETURNING");
    this.#statement = database.prepare(query);
    this.#statement.setReturnArrays(true);
  }

  run(...bindings: Value[]): void {
    this.#statement.run(...bindings);
  }

  all(bindings: readonly Value[] = []): Row[] {
    if (!this.#answers) {
      this.#statement.run(...bindings);
      return [];
    }
    const found = this.#statement.all(...bindings) as unknown as unknown[][];
    if (found.length === 0) return [];
    if (this.#columns.length !== found[0]?.length) this.#columns = this.#statement.columns().map(({ name }) => name);
    return found.map((values) => toRow(this.#columns, values));
  }
}

/** Several statements, or one that changes tables. */
export function isScript(query: string): boolean {
  return query.includes(";");
}

function toRow(columns: readonly string[], values: readonly unknown[]): Row {
  const row: Row = {};
  for (let i = 0; i < columns.length; i += 1) row[columns[i] as string] = values[i];
  return row;
}
