// Auth tokens of identity `issued`: how they are minted, and which ones are genuine.
import { describe, it, vi } from "vitest";
import { DAY_MS } from "../../src/limits.ts";
import { API_KEYS } from "../support/apps.ts";
import { DEAD, expiredTwin, type Forgery, forge, outcome, signingKey } from "../support/auth-tokens.ts";
import { call, login, serverCall, TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import { rulesOf, userObject } from "../support/objects.ts";

const MONTH_SECONDS = 30 * 86_400;

const mintPath = (uid: string, prefix = "/v3") => `${prefix}/users/${encodeURIComponent(uid)}/auth_tokens`;

function part(authToken: string, index: 0 | 1) {
  const text = authToken.split(".")[index] ?? "";
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

describe("minting", () => {
  it("makes a JWT with these claims and no others", async ({ expect }) => {
    const uid = uniqueUid();
    const before = Date.now();
    const { body } = await serverCall("POST", mintPath(uid));
    expect(body).toEqual({ data: { uid, authToken: expect.any(String), createdAt: expect.any(Number) } });
    const { authToken, createdAt } = body.data;
    expect(part(authToken, 0)).toEqual({ alg: "HS256", typ: "auth+jwt", kid: "new" });
    const claims = part(authToken, 1);
    expect(claims).toEqual({
      sub: uid,
      sid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      app: "test",
      iat: expect.any(Number),
      exp: claims.iat + MONTH_SECONDS,
    });
    expect(Math.round(claims.iat * 1000)).toBeGreaterThanOrEqual(before);
    expect(Math.round(claims.iat * 1000)).toBeLessThanOrEqual(Date.now());
    expect(createdAt).toBe(Math.floor(claims.iat));
  });

  it("is the same under /v3 and /v3.0, by a full and by a minting key", async ({ expect }) => {
    for (const prefix of ["/v3", "/v3.0", "//v3.0/"]) {
      for (const apikey of [API_KEYS.fullAccess, API_KEYS.authOnly]) {
        const uid = uniqueUid();
        const { status, body } = await serverCall("POST", mintPath(uid, prefix), { headers: { apikey } });
        expect([status, body.data.uid]).toEqual([200, uid]);
      }
    }
  });

  it.for([
    ["a sender's key", { apikey: API_KEYS.sender }, 403, "AUTH_ERR_NO_ACCESS"],
    ["no key", { apikey: "" }, 401, "AUTH_ERR_EMPTY_APIKEY"],
    ["the word undefined for a key", { apikey: "undefined" }, 401, "AUTH_ERR_EMPTY_APIKEY"],
    ["a wrong key", { apikey: `${API_KEYS.fullAccess}!` }, 401, "AUTH_ERR_APIKEY_NOT_FOUND"],
    ["the hash of a key", { apikey: "226ba9075cc5b10c61e2ad6f490d231b" }, 401, "AUTH_ERR_APIKEY_NOT_FOUND"],
  ] as const)("is refused to %s", async ([, headers, status, code], { expect }) => {
    const reply = await serverCall("POST", mintPath(uniqueUid()), { headers });
    expect(outcome(reply)).toEqual([status, code]);
  });

  it.for([
    ["no body", undefined, {}],
    ["an empty form, as Android sends it", "", { "content-type": "application/x-www-form-urlencoded" }],
    ["an empty object", {}, {}],
    ["`force`", { force: true }, {}],
    ["nulls", { force: null, lifetimeSeconds: null }, {}],
    [
      "what the SDK's login(uid, authKey) sends",
      {
        platform: "WEB",
        deviceId: "test_0b7ad1f4-6b1e-4b6a-8f6e-1f6f4c1d2e3f_1795548153000",
        appInfo: { version: "v4.2.0", apiVersion: "v3.0", userAgent: "Mozilla/5.0" },
      },
      {
        "content-type": "application/json",
        resource: "WEB-4_2_0-x-1",
        sdk: "javascript@4.2.0",
        accept: "application/json",
      },
    ],
  ] as const)("takes %s", async ([, body, headers], { expect }) => {
    const reply = await serverCall("POST", mintPath(uniqueUid()), {
      headers: { ...headers, apikey: API_KEYS.authOnly },
      ...(body === undefined ? {} : { body }),
    });
    expect(reply.status).toBe(200);
    expect(part(reply.body.data.authToken, 1).exp).toBeGreaterThan(Date.now() / 1000 + MONTH_SECONDS - 60);
  });

  it("gives the lifetime that is asked for, from a minute to the app's longest", async ({ expect }) => {
    for (const lifetimeSeconds of [60, 3600, 3 * MONTH_SECONDS]) {
      const { claims } = await login(undefined, { lifetimeSeconds });
      expect(claims.exp - claims.iat).toBeCloseTo(lifetimeSeconds, 3);
    }
    for (const lifetimeSeconds of [59, 0, -1, 60.5, "3600", 3 * MONTH_SECONDS + 1, 1e300, true, {}]) {
      const reply = await serverCall("POST", mintPath(uniqueUid()), { body: { lifetimeSeconds } });
      expect(outcome(reply)).toEqual([400, "ERR_BAD_REQUEST"]);
      expect(Object.keys(reply.body.error.details)).toEqual(["lifetimeSeconds"]);
    }
  });

  it.for([
    "u".repeat(255),
    "\u{1f600}".repeat(255),
    "Ünï-cödé 用户 \u{1f600}",
    "a/b",
    "a%2Fb",
    "..%2f..",
    "a?b#c&d=e",
    "a:b",
    "sessions",
    "__proto__",
    " ",
    "\u00a0",
    '"\\',
  ])("serves the uid %j, and no other by the same token", async (uid, { expect }) => {
    const session = await login(uid);
    const token = uniqueToken();
    expect(part(session.authToken, 1).sub).toBe(uid);
    expect((await session.register({ fcmToken: token })).status).toBe(200);
    expect(await session.tokens()).toEqual([token]);
    const me = await session.call("GET", "/v3.0/me");
    expect(me.body.data.uid).toBe(uid);
    const lookup = await serverCall("GET", `/v3/users/${encodeURIComponent(uid)}/push_tokens`);
    expect(lookup.body.data.pushTokens).toMatchObject([{ token }]);
    expect(await (await login(`${[...uid].slice(0, 254).join("")}x`)).tokens()).toEqual([]);
  });

  it("tells uids apart by case and by encoding", async ({ expect }) => {
    const id = crypto.randomUUID();
    const uids = [`a/${id}`, `a%2F${id}`, `A/${id}`, `a%252F${id}`];
    for (const uid of uids) await (await login(uid)).register({ fcmToken: `token-of-${uid}` });
    for (const uid of uids) expect(await (await login(uid)).tokens()).toEqual([`token-of-${uid}`]);
  });

  it.for(["u".repeat(256), "\u{1f600}".repeat(256), "a\u0000", "a\n", "\u007f", "\u0085", "a\tb"])(
    "refuses the uid %j",
    async (uid, { expect }) => {
      const reply = await serverCall("POST", mintPath(uid));
      expect(outcome(reply)).toEqual([400, "ERR_BAD_REQUEST"]);
      expect(Object.keys(reply.body.error.details)).toEqual(["uid"]);
    },
  );

  it("refuses a uid with a lone surrogate, however it is encoded", async ({ expect }) => {
    for (const uid of ["%ED%A0%80", "%ED%B0%80", "a%ED%A0%80b"]) {
      expect(outcome(await serverCall("POST", `/v3/users/${uid}/auth_tokens`))).toEqual([400, "ERR_BAD_REQUEST"]);
    }
    const forged = await forge({ claims: { sub: "a\ud800" } });
    expect(outcome(await forged.call("GET", "/v2/tokens"))).toEqual(DEAD);
  });
});

describe("an auth token", () => {
  it("signed with the key in use before is good, and so is one with the new key", async ({ expect }) => {
    for (const [kid, secret] of [
      ["old", signingKey.old("test")],
      ["new", signingKey.new("test")],
    ] as const) {
      const session = await forge({ header: { kid }, secret });
      const token = uniqueToken();
      expect((await session.register({ fcmToken: token })).status).toBe(200);
      expect(await session.tokens()).toEqual([token]);
    }
  });

  it.for<[string, Forgery]>([
    ["of an unknown key id", { header: { kid: "older" } }],
    ["without a key id", { header: { kid: undefined } }],
    ["whose key id is of another key", { header: { kid: "old" } }],
    ["whose key id is no text", { header: { kid: 1 } }],
    ["of type JWT", { header: { typ: "JWT" } }],
    ["of the type of tickets", { header: { typ: "unregister+jwt" } }],
    ["without a type", { header: { typ: undefined } }],
    ["signed with HS512", { header: { alg: "HS512" } }],
    ["signed with HS384", { header: { alg: "HS384" } }],
    ["signed with another app's key", { secret: signingKey.new("other") }],
    ["signed with an empty key of the same length", { secret: "\u0000".repeat(40) }],
    ["of another app", { claims: { app: "other" } }],
    ["of no app", { claims: { app: undefined } }],
    ["without a user", { claims: { sub: undefined } }],
    ["whose user is no text", { claims: { sub: 7 } }],
    ["whose user is empty", { claims: { sub: "" } }],
    ["whose user is longer than any", { claims: { sub: "u".repeat(256) } }],
    ["without a session", { claims: { sid: undefined } }],
    ["whose session is no text", { claims: { sid: 7 } }],
    ["without a time of issue", { claims: { iat: undefined } }],
    ["whose time of issue is no number", { claims: { iat: "yesterday" } }],
    ["without an end", { claims: { exp: undefined } }],
    ["whose end is no number", { claims: { exp: "never" } }],
    ["that is not valid yet", { claims: { nbf: Math.floor(Date.now() / 1000) + 600 } }],
  ])("%s is dead", async ([, forgery], { expect }) => {
    const forged = await forge(forgery);
    for (const [method, path] of [
      ["POST", "/v2/tokens"],
      ["GET", "/v2/tokens"],
      ["DELETE", "/v2/tokens"],
      ["DELETE", "/v3.0/me"],
    ] as const) {
      const body = method === "POST" ? { body: { fcmToken: "t" } } : {};
      expect(outcome(await forged.call(method, path, body))).toEqual(DEAD);
    }
  });

  it("without a signature is dead, whatever its header says", async ({ expect }) => {
    const { authToken, uid } = await login();
    const [, payload = ""] = authToken.split(".");
    const encode = (header: object) => btoa(JSON.stringify(header)).replaceAll("=", "");
    for (const alg of ["none", "None", "NONE", "HS256"]) {
      const unsigned = `${encode({ alg, typ: "auth+jwt", kid: "new" })}.${payload}.`;
      expect(outcome(await new TestSession("test", uid, unsigned).call("GET", "/v2/tokens"))).toEqual(DEAD);
    }
  });

  it("is good for half a minute after it expires, because clocks differ, and no longer", async ({ expect }) => {
    const now = Math.floor(Date.now() / 1000);
    const within = await forge({ claims: { iat: now - 100, exp: now - 15 } });
    const token = uniqueToken();
    expect((await within.register({ fcmToken: token })).status).toBe(200);
    expect(await within.tokens()).toEqual([token]);
    const beyond = await forge({ claims: { iat: now - 100, exp: now - 31 } });
    expect(outcome(await beyond.register({ fcmToken: token }))).toEqual(DEAD);
    expect(outcome(await beyond.call("GET", "/v2/tokens"))).toEqual(DEAD);
  });

  it("that has expired may still remove its own session's tokens, and nothing else", async ({ expect }) => {
    const [session, sibling] = await Promise.all([0, 0].map(() => login("user-with-an-expired-session")));
    if (session === undefined || sibling === undefined) throw new Error("two logins");
    const [mine, other, late] = [uniqueToken(), uniqueToken(), uniqueToken()];
    await session.register({ fcmToken: mine, apnsToken: mine });
    await sibling.register({ fcmToken: other });
    const expired = await expiredTwin(session);
    expect(outcome(await expired.delete({ all: true }))).toEqual(DEAD);
    expect(outcome(await expired.register({ fcmToken: late }))).toEqual(DEAD);
    expect(outcome(await expired.call("GET", "/v2/tokens"))).toEqual(DEAD);
    expect(outcome(await expired.call("PUT", "/v3.0/me"))).toEqual(DEAD);
    expect((await sibling.tokens()).sort()).toEqual([mine, mine, other].sort());
    expect(outcome(await expired.delete({ all: false }))).toEqual([200, "ok"]);
    expect(await sibling.tokens()).toEqual([other]);
    expect(outcome(await expired.delete())).toEqual([200, "ok"]);
  });

  it("that has expired may still log out", async ({ expect }) => {
    const uid = uniqueUid();
    const [session, sibling] = [await login(uid), await login(uid)];
    const [mine, other] = [uniqueToken(), uniqueToken()];
    await session.register({ fcmToken: mine });
    await sibling.register({ fcmToken: other });
    const expired = await expiredTwin(session, 200 * 86_400);
    for (let i = 0; i < 2; i++) expect(outcome(await expired.logout())).toEqual([200, "ok"]);
    expect(await sibling.tokens()).toEqual([other]);
  });

  it("that was issued in the very millisecond in which all sessions ended is dead; one minted after it is good", async ({
    expect,
  }) => {
    const uid = uniqueUid();
    const before = await login(uid);
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      vi.setSystemTime(Math.round(before.claims.iat * 1000));
      expect((await serverCall("DELETE", `/v3/users/${uid}/sessions`)).status).toBe(200);
      const after = await login(uid);
      expect(outcome(await before.register({ fcmToken: uniqueToken() }))).toEqual(DEAD);
      expect(outcome(await before.call("GET", "/v3.0/me"))).toEqual(DEAD);
      expect((await after.register({ fcmToken: uniqueToken() })).status).toBe(200);
      expect(after.claims.iat).toBeGreaterThan(before.claims.iat);
      // The clock of the user's object may be ahead of that of the Worker that mints.
      const object = await userObject("test", uid);
      vi.setSystemTime(Date.now() + DAY_MS);
      await object.endAllSessions({ rules: rulesOf("test"), trustedTime: true });
      vi.setSystemTime(Date.now() - DAY_MS);
      const later = await login(uid);
      expect(outcome(await after.call("GET", "/v3.0/me"))).toEqual(DEAD);
      expect((await later.call("GET", "/v3.0/me")).status).toBe(200);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("promise 6: nobody reads or changes another user's tokens", () => {
  it("with an auth token of another user, session, app or with no more than a uid", async ({ expect }) => {
    const alice = await login();
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    const mallory = await login();
    const namesake = await login(alice.uid, { app: "other" });
    const resource = { resource: "WEB-4_2_0-shared-1" };
    for (const attacker of [mallory, namesake]) {
      for (const path of ["/v2/tokens", `/v2/tokens?uid=${alice.uid}`, `/v2/tokens?authToken=${alice.authToken}`]) {
        const headers = { ...resource, uid: alice.uid, Authorization: `Bearer ${alice.authToken}` };
        expect((await attacker.call("GET", path, { headers })).body.data).toEqual({ ios: [], web: [], android: [] });
        expect((await attacker.call("DELETE", path, { headers, body: { all: true, uid: alice.uid } })).status).toBe(
          200,
        );
      }
      await attacker.logout();
    }
    for (const [appId, authToken] of [
      ["other", alice.authToken],
      ["test", namesake.authToken],
    ] as const) {
      const reply = await call("DELETE", "/v2/tokens", { headers: { appId, authToken }, body: { all: true } });
      expect(outcome(reply)).toEqual(DEAD);
    }
    const paths = ["push_tokens", "sessions", "export"].map((what) => `/v3/users/${alice.uid}/${what}`);
    for (const path of paths) {
      expect((await mallory.call("GET", path)).body.error.code).toBe("AUTH_ERR_EMPTY_APIKEY");
      const bought = await mallory.call("GET", path, { headers: { apikey: API_KEYS.authOnly } });
      expect(outcome(bought)).toEqual([403, "AUTH_ERR_NO_ACCESS"]);
    }
    expect((await mallory.call("DELETE", `/v3/users/${alice.uid}`)).status).toBe(401);
    expect(await alice.tokens()).toEqual([token]);
  });
});
