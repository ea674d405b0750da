// The table of registrations: every statement, rows to domain and back. Read anywhere; written by slots.ts alone.
import type { Kind } from "../domain/kinds.ts";
import { withLabels } from "../domain/labels.ts";
import type { PushToken, Registration } from "../domain/registration.ts";
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

export class RegistrationsTable {
  readonly #tables: LazyTables;
  /** As stored, in the order of the table; read once, then kept in step here. A user has at most a hundred. */
  #rows: readonly Registration[] | undefined;

  constructor(tables: LazyTables) {
    this.#tables = tables;
    tables.whenLost(() => {
      this.#rows = undefined;
    });
  }

  all(): Registration[] {
    return [...this.#all()];
  }

  ofSession(session: string): Registration[] {
    return this.#all().filter((row) => row.session === session);
  }

  slot(session: string, kind: Kind): Registration | undefined {
    return this.#all().find((row) => row.session === session && row.kind === kind);
  }

  /** The registration of the token of that hash, in whatever session: a user has at most one. */
  holding(hash: string): Registration | undefined {
    return this.#all().find((row) => row.hash === hash);
  }

  /** As {@link holding}; that very token comes first, whatever its hash was when it was stored. Older code says the hash alone. */
  named({ hash, kind = "", token = "" }: { hash: string; kind?: string; token?: string }): Registration | undefined {
    return this.#all().find((row) => row.kind === kind && row.token === token) ?? this.holding(hash);
  }

  /** Whether any session holds the token of that hash. */
  holds(hash: string): boolean {
    return this.holding(hash) !== undefined;
  }

  count(): number {
    return this.#all().length;
  }

  /**
   * When the slot's registration was made (epoch ms), if it is this very one, refreshed after `since`, not suspect and, where
   * it must be, claimed; else `undefined`.
   */
  unchangedSince(session: string, token: PushToken, since: number, mustBeClaimed: boolean): number | undefined {
    const row = this.slot(session, token.kind);
    if (row === undefined || row.imported || row.suspectAt !== null || row.refreshedAt <= since) return undefined;
    if (mustBeClaimed && !row.claimed) return undefined;
    const isSame = COMPARED.every((field) => row[field] === token[field]) && hasLabels(row, token);
    return isSame ? row.registeredAt : undefined;
  }

  put(registration: Registration): void {
    const values = FIELDS.map((field) => toSql(registration[field]));
    this.#tables.sql.exec(`INSERT OR REPLACE INTO registrations (${COLUMNS}) VALUES (${PLACES})`, ...values);
    const rows = this.#others(registration);
    const after = rows.findIndex((row) => isBefore(registration, row));
    this.#rows = rows.toSpliced(after < 0 ? rows.length : after, 0, registration);
  }

  delete({ session, kind }: Pick<Registration, "session" | "kind">): void {
    this.#tables.sql.exec("DELETE FROM registrations WHERE session = ? AND kind = ?", session, kind);
    this.#rows = this.#others({ session, kind });
  }

  #others({ session, kind }: Pick<Registration, "session" | "kind">): Registration[] {
    return this.#all().filter((row) => row.session !== session || row.kind !== kind);
  }

  #all(): readonly Registration[] {
    this.#rows ??= this.#tables.rows<Row>(`SELECT ${AS_FIELDS} FROM registrations`).map(toRegistration);
    return this.#rows;
  }
}

/** By the table's key. */
function isBefore(a: Registration, b: Registration): boolean {
  return a.session === b.session ? a.kind < b.kind : a.session < b.session;
}

/** Whether the row has the labels that the call states. */
function hasLabels({ labels }: Registration, stated: PushToken): boolean {
  if (Object.keys(stated.labels).length === 0) return true;
  return JSON.stringify(withLabels(labels, stated.labels)) === JSON.stringify(labels);
}

function toSql(value: Registration[keyof Registration]): string | number | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}

function toRegistration(row: Row): Registration {
  const [claimed, muted, imported] = [row.claimed === 1, row.muted === 1, row.imported === 1];
  return { ...row, labels: JSON.parse(row.labels), claimed, muted, imported };
}
