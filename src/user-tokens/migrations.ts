// The schema of a user's object, append-only: a released migration is never edited, moved or removed.
// docs/storage.md describes the tables; change both in one commit. There is no CHECK on kinds and platforms: the Worker
// admits only those that it knows, and a CHECK cannot be changed cheaply in millions of databases.
import { FACTS_DDL } from "../durable/facts-table.ts";
import type { Migration } from "../durable/migrate.ts";

export const MIGRATIONS: readonly Migration[] = [
  {
    id: "001_registrations_and_facts",
    sql: `
      CREATE TABLE registrations (
        session TEXT NOT NULL,
        kind TEXT NOT NULL,
        token TEXT NOT NULL,
        hash TEXT NOT NULL,
        platform TEXT NOT NULL,
        labels TEXT NOT NULL,
        version INTEGER NOT NULL,
        claimed INTEGER NOT NULL,
        registered_at INTEGER NOT NULL,
        refreshed_at INTEGER NOT NULL,
        shown_at INTEGER NOT NULL,
        suspect_at INTEGER,
        muted INTEGER NOT NULL,
        imported INTEGER NOT NULL,
        PRIMARY KEY (session, kind)
      ) STRICT, WITHOUT ROWID;
      ${FACTS_DDL}
    `,
  },
];
