// What the Workers that people build instead have in common: the same auth check, bodies and replies as the registry.
import { Hono } from "hono";
import { jwtVerify } from "jose";

export interface Login {
  uid: string;
  session: string;
}

export interface Token {
  kind: "fcm" | "apns" | "voip";
  token: string;
}

export interface SubjectEnv {
  SIGNING_KEY: string;
}

/** What a storage must do for the API; each subject is one of these. */
export interface Registry<E> {
  list(env: E, login: Login): Promise<{ token: string; platform: string }[]>;
  /** Registers the tokens, each with this user only; writes nothing if that is how things are. */
  register(env: E, login: Login, tokens: Token[]): Promise<void>;
  removeSession(env: E, login: Login): Promise<void>;
  removeAll(env: E, login: Login): Promise<void>;
  lookup(env: E, uids: string[]): Promise<Record<string, { token: string; platform: string }[]>>;
}

const KINDS = { fcmToken: "fcm", apnsToken: "apns", voipToken: "voip" } as const;

export function platformOf(kind: Token["kind"]): string {
  return kind === "fcm" ? "android" : "ios";
}

let key: Promise<CryptoKey> | undefined;

async function login(env: SubjectEnv, authToken: string | undefined): Promise<Login> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  key ??= crypto.subtle.importKey("raw", new TextEncoder().encode(env.SIGNING_KEY), algorithm, false, ["verify"]);
  const { payload } = await jwtVerify(authToken ?? "", await key, { algorithms: ["HS256"] });
  return { uid: String(payload.sub), session: String(payload.sid) };
}

export function createSubject<E extends SubjectEnv>(registry: Registry<E>) {
  const app = new Hono<{ Bindings: E }>();
  app.get("/v2/tokens", async (c) => {
    const rows = await registry.list(c.env, await login(c.env, c.req.header("authToken")));
    const lists: Record<string, string[]> = { ios: [], web: [], android: [] };
    for (const row of rows) lists[row.platform]?.push(row.token);
    return c.json({ data: lists });
  });
  app.post("/v2/tokens", async (c) => {
    const who = await login(c.env, c.req.header("authToken"));
    const body: Record<string, string> = await c.req.json();
    const tokens = Object.entries(KINDS).flatMap(([field, kind]) => {
      const token = body[field];
      return token === undefined ? [] : [{ kind, token }];
    });
    await registry.register(c.env, who, tokens);
    return c.json({ data: { success: true } });
  });
  app.delete("/v2/tokens", async (c) => {
    await registry.removeAll(c.env, await login(c.env, c.req.header("authToken")));
    return c.json({ data: { success: true } });
  });
  app.delete("/v3.0/me", async (c) => {
    await registry.removeSession(c.env, await login(c.env, c.req.header("authToken")));
    return c.json({ data: { success: true } });
  });
  app.post("/v3/push_tokens/lookup", async (c) => {
    const { uids } = await c.req.json<{ uids: string[] }>();
    return c.json({ data: await registry.lookup(c.env, uids) });
  });
  return app;
}
