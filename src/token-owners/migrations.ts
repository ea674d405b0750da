// The schema of an owner object, append-only: a released migration is never edited, moved or removed.
// docs/storage.md describes the table; change both in one commit.
import { FACTS_DDL } from "../durable/facts-table.ts";
import type { Migration } from "../durable/migrate.ts";

export const MIGRATIONS: readonly Migration[] = [
  {
    id: "001_owners",
    sql: `
      CREATE TABLE owners (
        hash TEXT NOT NULL,
        user TEXT NOT NULL,
        version INTEGER NOT NULL,
        claimed INTEGER NOT NULL,
        PRIMARY KEY (hash, version)
      ) STRICT, WITHOUT ROWID;
      ${FACTS_DDL}
    `,
  },
];
