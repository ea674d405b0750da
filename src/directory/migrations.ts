// The schema of a directory object, append-only: a released migration is never edited, moved or removed.
// docs/storage.md describes the table; change both in one commit.
import { FACTS_DDL } from "../durable/facts-table.ts";
import type { Migration } from "../durable/migrate.ts";

export const MIGRATIONS: readonly Migration[] = [
  {
    id: "001_users",
    // With a rowid: then a row of up to a page stands in its leaf, where a key's row of more than a quarter page does not.
    sql: `
      CREATE TABLE users (
        id INTEGER PRIMARY KEY,
        uid TEXT NOT NULL,
        version INTEGER NOT NULL,
        format INTEGER NOT NULL,
        tokens TEXT NOT NULL,
        registrations INTEGER NOT NULL,
        muted INTEGER NOT NULL,
        shown_since INTEGER NOT NULL
      ) STRICT;
      ${FACTS_DDL}
    `,
  },
];
