// OWASP API Security Top 10 (2023), line by line, by kind of caller. test/README.md has the table.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { base64url, SignJWT } from "jose";
import { afterEach, describe, it, vi } from "vitest";
import { loadConfig } from "../../src/config/apps.ts";
import {
  AUTH_TOKEN_LENGTH_MAX,
  BATCH_MAX,
  BODY_BYTES_MAX,
  DAY_MS,
  LOOKUP_USERS_MAX,
  REGISTRATIONS_PER_USER_MAX,
} from "../../src/limits.ts";
import { API_KEYS } from "../support/apps.ts";
import { aimAt, CLIENT_CALLS, SERVER_CALLS } from "../support/calls.ts";
import { call, login, serverCall, TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import { callWith, failBefore, platformErrors, userObject, withFault } from "../support/faults.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** A JWT as the app `test` makes them, but for what `change` says, signed with `secret`. */
async function forge(
  uid: string,
  {
    header = {},
    claims = {},
    secret = "signing-key-of-the-app-TEST-in-use-now",
  }: { header?: object; claims?: Record<string, unknown>; secret?: string } = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ sub: uid, sid: "forged", app: "test", iat: now, exp: now + 3600, ...claims })
    .setProtectedHeader({ alg: "HS256", typ: "auth+jwt", kid: "new", ...header })
    .sign(new TextEncoder().encode(secret));
}

function unsigned(header: object, payload: object): string {
  const part = (value: object) => base64url.encode(JSON.stringify(value));
  return `${part(header)}.${part(payload)}.`;
}

/** The user's registrations as a back end sees them. */
async function tokensOf(uid: string, app = "test"): Promise<string[]> {
  const { body } = await serverCall("GET", `/v3/users/${encodeURIComponent(uid)}/push_tokens`, {}, app);
  return body.data.pushTokens.map(({ token }: { token: string }) => token);
}

afterEach(() => {
  vi.useRealTimers();
});

describe("API1 broken object level authorization", () => {
  it("a client reaches the user of its auth token only, whatever path, query, header or body say", async ({
    expect,
  }) => {
    const [alice, mallory] = [await login(), await login()];
    const [hers, his] = [uniqueToken(), uniqueToken()];
    await alice.register({ fcmToken: hers });
    const naming = { uid: alice.uid, userId: alice.uid, sub: alice.uid, session: alice.id, resource: alice.id };
    const headers = { ...naming, "x-user-id": alice.uid, onBehalfOf: alice.uid };
    const query = new URLSearchParams(naming).toString();
    await mallory.call("POST", `/v2/tokens?${query}`, { headers, body: { ...naming, apnsToken: his } });
    await mallory.call("DELETE", `/v2/tokens?${query}`, { headers, body: { ...naming, all: true } });
    await mallory.call("DELETE", `/v3.0/me?${query}`, { headers, body: naming });
    expect(await tokensOf(alice.uid)).toEqual([hers]);
    expect(await tokensOf(mallory.uid)).toEqual([]);
    const read = await mallory.call("GET", `/v2/tokens?${query}`, { headers });
    expect(JSON.stringify(read.body)).not.toContain(hers);
  });

  it("a back end reaches the users of its app only", async ({ expect }) => {
    const alice = await login();
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    for (const operation of SERVER_CALLS.filter(({ elsewhere }) => elsewhere === undefined)) {
      const { path, body } = aimAt(operation, { uid: alice.uid, sid: alice.id, pushToken: token });
      const reply = await serverCall(operation.method, path, { body }, "other");
      expect(JSON.stringify(reply.body), operation.id).not.toContain(token);
    }
    const { body } = await serverCall("POST", "/v3/push_tokens/owner", { body: { token } }, "other");
    expect(body.data.owners).toEqual([]);
    expect(await tokensOf(alice.uid, "other")).toEqual([]);
    expect(await alice.tokens()).toEqual([token]);
  });

  it.for(["%2e%2e%2f", "..%2f", "%00", "%2f"])(
    "a uid with %s before another's names a user of its own",
    async (trick, { expect }) => {
      const alice = await login();
      await alice.register({ fcmToken: uniqueToken() });
      const { status, body } = await serverCall("GET", `/v3/users/nobody${trick}${alice.uid}/push_tokens`);
      if (status === 200) expect(body.data.pushTokens).toEqual([]);
      else expect([status, body.error.code]).toEqual([400, "ERR_BAD_REQUEST"]);
    },
  );
});

describe("API2 broken authentication", () => {
  const attacks: Record<string, (uid: string, genuine: TestSession) => string | Promise<string>> = {
    "no signature (alg none)": (uid, { claims }) => unsigned({ alg: "none", typ: "auth+jwt" }, { ...claims, sub: uid }),
    "no signature under a genuine header": (uid, { claims }) =>
      unsigned({ alg: "HS256", typ: "auth+jwt", kid: "new" }, { ...claims, sub: uid }),
    "a payload that was changed": (uid, { authToken, claims }) => {
      const [header, , signature] = authToken.split(".");
      return `${header}.${base64url.encode(JSON.stringify({ ...claims, sub: uid }))}.${signature}`;
    },
    "a guessed secret": (uid) => forge(uid, { secret: "secret".repeat(8) }),
    "another app's secret": (uid) => forge(uid, { secret: "signing-key-of-the-app-OTHER-in-use-now" }),
    "another app in the claims": (uid) => forge(uid, { claims: { app: "other" } }),
    "another type of token": (uid) => forge(uid, { header: { typ: "JWT" } }),
    "an unknown kid": (uid) => forge(uid, { header: { kid: "newer" } }),
    "a kid that is a path": (uid) => forge(uid, { header: { kid: "../../dev/null" } }),
    "an unknown critical header": (uid) =>
      unsigned({ alg: "HS256", typ: "auth+jwt", kid: "new", crit: ["x"], x: 1 }, { sub: uid }),
    "no expiry": (uid) => forge(uid, { claims: { exp: undefined } }),
    "no session": (uid) => forge(uid, { claims: { sid: undefined } }),
    "a session that is no text": (uid) => forge(uid, { claims: { sid: { $ne: "" } } }),
    "a time before which it is not good": (uid) =>
      forge(uid, { claims: { nbf: Math.floor(Date.now() / 1000) + 3600 } }),
    "a uid that is too long": () => forge("x".repeat(256)),
    "a uid that is no text": (uid) => forge(uid, { claims: { sub: [uid] } }),
    "more than any auth token's length": (_, { authToken }) => authToken + "A".repeat(AUTH_TOKEN_LENGTH_MAX),
    "three dots": () => "...",
    "an API key": () => API_KEYS.fullAccess,
  };

  it.for(Object.entries(attacks))("a client with %s is nobody", async ([, attack], { expect }) => {
    const victim = await login();
    const token = uniqueToken();
    await victim.register({ fcmToken: token });
    const forged = new TestSession("test", victim.uid, await attack(victim.uid, await login()));
    for (const operation of CLIENT_CALLS) {
      const { path, body } = aimAt(operation, { uid: victim.uid, sid: victim.id, pushToken: token });
      expect(await forged.call(operation.method, path, { body }), operation.id).toMatchObject({ status: 401 });
    }
    expect(await victim.tokens()).toEqual([token]);
  });

  it("a client with an expired auth token reads and adds nothing, and removes nothing of another session", async ({
    expect,
  }) => {
    const victim = await login();
    const token = uniqueToken();
    await victim.register({ fcmToken: token });
    const authToken = await forge(victim.uid, { claims: { exp: 1_000_000_000 } });
    const expired = new TestSession("test", victim.uid, authToken);
    for (const operation of CLIENT_CALLS) {
      const { path, body } = aimAt(operation, { uid: victim.uid, sid: victim.id, pushToken: uniqueToken() });
      const { status } = await expired.call(operation.method, path, { body });
      // It may still empty its own session: a phone that was offline at logout.
      expect(operation.method === "DELETE" ? [200, 401] : [401], operation.id).toContain(status);
    }
    expect((await expired.delete({ all: true })).status).toBe(401);
    expect(await victim.tokens()).toEqual([token]);
  });

  it("a client with the token that the forgeries start from is served: only what they change is refused", async ({
    expect,
  }) => {
    const uid = uniqueUid();
    expect((await new TestSession("test", uid, await forge(uid)).call("GET", "/v2/tokens")).status).toBe(200);
  });

  it("a client with the key that was in use before a rotation goes on", async ({ expect }) => {
    const uid = uniqueUid();
    const secret = "signing-key-of-the-app-TEST-in-use-before";
    const session = new TestSession("test", uid, await forge(uid, { header: { kid: "old" }, secret }));
    expect((await session.call("GET", "/v2/tokens")).status).toBe(200);
  });

  it("credentials in the URL, the body or a cookie are ignored", async ({ expect }) => {
    const { authToken } = await login();
    const inUrl = `appId=test&authToken=${authToken}&apikey=${API_KEYS.fullAccess}`;
    const cookie = `authToken=${authToken}; apikey=${API_KEYS.fullAccess}`;
    const body = { authToken, apikey: API_KEYS.fullAccess };
    const options = { headers: { appId: "test", cookie }, body };
    expect((await call("POST", `/v2/tokens?${inUrl}`, options)).status).toBe(401);
    expect((await call("POST", `/v3/users/x/auth_tokens?${inUrl}`, options)).status).toBe(401);
  });

  it("a flood of made-up key ids costs no object call", async ({ expect }) => {
    const { namespace, calls } = withFault(env.USER_TOKENS, (each) => each());
    for (let i = 0; i < 50; i += 1) {
      const authToken = await forge("x", { header: { kid: `made-up-${i}` } });
      const { status } = await callWith({ USER_TOKENS: namespace }, { app: "test", authToken }, "GET", "/v2/tokens");
      expect(status).toBe(401);
    }
    expect(calls).toEqual([]);
  });

  it("an API key is compared as a whole: no prefix, other case or padding of it counts", async ({ expect }) => {
    const key = API_KEYS.fullAccess;
    for (const apikey of [key.slice(0, -1), `${key}x`, key.toUpperCase(), `${key};${key}`, `Bearer ${key}`]) {
      expect((await serverCall("GET", "/v3/users/x/push_tokens", { headers: { apikey } })).status).toBe(401);
    }
  });
});

describe("API3 broken object property level authorization", () => {
  it("a client sets its tokens and their platform, and nothing else of its registration", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    const claimed = {
      uid: "other",
      session: "other",
      version: 9e15,
      registeredAt: 1,
      refreshedAt: 9e15,
      suspectAt: 1,
      owner: "x",
      claimed: false,
    };
    const proto = '"__proto__":{"platform":"ios","all":true},"constructor":{"prototype":{"all":true}}';
    const body = `${JSON.stringify({ ...claimed, fcmToken: token }).slice(0, -1)},${proto}}`;
    const before = Date.now();
    expect((await session.call("POST", "/v2/tokens", { body })).status).toBe(200);
    const { body: listed } = await serverCall("GET", `/v3/users/${session.uid}/push_tokens`);
    const [registration] = listed.data.pushTokens;
    expect(registration).toMatchObject({ token, platform: "android", sessionId: session.id, suspect: false });
    expect(registration.registeredAt).toBeGreaterThanOrEqual(before);
    expect(registration.refreshedAt).toBeLessThanOrEqual(Date.now());
    expect(({} as { all?: boolean }).all).toBeUndefined();
  });

  it("a client is told tokens and no more: no session, version, time, hash or owner", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    expect((await session.call("GET", "/v2/tokens")).body).toEqual({ data: { ios: [], web: [], android: [token] } });
    const { body } = await session.register({ fcmToken: token });
    expect(Object.keys(body.data).sort()).toEqual(["success", "unregisterTicket"]);
  });

  it("a back end mints for the uid in the path, with no claim of the body's", async ({ expect }) => {
    const uid = uniqueUid();
    const claims = { sub: "other", uid: "other", sid: "chosen", app: "other", exp: 9e9, iat: 1 };
    const { body } = await serverCall("POST", `/v3/users/${uid}/auth_tokens`, { body: claims });
    const session = new TestSession("test", uid, body.data.authToken);
    expect(session.claims).toMatchObject({ sub: uid, app: "test" });
    expect(session.claims.sid).not.toBe("chosen");
    expect(session.claims.exp).toBeLessThan(9e9);
  });
});

describe("API4 unrestricted resource consumption", () => {
  it("a client's body above the limit is refused before any object is asked, with its length stated or not", async ({
    expect,
  }) => {
    const session = await login();
    const { namespace, calls } = withFault(env.USER_TOKENS, (each) => each());
    const big = { fcmToken: "x".repeat(BODY_BYTES_MAX) };
    expect((await callWith({ USER_TOKENS: namespace }, session, "POST", "/v2/tokens", big)).status).toBe(413);
    expect(calls).toEqual([]);
    const stream = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 64; i += 1) controller.enqueue(new TextEncoder().encode(" ".repeat(1024)));
        controller.close();
      },
    });
    const { exports } = await import("cloudflare:workers");
    const response = await exports.default.fetch("https://registry.test/v2/tokens", {
      method: "POST",
      headers: { appId: "test", authToken: session.authToken },
      body: stream,
    });
    expect(response.status).toBe(413);
    await response.arrayBuffer();
  });

  it.for([
    ["a token of 4,097 characters", { fcmToken: "x".repeat(4097) }],
    ["an empty token", { fcmToken: "" }],
    ["a token with a space", { apnsToken: "a b" }],
    ["a token with a control character", { voipToken: "a\u0000b" }],
    ["a token that is a list", { fcmToken: ["a"] }],
    ["no token", { platform: "ios" }],
  ] as const)("a client with %s is refused, and the field named", async ([, body], { expect }) => {
    const session = await login();
    const reply = await session.register(body);
    expect(reply).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST" } } });
    expect(Object.keys(reply.body.error.details)).toHaveLength(1);
    expect(await session.tokens()).toEqual([]);
  });

  it("a body nested 7,000 deep is answered like any other wrong one", async ({ expect }) => {
    const session = await login();
    const deep = `{"fcmToken":${"[".repeat(7000)}${"]".repeat(7000)}}`;
    expect((await session.call("POST", "/v2/tokens", { body: deep })).status).toBe(400);
  });

  it("a user holds at most 100 registrations: the session refreshed longest ago is evicted", async ({ expect }) => {
    const uid = uniqueUid();
    const first = await login(uid);
    const oldest = uniqueToken();
    await first.register({ fcmToken: oldest });
    for (let i = 0; i < REGISTRATIONS_PER_USER_MAX; i += 1)
      await (await login(uid)).register({ fcmToken: uniqueToken() });
    const tokens = await tokensOf(uid);
    expect(tokens).toHaveLength(REGISTRATIONS_PER_USER_MAX);
    expect(tokens).not.toContain(oldest);
  });

  it("a back end's batch of more than 500 reports, or 1,000 users, is refused", async ({ expect }) => {
    const uids = Array.from({ length: LOOKUP_USERS_MAX + 1 }, (_, i) => `u${i}`);
    expect((await serverCall("POST", "/v3/push_tokens/lookup", { body: { uids } })).status).toBe(400);
    expect((await serverCall("GET", `/v3/push_tokens?limit=${uids.length}`)).status).toBe(400);
    const items = uids.slice(0, BATCH_MAX + 1).map((token) => ({ token, kind: "fcm", code: "UNREGISTERED" }));
    expect((await serverCall("POST", "/v3/push_tokens/feedback", { body: { items } })).status).toBe(400);
  });

  it("probes of made-up users leave no table, whoever makes them", async ({ expect }) => {
    const session = await login();
    await session.call("GET", "/v2/tokens");
    await session.delete({ all: true });
    const probed = uniqueUid();
    await serverCall("GET", `/v3/users/${probed}/push_tokens`);
    await serverCall("GET", `/v3/users/${probed}/sessions`);
    await serverCall("GET", `/v3/users/${probed}/export`);
    for (const uid of [session.uid, probed]) {
      const tables = await runInDurableObject(await userObject("test", uid), (_, state) =>
        state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('facts', 'registrations')").toArray(),
      );
      expect(tables).toEqual([]);
    }
  });
});

describe("API5 broken function level authorization", () => {
  it.for(SERVER_CALLS)("a client may not call $method $path, not even of itself", async (operation, { expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const { path, body } = aimAt(operation, { uid: session.uid, sid: session.id, pushToken: token });
    const headers = { apikey: session.authToken };
    expect((await session.call(operation.method, path, { body })).status).toBe(401);
    expect((await session.call(operation.method, path, { headers, body })).status).toBe(401);
    expect(await session.tokens()).toEqual([token]);
  });

  it("an API key may not act as a client", async ({ expect }) => {
    const headers = { appId: "test", apikey: API_KEYS.fullAccess };
    expect((await call("GET", "/v2/tokens", { headers })).status).toBe(401);
    const asToken = { ...headers, authToken: API_KEYS.fullAccess };
    expect((await call("DELETE", "/v3.0/me", { headers: asToken })).status).toBe(401);
  });

  // By hand: whoever describes a new call for one of these scopes says here too that the scope may call it.
  it.for([
    [
      "sender",
      [
        "countAll",
        "explainUser",
        "findOwner",
        "getApp",
        "listAll",
        "listSessions",
        "listUserTokens",
        "lookup",
        "reportFeedback",
      ],
    ],
    ["authOnly", ["mintAuthToken"]],
  ] as const)("a back end with the scope %s may call %s, and nothing else", async ([scope, allowed], { expect }) => {
    const headers = { apikey: API_KEYS[scope] };
    const called: string[] = [];
    for (const operation of SERVER_CALLS) {
      const { path, body } = aimAt(operation, { uid: uniqueUid(), sid: "some-session", pushToken: uniqueToken() });
      const { status, body: reply } = await serverCall(operation.method, path, { headers, body });
      if (status === 200) called.push(operation.id);
      else expect([operation.id, status, reply.error.code]).toEqual([operation.id, 403, "AUTH_ERR_NO_ACCESS"]);
    }
    expect(called.sort()).toEqual([...allowed]);
  });

  it("a method override in a header or a query is ignored", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const headers = { "x-http-method-override": "DELETE", "x-http-method": "DELETE", "x-method-override": "DELETE" };
    await session.call("GET", "/v2/tokens?_method=DELETE", { headers });
    expect(await session.tokens()).toEqual([token]);
  });
});

describe("API6 unrestricted access to sensitive business flows", () => {
  it("a client that takes other users' tokens is stopped after ten an hour, and the owners keep theirs", async ({
    expect,
  }) => {
    const uid = uniqueUid();
    const stolen: boolean[] = [];
    for (let i = 0; i < 12; i += 1) {
      const victim = await login(uniqueUid(), { app: "limited" });
      const token = uniqueToken();
      await victim.register({ fcmToken: token });
      // A session each time: the limit is the user's.
      const { status } = await (await login(uid, { app: "limited" })).register({ fcmToken: token });
      stolen.push(status === 200);
      expect((await victim.tokens()).length).toBe(status === 200 ? 0 : 1);
      if (status !== 200) expect(status).toBe(429);
    }
    expect(stolen).toEqual(Array.from({ length: 12 }, (_, i) => i < 10));
  });

  it("a client that flaps a token between two users cannot keep it from its owner, and has one of ten an hour for it", async ({
    expect,
  }) => {
    const token = uniqueToken();
    const owner = await login(uniqueUid(), { app: "limited" });
    await owner.register({ fcmToken: token });
    const uids = [uniqueUid(), uniqueUid()];
    for (let i = 0; i < 24; i += 1) {
      // A session each time: the count is the user's.
      const session = await login(uids[i % 2], { app: "limited" });
      expect((await session.register({ fcmToken: token })).status).toBe(200);
    }
    for (const uid of uids) {
      const { body } = await serverCall("GET", `/v3/users/${uid}/export`, {}, "limited");
      expect(body.data.takeovers).toMatchObject({ count: 1 });
    }
    expect((await owner.register({ fcmToken: token })).status).toBe(200);
    const held = await Promise.all(uids.map((uid) => tokensOf(uid, "limited")));
    expect([await owner.tokens(), held.flat()]).toEqual([[token], []]);
  });

  it("a takeover shows in both users' records, and the old owner's next launch takes the token back", async ({
    expect,
  }) => {
    const [alice, mallory] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    await mallory.register({ fcmToken: token });
    const changes = async (uid: string) => {
      const { body } = await serverCall("GET", `/v3/users/${uid}/export`);
      return body.data.changes.map(({ change }: { change: string }) => change);
    };
    expect(await changes(alice.uid)).toContain("taken_by_another_user");
    expect(await changes(mallory.uid)).toContain("taken_from_another_user");
    await alice.register({ fcmToken: token });
    expect([await alice.tokens(), await mallory.tokens()]).toEqual([[token], []]);
  });
});

describe("API7 server side request forgery", () => {
  it("a token, uid or header that is a URL is text: nothing is fetched", async ({ expect }) => {
    const fetched: unknown[] = [];
    const original = globalThis.fetch;
    globalThis.fetch = (...args) => {
      fetched.push(args[0]);
      return original(...args);
    };
    try {
      const url = `http://169.254.169.254/${crypto.randomUUID()}`;
      const session = await login(url);
      const headers = { "x-forwarded-host": "evil.example", forwarded: "host=evil.example", resource: url };
      expect((await session.call("POST", "/v2/tokens", { headers, body: { fcmToken: url } })).status).toBe(200);
      const { body } = await session.call("GET", "/v3.0/settings", { headers });
      expect(JSON.stringify(body)).not.toContain("evil.example");
      expect(await tokensOf(url)).toEqual([url]);
    } finally {
      globalThis.fetch = original;
    }
    expect(fetched).toEqual([]);
  });
});

describe("API8 security misconfiguration", () => {
  it("every reply forbids sniffing and caching, refusals and preflights included", async ({ expect }) => {
    const session = await login();
    await session.register({ fcmToken: uniqueToken() });
    const replies = [
      await session.call("GET", "/v2/tokens"),
      await session.call("GET", "/v3.0/me"),
      await serverCall("GET", `/v3/users/${session.uid}/push_tokens`),
      await serverCall("GET", `/v3/users/${session.uid}/export`),
      await serverCall("POST", "/v3/push_tokens/lookup", { body: { uids: [session.uid] } }),
      await serverCall("POST", "/v3/push_tokens/owner", { body: { token: "nobody-has-it" } }),
      await serverCall("POST", `/v3/users/${session.uid}/auth_tokens`),
      await session.register({ fcmToken: uniqueToken() }),
      await call("GET", "/v2/tokens"),
      await call("GET", "/nowhere"),
      await call("PUT", "/v2/tokens"),
      await call("OPTIONS", "/v2/tokens"),
    ];
    for (const { headers } of replies) {
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("cache-control")).toMatch(/^(no-store|private, no-cache)$/);
      expect(headers.get("access-control-allow-origin")).toBe("*");
      expect(headers.get("access-control-allow-credentials")).toBeNull();
      expect(headers.get("set-cookie")).toBeNull();
      expect(headers.get("server")).toBeNull();
      expect(headers.get("x-powered-by")).toBeNull();
    }
  });

  it("a web page of an origin that the app does not allow changes nothing, with a client's or a back end's credentials", async ({
    expect,
  }) => {
    const session = await login(uniqueUid(), { app: "origins" });
    const headers = { origin: "https://evil.example" };
    expect((await session.call("POST", "/v2/tokens", { headers, body: { fcmToken: uniqueToken() } })).status).toBe(403);
    expect((await serverCall("POST", `/v3/users/x/auth_tokens`, { headers, body: {} }, "origins")).status).toBe(403);
    expect(await session.tokens()).toEqual([]);
  });

  it("a failure tells neither its cause, nor a stack, nor an object's id, to any caller", async ({ expect }) => {
    const session = await login();
    const { namespace } = withFault(env.USER_TOKENS, failBefore(platformErrors.ownCode));
    const { status, body } = await callWith({ USER_TOKENS: namespace }, session, "GET", "/v2/tokens");
    expect(status).toBe(500);
    expect(Object.keys(body.error).sort()).toEqual(["code", "details", "message"]);
    expect(body.error.details).toEqual({});
    expect(JSON.stringify(body)).not.toMatch(/secrets|0123|stack|\.ts/);
  });

  it("an app whose configuration is wrong serves nobody, and says nothing of what is wrong", async ({ expect }) => {
    for (const reply of [
      await call("GET", "/v2/tokens", { headers: { appId: "broken", authToken: "x" } }),
      await serverCall("GET", "/v3/users/x/push_tokens", {}, "broken"),
    ]) {
      expect(reply.status).toBe(500);
      expect(JSON.stringify(reply.body)).not.toMatch(/retentionDays|APP_/);
    }
  });

  it("an app without secrets accepts no key and no auth token", async ({ expect }) => {
    expect((await serverCall("GET", "/v3/users/x/push_tokens", {}, "leaky")).status).toBe(401);
    expect(
      (
        await call("GET", "/v2/tokens", {
          headers: { appId: "leaky", authToken: await forge("x", { claims: { app: "leaky" } }) },
        })
      ).status,
    ).toBe(500);
  });

  it("an appId that every object has as a property names no app", async ({ expect }) => {
    for (const appId of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      const { status, body } = await call("GET", "/v2/tokens", { headers: { appId, authToken: "x" } });
      expect([status, body.error.code]).toEqual([401, "AUTH_ERR_INVALID_APPID"]);
    }
  });
});

describe("API9 improper inventory management", () => {
  it("only what is described is served: other versions and debug paths answer 404", async ({ expect }) => {
    const session = await login();
    for (const path of [
      "/v1/tokens",
      "/v2.0/tokens",
      "/v4/tokens",
      "/tokens",
      "/v2",
      "/v3",
      "/debug",
      "/metrics",
      "/admin",
      "/env",
      "/.env",
      "/cdn-cgi/trace",
      "/__scheduled",
    ]) {
      const { status, body } = await session.call("GET", path);
      expect([path, status, body.error.code]).toEqual([path, 404, "ERR_API_NOT_FOUND"]);
    }
  });

  it("the prefixes /v3 and /v3.0 are one API with the same guards", async ({ expect }) => {
    for (const prefix of ["/v3", "/v3.0", "//v3.0/", "/v3/"]) {
      expect((await call("GET", `${prefix}/me`, { headers: { appId: "test" } })).status).toBe(401);
      expect((await call("GET", `${prefix}/users/x/push_tokens`, { headers: { appId: "test" } })).status).toBe(401);
    }
  });
});

describe("API10 unsafe consumption of APIs", () => {
  it("with minted auth tokens no other service is asked: what is verified is what is configured", async ({
    expect,
  }) => {
    const app = loadConfig(env).apps.get("test");
    expect(app).toMatchObject({ identity: "issued" });
    const jku = {
      jku: "https://evil.example/jwks.json",
      x5u: "https://evil.example/x5u",
      jwk: { kty: "oct", k: "AAAA" },
    };
    const forged = new TestSession("test", "x", await forge("x", { header: jku, secret: "\0\0\0".repeat(11) }));
    expect((await forged.call("GET", "/v2/tokens")).status).toBe(401);
  });

  it("a provider's report prunes the very token it names, of the app it is for, and nothing on a strange code", async ({
    expect,
  }) => {
    const session = await login();
    const [reported, kept] = [uniqueToken(), uniqueToken()];
    await session.register({ apnsToken: reported, voipToken: kept });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 8 * DAY_MS });
    const at = Date.now();
    const feedback = (items: object[], app = "test") =>
      serverCall("POST", "/v3/push_tokens/feedback", { body: { items } }, app);
    await feedback([{ token: reported, kind: "apns", code: "Unregistered", at }], "other");
    await feedback([{ token: reported, kind: "apns", code: "__proto__", at }]);
    await feedback([{ token: reported, kind: "fcm", code: "UNREGISTERED", at }]);
    await feedback([{ token: reported.slice(0, -1), kind: "apns", code: "Unregistered", at }]);
    expect((await session.tokens()).sort()).toEqual([reported, kept].sort());
    await feedback([{ token: reported, kind: "apns", code: "Unregistered", at }]);
    expect(await session.tokens()).toEqual([kept]);
    vi.useRealTimers();
  });
});
