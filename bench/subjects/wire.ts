// What every subject does alike: the same check of JWTs and API keys, the same headers of replies, the same unregister ticket.
// Nobody is faster for asking or saying less.
import { CompactSign, jwtVerify } from "jose";

export interface Login {
  uid: string;
  session: string;
}

export interface Token {
  kind: "fcm" | "apns" | "voip";
  token: string;
}

/** The fields of `POST /v2/tokens`. */
export const KINDS = { fcmToken: "fcm", apnsToken: "apns", voipToken: "voip" } as const;

/** A Firebase installation id, which senders address otherwise than a token (docs/fcm.md). */
const FID = /^[c-f][A-Za-z0-9_-]{21}$/;
const RETENTION_SECONDS = 270 * 24 * 3600;

const encoder = new TextEncoder();
const keys = new Map<string, Promise<CryptoKey>>();

/** Imported once. */
function hmacKey(secret: string): Promise<CryptoKey> {
  let key = keys.get(secret);
  if (key === undefined) {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    key = crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign", "verify"]);
    keys.set(secret, key);
  }
  return key;
}

/** @throws if the auth token is not genuine */
export async function login(secret: string, authToken: unknown): Promise<Login> {
  const { payload } = await jwtVerify(String(authToken), await hmacKey(secret), { algorithms: ["HS256"] });
  return { uid: String(payload.sub), session: String(payload.sid) };
}

/** @throws if the API key is not the one of this SHA-256 in hex digits */
export async function checkApiKey(sha256: string, apiKey: unknown): Promise<void> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(String(apiKey))));
  let different = 0;
  for (const [i, byte] of digest.entries()) different |= byte ^ Number.parseInt(sha256.slice(i * 2, i * 2 + 2), 16);
  if (different !== 0) throw new Error("the API key is wrong");
}

/** A stored registration. Times are epoch milliseconds. */
export interface Row extends Token {
  uid: string;
  session: string;
  platform: string;
  registeredAt: number;
  refreshedAt: number;
}

/** The reply to a lookup. */
export function found(uids: string[], rows: Row[]) {
  return { data: { users: usersOf(uids, rows), errors: [] } };
}

function usersOf(uids: Iterable<string>, rows: Row[]) {
  const byUid = new Map<string, object[]>(Array.from(uids, (uid) => [uid, []]));
  for (const { uid, token, kind, platform, session, registeredAt, refreshedAt } of rows) {
    const target = kind === "fcm" ? { target: FID.test(token) ? "fid" : "token" } : {};
    byUid
      .get(uid)
      ?.push({ token, kind, ...target, platform, sessionId: session, registeredAt, refreshedAt, suspect: false });
  }
  return [...byUid].map(([uid, pushTokens]) => ({ uid, pushTokens }));
}

/** The query of `GET /v3/push_tokens`: users after the last one of the page before. */
export function pageAsked(query: { limit?: string; cursor?: string }): { limit: number; after: string } {
  return { limit: Number(query.limit ?? 100), after: query.cursor ?? "" };
}

/** The reply to it. `rows`: all tokens of the next `limit` users, in the order of their uids. */
export function pageOf(limit: number, rows: Row[]) {
  const uids = new Set(rows.map(({ uid }) => uid));
  const users = usersOf(uids, rows);
  return { data: { users, ...(uids.size < limit ? {} : { cursor: users.at(-1)?.uid }) } };
}

export function replyHeaders(): Record<string, string> {
  return {
    "X-Request-Id": crypto.randomUUID(),
    "X-Content-Type-Options": "nosniff",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag,Retry-After,X-Request-Id",
    "Cache-Control": "no-store",
  };
}

/** The reply to a registration. */
export async function registered(secret: string, { uid, session }: Login, tokens: Token[]) {
  const now = Date.now();
  const slots = tokens.map((token) => ({ ...token, registeredAt: now }));
  const claims = { app: "bench", sub: uid, sid: session, slots, exp: now / 1000 + RETENTION_SECONDS };
  const unregisterTicket = await new CompactSign(encoder.encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: "HS256", typ: "unregister+jwt", kid: "bench" })
    .sign(await hmacKey(secret));
  return { data: { success: true, unregisterTicket } };
}
