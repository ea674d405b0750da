// What the Workers that people build instead have in common: the same auth check, bodies and replies as the registry.
import { Hono } from "hono";
import {
  checkApiKey,
  found,
  KINDS,
  type Login,
  login,
  pageAsked,
  pageOf,
  type Row,
  registered,
  replyHeaders,
  type Token,
} from "./wire.ts";

export interface SubjectEnv {
  SIGNING_KEY: string;
  API_KEY_SHA256: string;
}

/** What a storage must do for the API; each subject is one of these. */
export interface Registry<E> {
  list(env: E, login: Login): Promise<{ token: string; platform: string }[]>;
  /** Registers the tokens, each with this user only; writes nothing if that is how things are. */
  register(env: E, login: Login, tokens: Token[]): Promise<void>;
  removeSession(env: E, login: Login): Promise<void>;
  removeAll(env: E, login: Login): Promise<void>;
  lookup(env: E, uids: string[]): Promise<Row[]>;
  /** All tokens of the next `limit` users after this one, in the order of their uids. */
  page?(env: E, after: string, limit: number): Promise<Row[]>;
}

export function platformOf(kind: Token["kind"]): string {
  return kind === "fcm" ? "android" : "ios";
}

export function createSubject<E extends SubjectEnv>(registry: Registry<E>) {
  const app = new Hono<{ Bindings: E }>();
  app.get("/v2/tokens", async (c) => {
    const rows = await registry.list(c.env, await login(c.env.SIGNING_KEY, c.req.header("authToken")));
    const lists: Record<string, string[]> = { ios: [], web: [], android: [] };
    for (const row of rows) lists[row.platform]?.push(row.token);
    return c.json({ data: lists }, 200, replyHeaders());
  });
  app.post("/v2/tokens", async (c) => {
    const who = await login(c.env.SIGNING_KEY, c.req.header("authToken"));
    const body: Record<string, string> = await c.req.json();
    const tokens = Object.entries(KINDS).flatMap(([field, kind]) => {
      const token = body[field];
      return token === undefined ? [] : [{ kind, token }];
    });
    await registry.register(c.env, who, tokens);
    return c.json(await registered(c.env.SIGNING_KEY, who, tokens), 200, replyHeaders());
  });
  app.delete("/v2/tokens", async (c) => {
    await registry.removeAll(c.env, await login(c.env.SIGNING_KEY, c.req.header("authToken")));
    return c.json({ data: { success: true } }, 200, replyHeaders());
  });
  app.delete("/v3.0/me", async (c) => {
    await registry.removeSession(c.env, await login(c.env.SIGNING_KEY, c.req.header("authToken")));
    return c.json({ data: { success: true } }, 200, replyHeaders());
  });
  app.post("/v3/push_tokens/lookup", async (c) => {
    await checkApiKey(c.env.API_KEY_SHA256, c.req.header("apikey"));
    const { uids } = await c.req.json<{ uids: string[] }>();
    return c.json(found(uids, await registry.lookup(c.env, uids)), 200, replyHeaders());
  });
  app.get("/v3/push_tokens", async (c) => {
    if (registry.page === undefined) return c.notFound();
    await checkApiKey(c.env.API_KEY_SHA256, c.req.header("apikey"));
    const { limit, after } = pageAsked(c.req.query());
    return c.json(pageOf(limit, await registry.page(c.env, after, limit)), 200, replyHeaders());
  });
  return app;
}
