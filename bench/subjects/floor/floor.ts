// The floor: what any Worker with one Durable Object per user must do. A bare Hono route, the same JWT check, one RPC, one
// SELECT or one INSERT, the same reply. No validation, no errors, no sessions, no fences, no owners.
import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";
import { KINDS, login, registered, replyHeaders, type Token } from "../wire.ts";

interface FloorEnv {
  USERS: DurableObjectNamespace<FloorUser>;
  SIGNING_KEY: string;
}

export class FloorUser extends DurableObject<FloorEnv> {
  constructor(ctx: DurableObjectState, env: FloorEnv) {
    super(ctx, env);
    ctx.storage.sql.exec(`CREATE TABLE IF NOT EXISTS tokens (
      session TEXT NOT NULL, kind TEXT NOT NULL, token TEXT NOT NULL, platform TEXT NOT NULL, refreshed_at INTEGER NOT NULL,
      PRIMARY KEY (session, kind)) STRICT, WITHOUT ROWID`);
  }

  list(): Record<string, string[]> {
    const rows = this.ctx.storage.sql.exec("SELECT token, platform FROM tokens").toArray();
    const lists: Record<string, string[]> = { ios: [], web: [], android: [] };
    for (const row of rows) lists[String(row.platform)]?.push(String(row.token));
    return lists;
  }

  isRegistered(session: string, kind: string, token: string): boolean {
    const rows = this.ctx.storage.sql.exec("SELECT token FROM tokens WHERE session = ? AND kind = ?", session, kind);
    return rows.toArray()[0]?.token === token;
  }

  insert(session: string, kind: string, token: string): void {
    this.ctx.storage.sql.exec(
      "INSERT OR REPLACE INTO tokens (session, kind, token, platform, refreshed_at) VALUES (?, ?, ?, 'android', ?)",
      session,
      kind,
      token,
      Date.now(),
    );
  }
}

const app = new Hono<{ Bindings: FloorEnv }>();

app.get("/v2/tokens", async (c) => {
  const { uid } = await login(c.env.SIGNING_KEY, c.req.header("authToken"));
  return c.json({ data: await c.env.USERS.getByName(uid).list() }, 200, replyHeaders());
});

/** `?unchanged`: only the SELECT that finds nothing to do; else the INSERT. */
app.post("/v2/tokens", async (c) => {
  const who = await login(c.env.SIGNING_KEY, c.req.header("authToken"));
  const body: Record<string, string> = await c.req.json();
  const user = c.env.USERS.getByName(who.uid);
  const slots: Token[] = [];
  for (const [field, kind] of Object.entries(KINDS)) {
    const token = body[field];
    if (token === undefined) continue;
    if (c.req.query("unchanged") === undefined) await user.insert(who.session, kind, token);
    else await user.isRegistered(who.session, kind, token);
    slots.push({ kind, token });
  }
  return c.json(await registered(c.env.SIGNING_KEY, who, slots), 200, replyHeaders());
});

export default app;
