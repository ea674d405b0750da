// The same API on D1, as its experts would ship it: one table, prepared statements, one batch (a transaction) per call, a
// unique index that keeps a token with one user, and no write for an unchanged launch.
import { createSubject, platformOf, type Registry, type SubjectEnv } from "../shared.ts";
import type { Row } from "../wire.ts";

interface Env extends SubjectEnv {
  DB: D1Database;
}

const REFRESH_WINDOW_MS = 7 * 24 * 3600 * 1000;

const registry: Registry<Env> = {
  async list(env, { uid }) {
    const { results } = await env.DB.prepare("SELECT token, platform FROM tokens WHERE uid = ?")
      .bind(uid)
      .all<Pick<Row, "token" | "platform">>();
    return results;
  },

  async register(env, { uid, session }, tokens) {
    const now = Date.now();
    const held = await env.DB.prepare(
      `SELECT kind, token, refreshed_at FROM tokens WHERE uid = ?1 AND session = ?2
       AND NOT EXISTS (SELECT 1 FROM ended WHERE session = ?2)`,
    )
      .bind(uid, session)
      .all<{ kind: string; token: string; refreshed_at: number }>();
    const isHeld = tokens.every(({ kind, token }) =>
      held.results.some((r) => r.kind === kind && r.token === token && r.refreshed_at > now - REFRESH_WINDOW_MS),
    );
    if (isHeld) return;
    await env.DB.batch(
      tokens.flatMap(({ kind, token }) => [
        env.DB.prepare("DELETE FROM tokens WHERE kind = ? AND token = ?").bind(kind, token),
        env.DB.prepare(
          `INSERT INTO tokens (uid, session, kind, token, platform, registered_at, refreshed_at)
           SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6 WHERE NOT EXISTS (SELECT 1 FROM ended WHERE session = ?2)
           ON CONFLICT (uid, session, kind) DO UPDATE SET token = excluded.token,
             registered_at = excluded.registered_at, refreshed_at = excluded.refreshed_at`,
        ).bind(uid, session, kind, token, platformOf(kind), now),
      ]),
    );
  },

  async removeSession(env, { uid, session }) {
    await env.DB.batch([
      env.DB.prepare("INSERT OR IGNORE INTO ended (session, at) VALUES (?, ?)").bind(session, Date.now()),
      env.DB.prepare("DELETE FROM tokens WHERE uid = ? AND session = ?").bind(uid, session),
    ]);
  },

  async removeAll(env, { uid }) {
    await env.DB.prepare("DELETE FROM tokens WHERE uid = ?").bind(uid).run();
  },

  async lookup(env, uids) {
    const { results } = await env.DB.prepare(
      `SELECT uid, session, kind, token, platform, registered_at AS registeredAt, refreshed_at AS refreshedAt
       FROM tokens WHERE uid IN (SELECT value FROM json_each(?))`,
    )
      .bind(JSON.stringify(uids))
      .all<Row>();
    return results;
  },

  async page(env, after, limit) {
    const { results } = await env.DB.prepare(
      `SELECT uid, session, kind, token, platform, registered_at AS registeredAt, refreshed_at AS refreshedAt
       FROM tokens WHERE uid > ?1 AND uid <= (
         SELECT max(uid) FROM (SELECT DISTINCT uid FROM tokens WHERE uid > ?1 ORDER BY uid LIMIT ?2))
       ORDER BY uid`,
    )
      .bind(after, limit)
      .all<Row>();
    return results;
  },
};

export default createSubject(registry);
