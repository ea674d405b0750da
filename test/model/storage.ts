// The storage of one Durable Object over SQLite in memory: what is written in one turn is one transaction, which the
// world commits or rolls back.
import { DatabaseSync } from "node:sqlite";
import { Found, isScript, type Row, Statement, type Value } from "./statements.ts";

/** What a database held at some moment; `null`: it had no tables. */
export type Snapshot = { statements: readonly string[]; rows: readonly { table: string; row: Row }[] } | null;

export class ModelStorage {
  readonly #database = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, Statement>();
  /** The rows of tables, as last read; empty after anything that may have changed them. */
  readonly #rows = new Map<string, Row[]>();
  /** What was made of them, by how. */
  readonly #views = new Map<(rows: readonly Row[]) => unknown, unknown>();
  /** The tables, as last looked up; `null` after anything that may have changed them. */
  #tableNames: string[] | null = null;
  #inTurn = false;
  #savepoints = 0;
  /** Moments to which the data can go back, and the one to which they will when the object next wakes. */
  readonly snapshots: Snapshot[] = [];
  #toRestore: { to: Snapshot } | null = null;
  /** Nothing was written since the last {@link reset}. */
  #isClean = false;
  /** With tables, and nothing in them. */
  #empty: Snapshot = null;
  /** The alarm that is set, epoch ms. */
  alarm: number | null = null;
  #alarmBefore: { at: number | null; isLost: boolean } = { at: null, isLost: false };
  /** The platform lost the alarm; none was set since. It may still say that one is. */
  isAlarmLost = false;
  /** Something was written since the last commit. */
  #isWritten = false;
  /** Counts changes of tables and of the alarm. */
  #changes = 0;

  /** Told of each transaction. */
  onTransaction: () => void = () => {};

  readonly sql = {
    exec: (query: string, ...bindings: Value[]) => this.#exec(query, bindings),
    databaseSize: 4096,
  };

  #exec(query: string, bindings: Value[]): Found {
    if (bindings.length === 0 && isScript(query)) {
      this.#begin();
      this.#changes += 1;
      this.#tableNames = null;
      this.#database.exec(query);
      return new Found([]);
    }
    const statement = this.#statement(query);
    if (!statement.isQuestion) this.#begin();
    return new Found(statement.all(bindings));
  }

  #statement(query: string): Statement {
    let statement = this.#statements.get(query);
    if (statement === undefined) {
      statement = new Statement(this.#database, query);
      this.#statements.set(query, statement);
    }
    return statement;
  }

  #begin(): void {
    this.#forgetRows();
    this.#isClean = false;
    if (this.#inTurn) return;
    this.#inTurn = true;
    this.#isWritten = true;
    this.#alarmBefore = { at: this.alarm, isLost: this.isAlarmLost };
    this.#statement("BEGIN").run();
  }

  transactionSync<T>(write: () => T): T {
    this.#forgetRows();
    if (!this.#inTurn) return this.#first(write);
    const name = `s${this.#savepoints}`;
    this.#statement(`SAVEPOINT ${name}`).run();
    this.#savepoints += 1;
    try {
      const result = write();
      this.#statement(`RELEASE ${name}`).run();
      if (this.#savepoints === 1) this.onTransaction();
      return result;
    } catch (error) {
      this.#statement(`ROLLBACK TO ${name}`).run();
      this.#tableNames = null;
      this.#statement(`RELEASE ${name}`).run();
      throw error;
    } finally {
      this.#savepoints -= 1;
    }
  }

  /** The first transaction of a turn needs no savepoint. */
  #first<T>(write: () => T): T {
    this.#begin();
    this.#savepoints += 1;
    try {
      const result = write();
      this.onTransaction();
      return result;
    } catch (error) {
      this.rollback();
      throw error;
    } finally {
      this.#savepoints -= 1;
    }
  }

  async getAlarm(): Promise<number | null> {
    return this.alarm;
  }

  /** With `allowUnconfirmed` answers need not wait for it; here nothing else is sent in such a turn. */
  async setAlarm(at: number, _options: { allowUnconfirmed?: boolean } = {}): Promise<void> {
    this.#begin();
    this.#changes += 1;
    this.alarm = at;
    this.isAlarmLost = false;
  }

  /** On workerd the database file goes at once, and what is written after it is another commit. */
  async deleteAll(): Promise<void> {
    this.commit();
    this.#changes += 1;
    this.#forgetRows();
    this.#isClean = false;
    this.#isWritten = true;
    const tables = this.#tables();
    this.#tableNames = null;
    for (const table of tables) this.#database.exec(`DROP TABLE ${table}`);
    this.alarm = null;
  }

  async getBookmarkForTime(at: number): Promise<string> {
    return String(at);
  }

  async onNextSessionRestoreBookmark(bookmark: string): Promise<void> {
    this.#toRestore = { to: this.snapshots[Number(bookmark)] ?? null };
  }

  /** A moment to which the data can go back. */
  remember(): void {
    this.snapshots.push(this.#snapshot());
  }

  #snapshot(): Snapshot {
    const schema = this.#statement("SELECT sql FROM sqlite_master WHERE type = 'table'").all();
    const rows = this.#tables().flatMap((table) => this.rows(table).map((row) => ({ table, row })));
    return schema.length === 0 ? null : { statements: schema.map(({ sql }) => String(sql)), rows };
  }

  /** The object wakes: its data go back, if that was asked for (then `true`). The alarm is no part of them. */
  wake(): boolean {
    if (this.#toRestore === null) return false;
    const { to } = this.#toRestore;
    this.#toRestore = null;
    this.#goTo(to);
    return true;
  }

  #goTo(to: Snapshot): void {
    this.#forgetRows();
    this.#isClean = false;
    for (const table of this.#tables()) this.#database.exec(`DROP TABLE ${table}`);
    this.#tableNames = null;
    for (const statement of to?.statements ?? []) this.#database.exec(statement);
    for (const { table, row } of to?.rows ?? []) {
      const columns = Object.keys(row);
      const insert = `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
      this.#statement(insert).run(...(Object.values(row) as Value[]));
    }
  }

  // For the world

  /** Whether anything was written. */
  commit(): boolean {
    if (this.#inTurn) this.#statement("COMMIT").run();
    this.#inTurn = false;
    const isWritten = this.#isWritten;
    this.#isWritten = false;
    return isWritten;
  }

  rollback(): void {
    this.#forgetRows();
    if (this.#inTurn) {
      this.#statement("ROLLBACK").run();
      this.#tableNames = null;
      this.alarm = this.#alarmBefore.at;
      this.isAlarmLost = this.#alarmBefore.isLost;
    }
    this.#inTurn = false;
    this.#isWritten = false;
  }

  /** Another storage that holds the same. */
  copy(): ModelStorage {
    const copy = new ModelStorage();
    copy.#goTo(this.#snapshot());
    copy.snapshots.push(...this.snapshots);
    copy.#toRestore = this.#toRestore;
    copy.alarm = this.alarm;
    copy.isAlarmLost = this.isAlarmLost;
    return copy;
  }

  /** Another number where something was changed, in a turn that has not ended yet too. */
  changes(): number {
    const [row] = this.#statement("SELECT total_changes() AS rows").all();
    return Number(row?.rows) + this.#changes;
  }

  /** When the alarm will go off; `null`: it will not. */
  get nextAlarm(): number | null {
    return this.isAlarmLost ? null : this.alarm;
  }

  /** The platform loses the alarm. `quietly`: it still says that it is set. */
  loseAlarm(quietly: boolean): void {
    this.isAlarmLost = true;
    if (!quietly) this.alarm = null;
  }

  /** Begins the turn of an alarm: it is no longer set, unless the turn is rolled back. */
  takeAlarm(): void {
    this.#begin();
    this.alarm = null;
  }

  /** As before the first write (`cold`), or with tables but nothing in them. */
  reset(cold: boolean): void {
    this.rollback();
    this.snapshots.length = 0;
    this.#toRestore = null;
    this.alarm = null;
    this.isAlarmLost = false;
    if (this.#isClean) return;
    if (cold) this.#goTo(null);
    else if (this.#tables().includes("facts")) {
      for (const table of this.#tables()) {
        this.#statement(`DELETE FROM ${table}${table === "facts" ? " WHERE fact <> 'schema'" : ""}`).run();
      }
      this.#empty ??= this.#snapshot();
    } else this.#goTo(this.#empty);
    this.#isClean = true;
  }

  /** What `read` makes of the rows of the table `registrations`; made once for the same rows. */
  registrations<T>(read: (rows: readonly Row[]) => T): T {
    if (!this.#views.has(read)) this.#views.set(read, read(this.rows("registrations")));
    return this.#views.get(read) as T;
  }

  #forgetRows(): void {
    this.#rows.clear();
    this.#views.clear();
  }

  /** The rows of a table, none if it does not exist. For looking on: no part of a turn. */
  rows(table: string): readonly Row[] {
    let rows = this.#rows.get(table);
    if (rows === undefined) {
      rows = this.#tables().includes(table) ? this.#statement(`SELECT * FROM ${table}`).all() : [];
      this.#rows.set(table, rows);
    }
    return rows;
  }

  #tables(): string[] {
    this.#tableNames ??= this.#statement("SELECT name FROM sqlite_master WHERE type = 'table'")
      .all()
      .map((row) => String(row.name));
    return this.#tableNames;
  }
}
