// Identity `cometchat`: whose an auth token is, by the word of the fake CometChat, which counts how often it is asked.
import { env } from "cloudflare:workers";
import { describe, it, onTestFinished, vi } from "vitest";
import { createApp } from "../../src/app.ts";
import { VERIFICATION_TIMEOUT_MS } from "../../src/limits.ts";
import { call, serverCall, TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import { chatSession, cometchat, pushTokens, verifications } from "../support/cometchat.ts";
import type { Fault } from "../support/fake-cometchat.ts";
import { callWith, withFault } from "../support/faults.ts";
import { address, itWithinAMinute, newNetwork } from "../support/rate-limits.ts";

const DEAD = { status: 401, body: { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND", details: {} } } };
const TROUBLE = { status: 503, body: { error: { code: "ERR_OPERATION_FAILED", details: {} } } };

/** Moves the clock of the Worker and its objects, for this test; timers go on as they are. */
function later(seconds: number): void {
  const now = Date.now() + seconds * 1000;
  vi.useFakeTimers({ toFake: ["Date"], now });
  onTestFinished(() => {
    vi.useRealTimers();
  });
}

/** What CometChat says of this auth token from now on. */
function answer(session: TestSession, fault: Fault): Promise<void> {
  return cometchat.fail({ ...fault, authToken: session.authToken });
}

function heal(session: TestSession): Promise<void> {
  return cometchat.heal({ authToken: session.authToken });
}

describe("an auth token of CometChat's", () => {
  it("is verified once in a cache period, whatever is called", async ({ expect }) => {
    const session = await chatSession();
    const token = uniqueToken();
    expect(await session.register({ fcmToken: token })).toMatchObject({ status: 200 });
    expect(await session.tokens()).toEqual([token]);
    expect(await session.delete()).toMatchObject({ status: 200 });
    expect(await pushTokens("chat", session.uid)).toEqual([]);
    expect(await verifications(session)).toBe(1);
    const [asked] = await cometchat.received({ authToken: session.authToken });
    expect(asked).toMatchObject({ method: "GET", host: "chat.apiclient-us.cometchat.io", path: "/v3.0/me" });
    expect(asked?.headers).toMatchObject({ appid: "chat", authtoken: session.authToken });
  });

  it("is verified once by fifty requests that come together", async ({ expect }) => {
    const session = await chatSession();
    await answer(session, { delayMs: 300 });
    const replies = await Promise.all(Array.from({ length: 50 }, () => session.register({ fcmToken: uniqueToken() })));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await session.tokens()).toHaveLength(1);
    expect(await verifications(session)).toBe(1);
  });

  it("is asked about again when the app's cache time has passed, and no sooner", async ({ expect }) => {
    const [minute, default_] = [await chatSession({ app: "chat-eu" }), await chatSession()];
    for (const session of [minute, default_]) await session.tokens();
    later(59);
    for (const session of [minute, default_]) await session.tokens();
    expect(await verifications(minute)).toBe(1);
    later(2);
    for (const session of [minute, minute, default_]) await session.tokens();
    expect(await verifications(minute)).toBe(2);
    expect(await verifications(default_)).toBe(1);
    later(240);
    await default_.tokens();
    expect(await verifications(default_)).toBe(2);
  });

  it("is verified by the login that passes through, so that nothing more is asked", async ({ expect }) => {
    const session = await chatSession();
    expect(await session.call("PUT", "/v3.0/me", { body: { platform: "WEB" } })).toMatchObject({ status: 200 });
    const token = uniqueToken();
    expect(await session.register({ fcmToken: token })).toMatchObject({ status: 200 });
    expect(await pushTokens("chat", session.uid)).toEqual([token]);
    expect(await verifications(session)).toBe(0);
  });

  it("names its user in lower case, as CometChat does", async ({ expect }) => {
    const uid = `Alice-${crypto.randomUUID().toUpperCase()}`;
    const session = await chatSession({ uid });
    const token = uniqueToken();
    expect(await session.register({ fcmToken: token })).toMatchObject({ status: 200 });
    expect(await pushTokens("chat", uid.toLowerCase())).toEqual([token]);
  });

  it("makes a session of its own: a second login of the user is another one", async ({ expect }) => {
    const uid = uniqueUid();
    const [first, second] = [await chatSession({ uid }), await chatSession({ uid })];
    const [mine, others] = [uniqueToken(), uniqueToken()];
    await first.register({ fcmToken: mine });
    await second.register({ fcmToken: others });
    expect((await first.tokens()).sort()).toEqual([mine, others].sort());
    await first.delete();
    expect(await pushTokens("chat", uid)).toEqual([others]);
  });

  it("cannot register after a back end ended all sessions that are known, and the reply says which", async ({
    expect,
  }) => {
    const session = await chatSession();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const { body } = await serverCall("DELETE", `/v3/users/${session.uid}/sessions`, {}, "chat");
    expect(body.data).toEqual({ success: true, removed: 1, ended: "known" });
    expect(await session.register({ fcmToken: token })).toMatchObject(DEAD);
    expect(await pushTokens("chat", session.uid)).toEqual([]);
  });
});

describe("an auth token that is dead", () => {
  it("is refused with the code that logs out, and not asked about again at once", async ({ expect }) => {
    const session = new TestSession("chat", uniqueUid(), `nobody_${crypto.randomUUID()}`);
    for (let i = 0; i < 3; i += 1) expect(await session.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
    expect(await verifications(session)).toBe(1);
  });

  it("is refused once the cache time has passed, and its session holds nothing any more", async ({ expect }) => {
    const session = await chatSession({ app: "chat-eu" });
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    await cometchat.kill("chat-eu", session.authToken);
    expect(await session.tokens()).toEqual([token]);
    later(61);
    expect(await session.call("GET", "/v2/tokens")).toMatchObject(DEAD);
    expect(await pushTokens("chat-eu", session.uid)).toEqual([]);
  });

  it("is alive again when a login with it succeeds", async ({ expect }) => {
    const uid = uniqueUid();
    const session = new TestSession("chat", uid, `${uid}_17000000001234567890abcdef1234567890ab`);
    expect(await session.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
    await cometchat.issue("chat", uid, session.authToken);
    expect(await session.call("PUT", "/v3.0/me", { body: {} })).toMatchObject({ status: 200 });
    expect(await session.register({ fcmToken: uniqueToken() })).toMatchObject({ status: 200 });
  });
});

describe("a CometChat that does not say", () => {
  const user = (uid: unknown, more: object = {}) => ({ status: 200, body: { data: { uid, name: "n", ...more } } });
  const refusal = (status: number, code: string) => ({ status, body: { error: { code, message: "m", details: {} } } });
  const answers: [what: string, fault: Fault][] = [
    ["a failure", refusal(500, "ERR_EXCEPTION")],
    ["a bad gateway's page", { status: 502, body: "<html>", headers: { "content-type": "text/html" } }],
    ["that it is overloaded", { status: 503, body: "" }],
    ["that we ask too often", refusal(429, "ERR_TOO_MANY_REQUESTS")],
    ["that it does not know the app", refusal(401, "AUTH_ERR_INVALID_APPID")],
    ["that its plan is over", refusal(403, "ERR_PLAN_RESTRICTION")],
    ["401 without a code", { status: 401, body: {} }],
    ["401 with the code in the wrong place", { status: 401, body: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } }],
    ["another path", refusal(404, "ERR_API_NOT_FOUND")],
    ["somewhere else", { status: 302, headers: { location: "https://chat.apiclient-us.cometchat.io/v3.0/me" } }],
    ["nothing", { status: 204 }],
    ["a page", { status: 200, body: "<html>welcome</html>" }],
    ["half a reply", { status: 200, body: '{"data":{"uid":"al' }],
    ["a list", { status: 200, body: [] }],
    ["nobody", { status: 200, body: { data: null } }],
    ["a user without uid", user(undefined)],
    ["a uid that is a number", user(7)],
    ["an empty uid", user("")],
    ["a uid that CometChat does not allow", user("a/b")],
    ["a uid that is too long", user("a".repeat(101))],
    ["the user of another auth token", user("mallory", { authToken: "mallory_1" })],
    ["a user and an error", { status: 200, body: { data: { uid: "alice" }, error: { code: "ERR_EXCEPTION" } } }],
    ["a user with another status", { status: 500, body: { data: { uid: "alice" } } }],
    ["a megabyte and more", user("alice", { metadata: "m".repeat(1024 * 1024) })],
  ];

  it.for(answers)(
    "(%s) is our trouble: 503, nobody is logged out, and the next answer counts",
    async ([, fault], { expect }) => {
      const session = await chatSession();
      await answer(session, fault);
      const refused = await session.register({ fcmToken: uniqueToken() });
      expect(refused).toMatchObject(TROUBLE);
      expect(refused.headers.get("retry-after")).toBe("2");
      await heal(session);
      const token = uniqueToken();
      expect(await session.register({ fcmToken: token })).toMatchObject({ status: 200 });
      expect(await pushTokens("chat", session.uid)).toEqual([token]);
    },
  );

  it("that does not answer in time is a 503 for every waiting request, after one question", async ({ expect }) => {
    const session = await chatSession();
    await answer(session, { isHeld: true });
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const replies = Promise.all([1, 2, 3].map(() => callWith({}, session, "GET", "/v2/tokens")));
    await expect.poll(() => verifications(session)).toBe(1);
    // Two of who asks, and one each of those who wait for that.
    await expect.poll(() => vi.getTimerCount()).toBe(2 + 2);
    await vi.advanceTimersByTimeAsync(VERIFICATION_TIMEOUT_MS);
    for (const reply of await replies) expect(reply).toMatchObject(TROUBLE);
    expect(await verifications(session)).toBe(1);
    await heal(session);
  });

  it("leaves the sessions that are known to go on, and keeps what they hold", async ({ expect }) => {
    const [known, fresh] = [await chatSession(), await chatSession()];
    const [first, second] = [uniqueToken(), uniqueToken()];
    await known.register({ fcmToken: first });
    for (const session of [known, fresh]) await answer(session, { status: 502, body: "" });
    expect(await fresh.register({ fcmToken: uniqueToken() })).toMatchObject(TROUBLE);
    expect(await known.tokens()).toEqual([first]);
    expect(await known.register({ fcmToken: second })).toMatchObject({ status: 200 });
    expect(await pushTokens("chat", known.uid)).toEqual([second]);
    expect(await verifications(known)).toBe(1);
  });
});

describe("what is known of auth tokens", () => {
  it("is kept apart by app: one auth token is two users", async ({ expect }) => {
    const [here, there] = [uniqueUid(), uniqueUid()];
    const authToken = `${here}_17000000001234567890abcdef1234567890ab`;
    await cometchat.issue("chat", here, authToken);
    await cometchat.issue("chat-eu", there, authToken);
    const [mine, others] = [uniqueToken(), uniqueToken()];
    await new TestSession("chat", here, authToken).register({ fcmToken: mine });
    await new TestSession("chat-eu", there, authToken).register({ fcmToken: others });
    expect(await pushTokens("chat", here)).toEqual([mine]);
    expect(await pushTokens("chat-eu", there)).toEqual([others]);
    expect(await pushTokens("chat", there)).toEqual([]);
    expect(await pushTokens("chat-eu", here)).toEqual([]);
  });

  it("never answers for another user, many of them at once", async ({ expect }) => {
    const sessions = await Promise.all(Array.from({ length: 20 }, () => chatSession()));
    const tokens = sessions.map(() => uniqueToken());
    await Promise.all(sessions.map((session, i) => session.register({ fcmToken: tokens[i] })));
    const held = await Promise.all(sessions.map((session) => session.tokens()));
    expect(held).toEqual(tokens.map((token) => [token]));
  });

  it("does not call an auth token alive because another app's CometChat knows it", async ({ expect }) => {
    const session = await chatSession();
    expect(await session.register({ fcmToken: uniqueToken() })).toMatchObject({ status: 200 });
    const elsewhere = new TestSession("chat-eu", session.uid, session.authToken);
    expect(await elsewhere.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
  });
});

describe("the limit of unknown auth tokens", () => {
  itWithinAMinute(
    "counts questions by the client's address before CometChat is asked, and no known auth token",
    async ({ expect }) => {
      const headers = address();
      const known = await chatSession({ app: "chat-rated" });
      expect((await known.call("GET", "/v2/tokens", { headers })).status).toBe(200);
      const guess = (from = headers) =>
        call("GET", "/v2/tokens", { headers: { appId: "chat-rated", authToken: crypto.randomUUID(), ...from } });
      const guesses = [await guess(), await guess(), await guess(), await guess()];
      expect(guesses.map(({ status }) => status)).toEqual([401, 401, 401, 401]);

      const authToken = `late_${crypto.randomUUID()}`;
      const late = { appId: "chat-rated", authToken, ...headers };
      const refused = await call("GET", "/v2/tokens", { headers: late });
      expect(refused).toMatchObject({ status: 429, body: { error: { code: "ERR_TOO_MANY_REQUESTS", details: {} } } });
      expect(refused.headers.get("retry-after")).toBe("60");
      expect((await call("PUT", "/v3.0/me", { headers: late, body: {} })).status).toBe(429);
      expect((await call("GET", "/v3.0/users", { headers: late })).status).toBe(429);
      expect(await cometchat.count({ authToken })).toBe(0);

      expect((await known.call("GET", "/v2/tokens", { headers })).status).toBe(200);
      expect((await known.call("GET", "/v3.0/users", { headers })).status).toBe(200);
      expect((await guess(address())).status).toBe(401);
    },
  );

  itWithinAMinute(
    "lets logouts with made-up auth tokens reach a user's object only as often as an address may call",
    async ({ expect }) => {
      const [uid, from] = [uniqueUid(), address()];
      const { namespace, calls } = withFault(env.USER_TOKENS, (pass) => pass());
      const statuses: number[] = [];
      for (let i = 0; i < 8; i += 1) {
        const headers = { appId: "chat-rated-ip", authToken: `${uid}_${i}`, ...from };
        const init = { method: "DELETE", headers };
        const bindings = { ...env, USER_TOKENS: namespace };
        statuses.push((await createApp().request("https://registry.test/v3.0/me", init, bindings)).status);
      }
      expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
      const reached = calls.length;
      expect(reached).toBeGreaterThan(0);
      expect(reached % 5).toBe(0);
    },
  );

  itWithinAMinute(
    "stops made-up logouts before any object is asked, and all of an IPv6 network together",
    async ({ expect }) => {
      const [uid, network] = [uniqueUid(), newNetwork()];
      const { namespace, calls } = withFault(env.USER_TOKENS, (pass) => pass());
      const statuses: number[] = [];
      let reachedBefore = 0;
      for (let i = 0; i < 12; i += 1) {
        const headers = { appId: "chat-rated", authToken: `${uid}_${i}`, ...address(network, i) };
        const init = { method: "DELETE", headers };
        const bindings = { ...env, USER_TOKENS: namespace };
        const { status } = await createApp().request("https://registry.test/v3.0/me", init, bindings);
        statuses.push(status);
        if (status !== 429) reachedBefore = calls.length;
      }
      expect(statuses.filter((status) => status === 429)).toHaveLength(7);
      expect(calls.length).toBe(reachedBefore);
    },
  );

  itWithinAMinute("does not lock out a user whose auth token CometChat confirms", async ({ expect }) => {
    const from = address();
    const session = await chatSession({ app: "chat-rated-ip" });
    await session.register({ fcmToken: uniqueToken() });
    const unknown = () => call("GET", "/v2/tokens", { headers: { appId: session.app, authToken: "x_1", ...from } });
    for (let i = 0; i < 7; i += 1) await unknown();
    expect((await unknown()).status).toBe(429);
    expect((await session.call("DELETE", "/v3.0/me", { headers: from })).status).toBe(200);
    expect(await pushTokens(session.app, session.uid)).toEqual([]);
  });

  itWithinAMinute(
    "does not count a back end with an API key, which asks for many users from one address",
    async ({ expect }) => {
      const path = "/v3/notifications/push/v1/tokens";
      const headers = address();
      for (let i = 0; i < 8; i += 1) {
        const { authToken } = await chatSession({ app: "chat-rated" });
        const reply = await serverCall("GET", path, { headers: { ...headers, authToken } }, "chat-rated");
        expect(reply.status).toBe(200);
      }
      const unknown = { ...headers, apikey: "wrong", authToken: crypto.randomUUID() };
      expect((await serverCall("GET", path, { headers: unknown }, "chat-rated")).status).toBe(401);
      expect(await cometchat.count({ authToken: unknown.authToken })).toBe(0);
    },
  );

  itWithinAMinute("does not count calls with an auth token that CometChat served lately", async ({ expect }) => {
    const headers = address();
    const session = await chatSession({ app: "chat-rated" });
    for (let i = 0; i < 8; i += 1) {
      expect((await session.call("GET", "/v3.0/users", { headers })).status).toBe(200);
    }
    expect(await verifications(session)).toBe(0);
  });
});
