import { afterEach, beforeAll, describe, it, vi } from "vitest";
import {
  CLOCK_TOLERANCE_MS,
  DAY_MS,
  JWKS_BYTES_MAX,
  JWKS_COOLDOWN_MS,
  JWKS_FRESH_MS,
  JWKS_RETRY_MS,
  JWKS_STALE_MS,
} from "../../src/limits.ts";
import { JWT_SECRETS } from "../support/apps.ts";
import { serverCall, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import {
  appOf,
  FakeIssuer,
  jwtLogin,
  type Key,
  newKey,
  nowSeconds,
  secretKey,
  serveIssuers,
  strayRequests,
} from "../support/issuer.ts";

const SECRET = secretKey(JWT_SECRETS[0]?.secret ?? "", "now");
const DEAD = { status: 401, body: { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } } };

beforeAll(serveIssuers);
afterEach(() => {
  vi.useRealTimers();
});

/** Moves the clock of the Worker and of the issuers. */
function pass(ms: number): void {
  const now = Date.now() + ms;
  vi.useFakeTimers({ toFake: ["Date"], now });
}

/** The same session with a new auth token, as an app gets it when the first one is about to expire. */
function refreshed(session: TestSession, key: Key, app: string, iat = nowSeconds()): Promise<TestSession> {
  return jwtLogin(app, { key, claims: { sub: session.uid, sid: session.id, iat, exp: iat + 3600 } });
}

describe("an app with its own login, by shared secret", () => {
  for (const { kid, secret } of JWT_SECRETS) {
    it(`accepts tokens of the secret ${kid ?? "without a name"}`, async ({ expect }) => {
      const session = await jwtLogin("SECRET", { key: secretKey(secret, kid) });
      const pushToken = uniqueToken();
      expect((await session.register({ fcmToken: pushToken })).status).toBe(200);
      expect(await session.tokens()).toEqual([pushToken]);
    });

    it(`accepts tokens without a kid, of the secret ${kid ?? "without a name"}`, async ({ expect }) => {
      const session = await jwtLogin("SECRET", { key: secretKey(secret) });
      expect((await session.call("GET", "/v2/tokens")).status).toBe(200);
    });
  }

  it("refuses a named secret under another one's name", async ({ expect }) => {
    const session = await jwtLogin("SECRET", { key: secretKey(JWT_SECRETS[0]?.secret ?? "", "before") });
    expect(await session.call("GET", "/v2/tokens")).toMatchObject(DEAD);
  });

  it("mints no auth tokens here", async ({ expect }) => {
    const reply = await serverCall("POST", "/v3/users/alice/auth_tokens", {}, "jwt-secret");
    expect(reply).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST" } } });
    expect(reply.body.error.message).toContain("own login");
  });

  it("logs an SDK in with its own token, and sends it back here", async ({ expect }) => {
    const session = await jwtLogin("SECRET", { key: SECRET });
    const { body } = await session.call("PUT", "/v3.0/me", { body: {} });
    expect(body.data).toMatchObject({ uid: session.uid, authToken: session.authToken });
  });
});

describe("the claims of a token", () => {
  it("name user and session deep in an object, or under a URL; numbers are as good as text", async ({ expect }) => {
    const id = Math.floor(Math.random() * 1e15);
    const claims = { user: { account: { id } }, "https://example.com/session": 1_700_000_000 };
    const session = await jwtLogin("CLAIMS", { key: SECRET, claims });
    await session.register({ fcmToken: uniqueToken() });
    const { body } = await serverCall("GET", `/v3/users/${id}/push_tokens`, {}, "jwt-claims");
    expect(body.data).toMatchObject({ uid: String(id), pushTokens: [{ sessionId: "1700000000" }] });
  });

  it("must name the session: the error says so, and does not log the user out", async ({ expect }) => {
    for (const sid of [undefined, null, "", true, ["a"], { id: "a" }, "x".repeat(256), "a\u0000b"]) {
      const session = await jwtLogin("SECRET", { key: SECRET, claims: { sid } });
      const reply = await session.register({ fcmToken: uniqueToken() });
      expect(reply).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST" } } });
      expect(reply.body.error.details.authToken[0]).toContain('the session in its claim "sid"');
    }
    const longest = await jwtLogin("SECRET", { key: SECRET, claims: { sid: "x".repeat(255) } });
    expect((await longest.register({ fcmToken: uniqueToken() })).status).toBe(200);
  });

  it("must name the user", async ({ expect }) => {
    const session = await jwtLogin("CLAIMS", {
      key: SECRET,
      claims: { user: "not an object", "https://example.com/session": "s" },
    });
    const reply = await session.call("GET", "/v2/tokens");
    expect(reply.status).toBe(400);
    expect(reply.body.error.details.authToken).toEqual([expect.stringContaining('"user.account.id"')]);
  });

  it("must say when the token was issued and when it ends", async ({ expect }) => {
    for (const claim of ["iat", "exp"]) {
      for (const value of [undefined, "1700000000"]) {
        const session = await jwtLogin("SECRET", { key: SECRET, claims: { [claim]: value } as never });
        const reply = await session.call("GET", "/v2/tokens");
        expect(reply.status).toBe(400);
        expect(reply.body.error.details.authToken[0]).toContain(`"${claim}"`);
      }
    }
  });

  it("must name one of the audiences, if there are any", async ({ expect }) => {
    const status = async (app: string, aud: unknown) => {
      const session = await jwtLogin(app, { key: SECRET, claims: { aud } as never });
      return (await session.call("GET", "/v2/tokens")).status;
    };
    expect(await status("AUDIENCES", "registry-2")).toBe(200);
    expect(await status("AUDIENCES", ["elsewhere", "registry"])).toBe(200);
    expect(await status("AUDIENCES", "elsewhere")).toBe(401);
    expect(await status("AUDIENCES", undefined)).toBe(401);
    expect(await status("NOBODY", undefined)).toBe(200);
    expect(await status("NOBODY", "elsewhere")).toBe(401);
  });
});

describe("time", () => {
  const tolerance = CLOCK_TOLERANCE_MS / 1000;

  it("may differ between the clocks by the tolerance", async ({ expect }) => {
    const now = nowSeconds();
    const late = await jwtLogin("SECRET", { key: SECRET, claims: { exp: now - tolerance + 10 } });
    const early = await jwtLogin("SECRET", { key: SECRET, claims: { iat: now + tolerance - 10, nbf: now + 10 } });
    expect((await late.register({ fcmToken: uniqueToken() })).status).toBe(200);
    expect((await early.register({ fcmToken: uniqueToken() })).status).toBe(200);
  });

  it("makes a token of the future wait, and does not log its user out", async ({ expect }) => {
    const future = nowSeconds() + tolerance + 30;
    for (const claims of [{ iat: future }, { nbf: future }]) {
      const session = await jwtLogin("SECRET", { key: SECRET, claims });
      const reply = await session.register({ fcmToken: uniqueToken() });
      expect(reply.status).toBe(503);
      expect(Number(reply.headers.get("retry-after"))).toBeGreaterThan(0);
    }
  });

  it("lets an expired token remove its session's tokens, but neither add, read nor remove others", async ({
    expect,
  }) => {
    const session = await jwtLogin("SECRET", { key: SECRET });
    const [mine, other] = [uniqueToken(), uniqueToken()];
    const elsewhere = await jwtLogin("SECRET", { key: SECRET, claims: { sub: session.uid } });
    await session.register({ fcmToken: mine });
    await elsewhere.register({ fcmToken: other });
    const expired = await refreshed(session, SECRET, "SECRET", nowSeconds() - 7200);

    expect(await expired.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
    expect(await expired.call("GET", "/v2/tokens")).toMatchObject(DEAD);
    expect(await expired.delete({ all: true })).toMatchObject(DEAD);
    expect(await elsewhere.tokens()).toEqual([mine, other]);
    expect((await expired.delete()).status).toBe(200);
    expect(await elsewhere.tokens()).toEqual([other]);
  });

  it("refuses a token that was issued longer ago than a session may last, however late it ends", async ({ expect }) => {
    const { maximumSessionDays } = appOf("SECRET").jwt;
    const iat = nowSeconds() - (maximumSessionDays * DAY_MS) / 1000 - tolerance - 10;
    const session = await jwtLogin("SECRET", { key: SECRET, claims: { iat, exp: nowSeconds() + 3600 } });
    expect(await session.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
  });
});

describe("the end of a session", () => {
  it("is final after a logout, for later tokens of the same session too, for as long as the longest session may last", async ({
    expect,
  }) => {
    const session = await jwtLogin("SECRET", { key: SECRET });
    await session.register({ fcmToken: uniqueToken() });
    expect((await session.logout()).status).toBe(200);
    expect(await session.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
    const { maximumSessionDays } = appOf("SECRET").jwt;
    for (const days of [0, 1, maximumSessionDays - 1]) {
      pass(days * DAY_MS);
      const later = await refreshed(session, SECRET, "SECRET");
      expect(await later.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
      vi.useRealTimers();
    }
    const next = await jwtLogin("SECRET", { key: SECRET, claims: { sub: session.uid } });
    expect((await next.register({ fcmToken: uniqueToken() })).status).toBe(200);
  });

  it("is final after a logout by an expired token, which the session may have replaced", async ({ expect }) => {
    const session = await jwtLogin("SECRET", { key: SECRET });
    await session.register({ fcmToken: uniqueToken() });
    const expired = await refreshed(session, SECRET, "SECRET", nowSeconds() - 7200);
    expect((await expired.logout()).status).toBe(200);
    expect(await session.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
  });

  it("comes with the end of all sessions: for tokens of that very second, and for the known sessions' later ones", async ({
    expect,
  }) => {
    const session = await jwtLogin("SECRET", { key: SECRET });
    const { uid } = session;
    await session.register({ fcmToken: uniqueToken() });
    const reply = await serverCall("DELETE", `/v3/users/${uid}/sessions`, {}, "jwt-secret");
    expect(reply.body.data).toEqual({ success: true, removed: 1, ended: "known" });

    const held = await serverCall("GET", `/v3/users/${uid}/export`, {}, "jwt-secret");
    const second = Math.floor(held.body.data.validFrom / 1000);
    const register = async (sid: string, iat: number) => {
      const claims = { sub: uid, sid, iat, exp: iat + 3600 };
      return (await jwtLogin("SECRET", { key: SECRET, claims })).register({ fcmToken: uniqueToken() });
    };
    expect(await register("another", second)).toMatchObject(DEAD);
    expect(await register("another", second + 0.999)).toMatchObject(DEAD);
    expect((await register("another", second + 1)).status).toBe(200);
    expect(await register(session.id, second + 1)).toMatchObject(DEAD);
  });
});

describe("a published key set", () => {
  for (const algorithm of ["RS256", "ES256", "EdDSA"] as const) {
    it(`verifies ${algorithm}`, async ({ expect }) => {
      const issuer = await FakeIssuer.start({ keys: [await newKey(algorithm)] });
      const session = await issuer.login();
      const pushToken = uniqueToken();
      expect((await session.register({ fcmToken: pushToken })).status).toBe(200);
      expect(await session.tokens()).toEqual([pushToken]);
    });
  }

  // Concurrent requests: test/system/jwks.test.ts. The test pool's workerd lets no request settle another's promise.
  it("is fetched once, and then serves from memory", async ({ expect }) => {
    const issuer = await FakeIssuer.start();
    for (let i = 0; i < 5; i += 1) expect((await (await issuer.login()).call("GET", "/v2/tokens")).status).toBe(200);
    expect(issuer.requests).toBe(1);
  });

  it("verifies a token without a kid only if one key alone fits", async ({ expect }) => {
    const issuer = await FakeIssuer.start();
    const session = await issuer.login({ key: { ...issuer.key, kid: undefined } });
    expect((await session.call("GET", "/v2/tokens")).status).toBe(200);
    issuer.keys.push(await newKey());
    pass(JWKS_FRESH_MS + 1000);
    expect(await session.call("GET", "/v2/tokens")).toMatchObject(DEAD);
  });

  it("is fetched again for a key that it does not name, once in 30 s", async ({ expect }) => {
    const issuer = await FakeIssuer.start();
    await (await issuer.login()).call("GET", "/v2/tokens");
    issuer.keys = [await newKey()];

    const early = await (await issuer.login()).call("GET", "/v2/tokens");
    expect(early.status).toBe(503);
    expect(Number(early.headers.get("retry-after"))).toBeGreaterThan(JWKS_COOLDOWN_MS / 1000 - 10);
    expect(issuer.requests).toBe(1);

    pass(JWKS_COOLDOWN_MS + 1000);
    for (let i = 0; i < 3; i += 1) expect((await (await issuer.login()).call("GET", "/v2/tokens")).status).toBe(200);
    expect(issuer.requests).toBe(2);
  });

  it("makes a token dead when a set fetched after it does not name its key", async ({ expect }) => {
    const issuer = await FakeIssuer.start();
    const session = await issuer.login({ key: await newKey() });
    expect(await session.call("GET", "/v2/tokens")).toMatchObject(DEAD);
    expect(issuer.requests).toBe(1);
  });

  it("forgets a key that the issuer withdrew, when it is not fresh any more", async ({ expect }) => {
    const issuer = await FakeIssuer.start();
    const session = await issuer.login();
    expect((await session.call("GET", "/v2/tokens")).status).toBe(200);
    issuer.keys = [await newKey()];
    pass(JWKS_FRESH_MS + 1000);
    expect(await session.call("GET", "/v2/tokens")).toMatchObject(DEAD);
  });

  it("is kept for a day at most while the issuer is down, and the issuer is asked once in 30 s", async ({ expect }) => {
    const issuer = await FakeIssuer.start();
    const session = await issuer.login({ claims: { exp: nowSeconds() + 30 * 86_400 } });
    const status = async () => (await session.call("GET", "/v2/tokens")).status;
    expect(await status()).toBe(200);
    issuer.answer = () => new Response("bad gateway", { status: 502 });
    pass(JWKS_FRESH_MS + 1000);
    for (let i = 0; i < 5; i += 1) expect(await status()).toBe(200);
    expect(issuer.requests).toBe(2);
    pass(JWKS_COOLDOWN_MS + 1000);
    expect(await status()).toBe(200);
    expect(issuer.requests).toBe(3);
    pass(JWKS_STALE_MS);
    expect(await status()).toBe(503);
  });

  it("does not make a token dead while the issuer is down", async ({ expect }) => {
    const issuer = await FakeIssuer.start();
    await (await issuer.login()).call("GET", "/v2/tokens");
    issuer.answer = () => new Response(null, { status: 500 });
    pass(JWKS_COOLDOWN_MS + 1000);
    const session = await issuer.login({ key: await newKey() });
    expect((await session.call("GET", "/v2/tokens")).status).toBe(503);
  });

  it("is waited for with 503 while there is none, and found soon after the issuer is back", async ({ expect }) => {
    const issuer = await FakeIssuer.start();
    issuer.answer = () => Promise.reject(new TypeError("connection refused"));
    const session = await issuer.login();
    for (let i = 0; i < 3; i += 1) {
      const reply = await session.register({ fcmToken: uniqueToken() });
      expect(reply).toMatchObject({ status: 503, body: { error: { code: "ERR_OPERATION_FAILED" } } });
      expect(Number(reply.headers.get("retry-after"))).toBeLessThanOrEqual(JWKS_RETRY_MS / 1000);
    }
    expect(issuer.requests).toBe(1);
    issuer.answer = () => issuer.keySet();
    pass(JWKS_RETRY_MS + 1000);
    expect((await session.register({ fcmToken: uniqueToken() })).status).toBe(200);
  });

  const unusable: [string, (issuer: FakeIssuer) => Response][] = [
    ["too large", () => new Response(`{"keys":[]}${" ".repeat(JWKS_BYTES_MAX)}`)],
    ["a redirect", () => new Response(null, { status: 302, headers: { location: "https://elsewhere.test/jwks" } })],
    ["no JSON", () => new Response("<html>")],
    ["no key set", () => Response.json(["keys"])],
    ["null", () => Response.json(null)],
    ["without keys", () => Response.json({ keys: [] })],
    ["of keys that are none", () => Response.json({ keys: [null, "key", 7, {}] })],
  ];
  it.for(unusable)("is not used where it is %s: the one before it stays", async ([, answer], { expect }) => {
    const issuer = await FakeIssuer.start();
    const session = await issuer.login();
    expect((await session.call("GET", "/v2/tokens")).status).toBe(200);
    issuer.answer = () => answer(issuer);
    pass(JWKS_FRESH_MS + 1000);
    expect((await session.call("GET", "/v2/tokens")).status).toBe(200);
    expect(issuer.requests).toBe(2);
    expect(strayRequests).toEqual([]);
  });
});

describe("identities of users", () => {
  it("are apart: the same uid in two apps is two users", async ({ expect }) => {
    const sub = uniqueUid();
    const [one, two] = [await jwtLogin("SECRET", { key: SECRET, claims: { sub } }), await FakeIssuer.start()];
    const other = await two.login({ claims: { sub } });
    const pushToken = uniqueToken();
    await one.register({ fcmToken: pushToken });
    expect(await other.tokens()).toEqual([]);
  });
});
