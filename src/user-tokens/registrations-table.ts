// The table of registrations: every statement, rows to domain and back. Read anywhere; written by slots.ts alone.
import type { Kind, Platform } from "../domain/kinds.ts";
import type { ListedToken, PushToken, Registration } from "../domain/registration.ts";
import type { LazyTables } from "../durable/lazy-tables.ts";

type SqlRow = Record<string, SqlStorageValue>;

/** The column of each field. A field without one does not compile. */
const COLUMN = {
  session: "session",
  kind: "kind",
  token: "token",
  hash: "hash",
  platform: "platform",
  labels: "labels",
  version: "version",
  claimed: "claimed",
  registeredAt: "registered_at",
  refreshedAt: "refreshed_at",
  shownAt: "shown_at",
  suspectAt: "suspect_at",
  muted: "muted",
} as const satisfies Record<keyof Registration, string>;

const FIELDS = Object.keys(COLUMN) as (keyof Registration)[];
const COLUMNS = Object.values(COLUMN).join(", ");
const PLACES = FIELDS.map(() => "?").join(", ");

/**
 * What a launch must find as it sends it, else its slot is written anew. Every field of a push token: one that is missing here
 * does not compile. `hash` follows from kind, token and the app's settings; of `labels` only what the launch states is compared.
 */
const COMPARED = Object.keys({ kind: true, token: true, hash: true, platform: true } satisfies Record<
  Exclude<keyof PushToken, "labels">,
  true
>) as Exclude<keyof PushToken, "labels">[];

const UNCHANGED = `SELECT registered_at FROM registrations WHERE session = ?
  ${COMPARED.map((field) => `AND ${COLUMN[field]} = ?`).join(" ")}
  AND refreshed_at > ? AND suspect_at IS NULL AND claimed >= ?`;

/** `json_patch` is RFC 7396, as `withLabels` is: a label that is not stated stays, `null` removes it. */
const AND_SAME_LABELS = "AND json_patch(labels, ?) = labels";

export class RegistrationsTable {
  readonly #tables: LazyTables;

  constructor(tables: LazyTables) {
    this.#tables = tables;
  }

  all(): Registration[] {
    return this.#select("");
  }

  ofSession(session: string): Registration[] {
    return this.#select("WHERE session = ?", session);
  }

  slot(session: string, kind: Kind): Registration | undefined {
    return this.#select("WHERE session = ? AND kind = ?", session, kind)[0];
  }

  /** The registration of the token of that hash, in whatever session: a user has at most one. */
  holding(hash: string): Registration | undefined {
    return this.#select("WHERE hash = ?", hash)[0];
  }

  /** Whether any session holds the token of that hash. */
  holds(hash: string): boolean {
    return this.#exec("SELECT 1 FROM registrations WHERE hash = ?", hash).length > 0;
  }

  count(): number {
    return this.size().rows;
  }

  /** How many rows there are, and the characters of their tokens and labels. */
  size(): { rows: number; bytes: number } {
    const [sum] = this.#exec("SELECT count(*) AS n, sum(length(token) + length(labels)) AS bytes FROM registrations");
    return { rows: Number(sum?.n ?? 0), bytes: Number(sum?.bytes ?? 0) };
  }

  /** Token and platform of each row refreshed after `since` (epoch ms), oldest first: only the columns that clients see. */
  tokens(since: number): ListedToken[] {
    return this.#exec(
      "SELECT token, platform FROM registrations WHERE refreshed_at > ? ORDER BY registered_at, session, kind",
      since,
    ) as unknown as ListedToken[];
  }

  /**
   * When the slot's registration was made (epoch ms), if it is this very one, refreshed after `since`, not suspect and, where
   * it must be, claimed; else `undefined`. Asked by every launch, so the database compares: each column that it sends costs.
   */
  unchangedSince(session: string, token: PushToken, since: number, mustBeClaimed: boolean): number | undefined {
    const compared = COMPARED.map((field) => token[field]);
    const bindings = [session, ...compared, since, mustBeClaimed ? 1 : 0];
    const states = Object.keys(token.labels).length > 0;
    const row = states
      ? this.#exec(`${UNCHANGED} ${AND_SAME_LABELS}`, ...bindings, JSON.stringify(token.labels))[0]
      : this.#exec(UNCHANGED, ...bindings)[0];
    return row && Number(row.registered_at);
  }

  put(registration: Registration): void {
    const values = FIELDS.map((field) => toSql(registration[field]));
    this.#tables.sql.exec(`INSERT OR REPLACE INTO registrations (${COLUMNS}) VALUES (${PLACES})`, ...values);
  }

  delete({ session, kind }: Pick<Registration, "session" | "kind">): void {
    this.#tables.sql.exec("DELETE FROM registrations WHERE session = ? AND kind = ?", session, kind);
  }

  #select(where: string, ...bindings: string[]): Registration[] {
    return this.#exec(`SELECT ${COLUMNS} FROM registrations ${where}`, ...bindings).map(toRegistration);
  }

  #exec(statement: string, ...bindings: (string | number)[]): SqlRow[] {
    return this.#tables.exists ? this.#tables.sql.exec<SqlRow>(statement, ...bindings).toArray() : [];
  }
}

function toSql(value: Registration[keyof Registration]): string | number | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}

function toRegistration(row: SqlRow): Registration {
  return {
    session: String(row.session),
    kind: row.kind as Kind,
    token: String(row.token),
    hash: String(row.hash),
    platform: row.platform as Platform,
    labels: JSON.parse(String(row.labels)),
    version: Number(row.version),
    claimed: row.claimed === 1,
    registeredAt: Number(row.registered_at),
    refreshedAt: Number(row.refreshed_at),
    shownAt: Number(row.shown_at),
    suspectAt: row.suspect_at as number | null,
    muted: row.muted === 1,
  };
}
