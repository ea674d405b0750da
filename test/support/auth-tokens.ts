// Auth tokens of every kind that the Worker must tell apart: genuine ones of another time, and forged ones.
import { SignJWT } from "jose";
import { type Reply, TestSession, uniqueUid } from "./client.ts";

/** The signing keys of a test app (test/support/apps.ts). */
export const signingKey = {
  new: (app: string) => `signing-key-of-the-app-${app.toUpperCase()}-in-use-now`,
  old: (app: string) => `signing-key-of-the-app-${app.toUpperCase()}-in-use-before`,
};

export interface Forgery {
  uid?: string;
  /** The app that the token is presented to; its claim unless `claims` has another. */
  app?: string;
  header?: Record<string, unknown>;
  secret?: string;
  claims?: Record<string, unknown>;
}

/** A token as the Worker mints it, but for what is given; `undefined` leaves a field out. */
export async function forge({ uid = uniqueUid(), app = "test", header, secret, claims }: Forgery = {}) {
  const now = Math.floor(Date.now() / 1000);
  const payload = defined({ app, sid: crypto.randomUUID(), sub: uid, iat: now, exp: now + 3600, ...claims });
  const protectedHeader = defined({ alg: "HS256", typ: "auth+jwt", kid: "new", ...header });
  const authToken = await new SignJWT(payload)
    .setProtectedHeader(protectedHeader as { alg: string })
    .sign(new TextEncoder().encode(secret ?? signingKey.new(app)));
  return new TestSession(app, uid, authToken);
}

/** The session with an auth token that was over `seconds` ago, beyond the clock tolerance. */
export function expiredTwin(session: TestSession, seconds = 60): Promise<TestSession> {
  const { sid } = session.claims;
  const now = Math.floor(Date.now() / 1000);
  return forge({ uid: session.uid, app: session.app, claims: { sid, iat: now - 7200, exp: now - seconds } });
}

function defined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** What an SDK makes of a dead auth token: Android logs its user out on this very pair. */
export const DEAD: [number, string] = [401, "AUTH_ERR_AUTH_TOKEN_NOT_FOUND"];

export function outcome({ status, body }: Reply): [number, string] {
  return [status, body?.error?.code ?? "ok"];
}
