// The table of registrations: every statement, rows to domain and back. Read anywhere; written by slots.ts alone.
import type { Kind } from "../domain/kinds.ts";
import type { ListedToken, PushToken, Registration } from "../domain/registration.ts";
import type { LazyTables } from "../durable/lazy-tables.ts";

/** A registration as a row: its columns under the names of the fields. */
type Flag = "claimed" | "muted" | "imported";
type Row = Omit<Registration, "labels" | Flag> & { labels: string } & Record<Flag, number>;

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
  imported: "imported",
} as const satisfies Record<keyof Registration, string>;

const FIELDS = Object.keys(COLUMN) as (keyof Registration)[];
const COLUMNS = Object.values(COLUMN).join(", ");
const AS_FIELDS = FIELDS.map((field) => `${COLUMN[field]} AS ${field}`).join(", ");
const PLACES = FIELDS.map(() => "?").join(", ");

/**
 * What a launch must find as it sends it, else its slot is written anew. Every field of a push token: one that is missing here
 * does not compile. `hash` follows from kind, token and the app's settings; of `labels` only what the launch states is compared.
 */
const COMPARED = Object.keys({ kind: true, token: true, hash: true, platform: true } satisfies Record<
  Exclude<keyof PushToken, "labels">,
  true
>) as Exclude<keyof PushToken, "labels">[];

const UNCHANGED = `SELECT registered_at AS registeredAt FROM registrations WHERE session = ?
  ${COMPARED.map((field) => `AND ${COLUMN[field]} = ?`).join(" ")}
  AND refreshed_at > ? AND suspect_at IS NULL AND imported = 0 AND claimed >= ?`;

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

  /** As {@link holding}; that very token comes first, whatever its hash was when it was stored. Older code says the hash alone. */
  named({ hash, kind = "", token = "" }: { hash: string; kind?: string; token?: string }): Registration | undefined {
    const where = "WHERE hash = ? OR (kind = ? AND token = ?) ORDER BY token = ? DESC";
    return this.#select(where, hash, kind, token, token)[0];
  }

  /** Whether any session holds the token of that hash. */
  holds(hash: string): boolean {
    return this.#tables.rows("SELECT 1 FROM registrations WHERE hash = ?", hash).length > 0;
  }

  count(): number {
    return this.size().rows;
  }

  /** How many rows there are, and the characters of their tokens and labels. */
  size(): { rows: number; bytes: number } {
    const question =
      "SELECT count(*) AS rows, coalesce(sum(length(token) + length(labels)), 0) AS bytes FROM registrations";
    return this.#tables.rows<{ rows: number; bytes: number }>(question)[0] ?? { rows: 0, bytes: 0 };
  }

  /** Token and platform of each row refreshed after `since` (epoch ms), oldest first: only the columns that clients see. */
  tokens(since: number): ListedToken[] {
    return this.#tables.rows(
      "SELECT token, platform FROM registrations WHERE refreshed_at > ? ORDER BY registered_at, session, kind",
      since,
    );
  }

  /**
   * When the slot's registration was made (epoch ms), if it is this very one, refreshed after `since`, not suspect and, where
   * it must be, claimed; else `undefined`. Asked by every launch, so the database compares: each column that it sends costs.
   */
  unchangedSince(session: string, token: PushToken, since: number, mustBeClaimed: boolean): number | undefined {
    const compared = COMPARED.map((field) => token[field]);
    const bindings = [session, ...compared, since, mustBeClaimed ? 1 : 0];
    const states = Object.keys(token.labels).length > 0;
    const question = states ? `${UNCHANGED} ${AND_SAME_LABELS}` : UNCHANGED;
    if (states) bindings.push(JSON.stringify(token.labels));
    return this.#tables.rows<Pick<Row, "registeredAt">>(question, ...bindings)[0]?.registeredAt;
  }

  put(registration: Registration): void {
    const values = FIELDS.map((field) => toSql(registration[field]));
    this.#tables.sql.exec(`INSERT OR REPLACE INTO registrations (${COLUMNS}) VALUES (${PLACES})`, ...values);
  }

  delete({ session, kind }: Pick<Registration, "session" | "kind">): void {
    this.#tables.sql.exec("DELETE FROM registrations WHERE session = ? AND kind = ?", session, kind);
  }

  #select(where: string, ...bindings: string[]): Registration[] {
    return this.#tables.rows<Row>(`SELECT ${AS_FIELDS} FROM registrations ${where}`, ...bindings).map(toRegistration);
  }
}

function toSql(value: Registration[keyof Registration]): string | number | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}

function toRegistration(row: Row): Registration {
  const [claimed, muted, imported] = [row.claimed === 1, row.muted === 1, row.imported === 1];
  return { ...row, labels: JSON.parse(row.labels), claimed, muted, imported };
}
