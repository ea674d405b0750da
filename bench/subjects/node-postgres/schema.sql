CREATE TABLE tokens (
  uid text NOT NULL, session text NOT NULL, kind text NOT NULL, token text NOT NULL, platform text NOT NULL,
  registered_at bigint NOT NULL, refreshed_at bigint NOT NULL, PRIMARY KEY (uid, session, kind)
);
-- Checked at the end of a statement: a token may change its owner within one.
ALTER TABLE tokens ADD CONSTRAINT one_owner UNIQUE (kind, token) DEFERRABLE INITIALLY IMMEDIATE;
CREATE TABLE ended (session text PRIMARY KEY, at bigint NOT NULL);
