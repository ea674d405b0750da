CREATE TABLE tokens (
  uid TEXT NOT NULL, session TEXT NOT NULL, kind TEXT NOT NULL, token TEXT NOT NULL, platform TEXT NOT NULL,
  registered_at INTEGER NOT NULL, refreshed_at INTEGER NOT NULL, PRIMARY KEY (uid, session, kind)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_by_token ON tokens (kind, token);
CREATE TABLE ended (session TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
