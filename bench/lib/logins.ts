// Users and auth tokens of the benchmarks, made without asking the Worker.
import { createHmac } from "node:crypto";

export const SIGNING_KEY = "benchmark-signing-key-0123456789abcdef";
/** SHA-256 of API_KEY. */
export const API_KEY = "benchmark-api-key";
export const API_KEY_SHA256 = "2a39601fdb6caf2ef64f95ff768b0a749dc53cfc4bff049e9cc437132d5250e8";

/** Vars and secrets of the registry under test; no limit that a benchmark could meet. */
export const REGISTRY_BINDINGS = {
  APP_BENCH: { appId: "bench", takeovers: { perUserAndHour: 1_000_000_000 } },
  SECRETS_BENCH: JSON.stringify({
    signingKeys: [{ kid: "bench", secret: SIGNING_KEY }],
    apiKeys: [{ name: "bench", scope: "fullAccess", sha256: API_KEY_SHA256 }],
  }),
};

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const HEADER = base64url({ alg: "HS256", typ: "auth+jwt", kid: "bench" });

/** An auth token as the registry mints them. */
export function authToken(uid: string, session: string, app = "bench"): string {
  const now = Date.now() / 1000;
  const payload = base64url({ app, sid: session, sub: uid, iat: now, exp: now + 24 * 3600 });
  const signature = createHmac("sha256", SIGNING_KEY).update(`${HEADER}.${payload}`).digest("base64url");
  return `${HEADER}.${payload}.${signature}`;
}

/** The headers of an Android app. */
export function clientHeaders(uid: string, session: string, app = "bench"): Record<string, string> {
  return {
    appId: app,
    authToken: authToken(uid, session, app),
    sdk: "android@4.0.10",
    "content-type": "application/json",
  };
}

export const SERVER_HEADERS = { appId: "bench", apikey: API_KEY, "content-type": "application/json" };
