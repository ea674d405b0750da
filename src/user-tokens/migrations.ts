// The schema of a user's object, append-only: a released migration is never edited, moved or removed.
// docs/storage.md describes the tables; change both in one commit.
import type { Migration } from "../durable/migrate.ts";

export const MIGRATIONS: readonly Migration[] = [
  {
    id: "001_registrations_and_facts",
    sql: `
      CREATE TABLE registrations (
        session TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('fcm', 'apns', 'voip')),
        token TEXT NOT NULL,
        hash TEXT NOT NULL,
        platform TEXT NOT NULL CHECK (platform IN ('ios', 'web', 'android')),
        provider_id TEXT,
        timezone TEXT,
        version INTEGER NOT NULL,
        claimed INTEGER NOT NULL CHECK (claimed IN (0, 1)),
        registered_at INTEGER NOT NULL,
        refreshed_at INTEGER NOT NULL,
        suspect_at INTEGER,
        PRIMARY KEY (session, kind)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE facts (
        fact TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (fact, key)
      ) STRICT, WITHOUT ROWID;
    `,
  },
];
