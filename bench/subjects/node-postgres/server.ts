// The same API on Node, Fastify and PostgreSQL, as its experts would ship it: all cores, a pool per process, named prepared
// statements, a unique index that keeps a token with one user, and commits that are durable (synchronous_commit = on).
import cluster from "node:cluster";
import { availableParallelism } from "node:os";
import Fastify from "fastify";
import pg from "pg";
import { checkApiKey, found, KINDS, login, pageAsked, pageOf, registered, replyHeaders } from "../wire.ts";

const { PORT = "0", DATABASE_URL, SIGNING_KEY = "", API_KEY_SHA256 = "" } = process.env;
const REFRESH_WINDOW_MS = 7 * 24 * 3600 * 1000;

if (cluster.isPrimary) {
  for (let i = 0; i < availableParallelism(); i++) cluster.fork();
  process.on("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.kill();
    process.exit(0);
  });
} else {
  await serve();
}

async function serve(): Promise<void> {
  const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });
  const query = (name: string, text: string, values: unknown[]) => pool.query({ name, text, values });
  /** Two users who register one token at the same moment meet at the unique index, or wait for each other: the loser repeats. */
  const write = async (name: string, text: string, values: unknown[]) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await query(name, text, values);
      } catch (error) {
        const isConflict = ["23505", "40P01"].includes(String((error as { code?: string }).code));
        if (!isConflict || attempt === 5) throw error;
      }
    }
  };
  const app = Fastify();
  app.addHook("onRequest", async (_request, reply) => {
    reply.headers(replyHeaders());
  });
  // SDKs name a content type also where they send no body.
  app.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) => {
    done(null, body === "" ? {} : JSON.parse(String(body)));
  });

  app.get("/v2/tokens", async (request) => {
    const { uid } = await login(SIGNING_KEY, request.headers.authtoken);
    const { rows } = await query("list", "SELECT token, platform FROM tokens WHERE uid = $1", [uid]);
    const lists: Record<string, string[]> = { ios: [], web: [], android: [] };
    for (const row of rows) lists[row.platform]?.push(row.token);
    return { data: lists };
  });

  app.post("/v2/tokens", async (request) => {
    const who = await login(SIGNING_KEY, request.headers.authtoken);
    const { uid, session } = who;
    const body = request.body as Record<string, string>;
    const given = Object.entries(KINDS).filter(([field]) => body[field] !== undefined);
    const slots = given.map(([field, kind]) => ({ kind, token: body[field] ?? "" }));
    const kinds = slots.map(({ kind }) => kind);
    const tokens = slots.map(({ token }) => token);
    const now = Date.now();
    const { rows } = await query(
      "held",
      `SELECT count(*)::int AS held FROM tokens t JOIN unnest($3::text[], $4::text[]) AS g(kind, token) USING (kind, token)
       WHERE t.uid = $1 AND t.session = $2 AND t.refreshed_at > $5`,
      [uid, session, kinds, tokens, now - REFRESH_WINDOW_MS],
    );
    if (rows[0]?.held < kinds.length) {
      // One statement, so one transaction and one round trip: whoever held the tokens lets go.
      await write(
        "register",
        `WITH given AS (SELECT * FROM unnest($3::text[], $4::text[]) AS g(kind, token)),
              gone AS (DELETE FROM tokens t USING given g
                       WHERE t.kind = g.kind AND t.token = g.token AND (t.uid, t.session) <> ($1, $2))
         INSERT INTO tokens (uid, session, kind, token, platform, registered_at, refreshed_at)
         SELECT $1, $2, kind, token, CASE kind WHEN 'fcm' THEN 'android' ELSE 'ios' END, $5, $5 FROM given
         WHERE NOT EXISTS (SELECT 1 FROM ended WHERE ended.session = $2)
         ON CONFLICT (uid, session, kind) DO UPDATE
         SET token = excluded.token, registered_at = excluded.registered_at, refreshed_at = excluded.refreshed_at`,
        [uid, session, kinds, tokens, now],
      );
    }
    return registered(SIGNING_KEY, who, slots);
  });

  app.delete("/v2/tokens", async (request) => {
    const { uid } = await login(SIGNING_KEY, request.headers.authtoken);
    await query("remove-all", "DELETE FROM tokens WHERE uid = $1", [uid]);
    return { data: { success: true } };
  });

  app.delete("/v3.0/me", async (request) => {
    const { uid, session } = await login(SIGNING_KEY, request.headers.authtoken);
    await query(
      "logout",
      `WITH gone AS (DELETE FROM tokens WHERE uid = $1 AND session = $2)
       INSERT INTO ended (session, at) VALUES ($2, $3) ON CONFLICT DO NOTHING`,
      [uid, session, Date.now()],
    );
    return { data: { success: true } };
  });

  app.post("/v3/push_tokens/lookup", async (request) => {
    await checkApiKey(API_KEY_SHA256, request.headers.apikey);
    const { uids } = request.body as { uids: string[] };
    const { rows } = await query(
      "lookup",
      `SELECT uid, session, kind, token, platform, registered_at::float8 AS "registeredAt", refreshed_at::float8 AS "refreshedAt"
       FROM tokens WHERE uid = ANY($1)`,
      [uids],
    );
    return found(uids, rows);
  });

  app.get("/v3/push_tokens", async (request) => {
    await checkApiKey(API_KEY_SHA256, request.headers.apikey);
    const { limit, after } = pageAsked(request.query as Record<string, string>);
    const { rows } = await query(
      "page",
      `SELECT uid, session, kind, token, platform, registered_at::float8 AS "registeredAt", refreshed_at::float8 AS "refreshedAt"
       FROM tokens WHERE uid > $1 AND uid <= (
         SELECT max(uid) FROM (SELECT DISTINCT uid FROM tokens WHERE uid > $1 ORDER BY uid LIMIT $2) AS page)
       ORDER BY uid`,
      [after, limit],
    );
    return pageOf(limit, rows);
  });

  await app.listen({ port: Number(PORT), host: "127.0.0.1" });
}
