// What passes through to CometChat and its extensions, what is ours, and how a session ends here when it ends there.
import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { Hono } from "hono/tiny";
import { describe, it, onTestFinished, vi } from "vitest";
import { mirror } from "../../src/cometchat/mirror.ts";
import { type CometChatApp, loadConfig } from "../../src/config/apps.ts";
import { sha256 } from "../../src/durable/names.ts";
import type { AppEnv } from "../../src/http/context.ts";
import { PROXY_TIMEOUT_MS, REPLY_BODY_TIMEOUT_MS, UPLOAD_TIMEOUT_MS } from "../../src/limits.ts";
import { API_KEYS } from "../support/apps.ts";
import { call, login, serverCall, TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import { chatSession, cometchat, heldElsewhere, pushTokens, verifications } from "../support/cometchat.ts";
import type { Fault, Match } from "../support/fake-cometchat.ts";
import {
  callWith,
  failBefore,
  first,
  on,
  outlasting,
  platformErrors,
  userObject,
  withFault,
} from "../support/faults.ts";

const DEAD = { status: 401, body: { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } } };
const TROUBLE = { status: 503, body: { error: { code: "ERR_OPERATION_FAILED", details: {} } } };
const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

const CLIENT_API = "chat.apiclient-us.cometchat.io";

function answer(session: TestSession, fault: Fault): Promise<void> {
  return cometchat.fail({ ...fault, authToken: session.authToken });
}

function received(session: TestSession, match: Match = {}) {
  return cometchat.received({ ...match, authToken: session.authToken });
}

/** The fences of a user, in ms from now. */
async function fences(session: TestSession): Promise<number[]> {
  const { body } = await serverCall("GET", `/v3/users/${session.uid}/export`, {}, session.app);
  return (body.data?.fences ?? []).map(({ until }: { until: number }) => until - Date.now());
}

/** Whether anything was ever written about the user. */
async function isUntouched(app: string, uid: string): Promise<boolean> {
  return runInDurableObject(await userObject(app, uid), (_, state) => {
    const tables = state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'");
    return tables.toArray().length === 0;
  });
}

describe("the settings in CometChat's replies", () => {
  it.for([
    ["PUT", "/v3.0/me"],
    ["GET", "/v3.0/me"],
    ["PUT", "/v3/me"],
    ["GET", "/v3/me/"],
  ] as const)("of %s %s name our hosts, and everything else is as it came", async ([method, path], { expect }) => {
    const session = await chatSession();
    const { status, headers, body } = await session.call(method, path, method === "PUT" ? { body: { a: 1 } } : {});
    expect(status).toBe(200);
    expect(body).toEqual({
      data: {
        uid: session.uid,
        name: `Name of ${session.uid}`,
        status: "available",
        role: "default",
        authToken: session.authToken,
        jwt: `jwt-of-${session.uid}`,
        wsChannel: {},
        settings: {
          REGION: "us",
          EXTENSION_DOMAIN: "registry.test",
          CLIENT_API_HOST: "push-notification-us.registry.test",
          ADMIN_API_HOST: "chat.api-us.cometchat.io",
          CHAT_HOST: "chat.websocket-us.cometchat.io",
          CHAT_WSS_PORT: "443",
          CHAT_API_VERSION: "v3.0",
          APP_VERSION: 4,
          MODE: "DEFAULT",
          ANALYTICS_PING_DISABLED: true,
          extensions: [{ id: "push-notification" }, { id: "polls" }],
        },
      },
    });
    expect(headers.get("content-encoding")).toBeNull();
    expect(headers.get("x-rate-limit-remaining")).toBe("699");
  });

  it("of GET /settings too, and of a host name of the app's own", async ({ expect }) => {
    const session = await chatSession({ app: "chat-host" });
    const { body } = await session.call("GET", "/v3.0/settings", { host: "whatever.registry.test" });
    expect(body.data).toMatchObject({
      EXTENSION_DOMAIN: "example.com",
      CLIENT_API_HOST: "push-notification-us.example.com",
      ADMIN_API_HOST: "chat-host.api-us.cometchat.io",
    });
  });

  it("change nothing else in the text: no number, no repeated key, no odd one", async ({ expect }) => {
    const session = await chatSession();
    const metadata = '{"accountId":1152921504606847001,"f":1.0,"k":1,"k":2,"__proto__":{"a":1}}';
    const hosts = '"EXTENSION_DOMAIN":"registry.test","CLIENT_API_HOST":"push-notification-us.registry.test"';
    const me = (settings: string) =>
      `{"data":{"uid":"${session.uid}","authToken":"${session.authToken}","metadata":${metadata},"settings":${settings}}}`;
    await answer(session, { path: "/v3.0/me", status: 200, body: me('{"REGION":"us"}') });
    expect((await session.call("GET", "/v3.0/me")).text).toBe(me(`{"REGION":"us",${hosts}}`));
    await answer(session, { path: "/v3.0/settings", status: 200, body: `{"data":{"x":${metadata}}}` });
    expect((await session.call("GET", "/v3.0/settings")).text).toBe(`{"data":{"x":${metadata},${hosts}}}`);
  });

  it("that are no settings are our trouble: an SDK would go past us with them", async ({ expect }) => {
    const session = await chatSession();
    await answer(session, { status: 200, body: "<html>" });
    for (const [method, path] of [
      ["PUT", "/v3.0/me"],
      ["GET", "/v3.0/me"],
      ["GET", "/v3.0/settings"],
    ] as const) {
      expect(await session.call(method, path)).toMatchObject(TROUBLE);
    }
  });
});

describe("a reply that is read here and does not come whole", () => {
  const CALLS = [
    ["PUT", "/v3.0/me"],
    ["GET", "/v3.0/me"],
    ["GET", "/v3.0/settings"],
  ] as const;

  /** For this test, the connection to CometChat breaks after the first bytes of each reply. */
  function breakReplies(): void {
    const { fetch } = globalThis;
    const spy = vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
      const response = await fetch(input, init);
      if (!String(input).startsWith(`https://${CLIENT_API}/`)) return response;
      const broken = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode('{"data":')),
        pull: (controller) => controller.error(new Error("the connection breaks")),
      });
      return new Response(broken, response);
    });
    onTestFinished(() => spy.mockRestore());
  }

  it("because the connection breaks is our trouble", async ({ expect }) => {
    const session = await chatSession();
    breakReplies();
    for (const [method, path] of CALLS) expect(await session.call(method, path)).toMatchObject(TROUBLE);
  });

  it("because it stalls is our trouble too, after a while", async ({ expect }) => {
    const session = await chatSession();
    await answer(session, { status: 200, chunks: ['{"data":', "{}}"], isHeld: true });
    const { outcome, waits } = await outlasting(REPLY_BODY_TIMEOUT_MS, () =>
      Promise.all(CALLS.map(([method, path]) => session.call(method, path))),
    );
    for (const reply of outcome) expect(reply).toMatchObject(TROUBLE);
    expect(waits).toBe(CALLS.length);
    await cometchat.heal({ authToken: session.authToken });
  });

  it("does not keep a logout from trying again to end the session", async ({ expect }) => {
    const session = await chatSession();
    await session.register({ fcmToken: uniqueToken() });
    breakReplies();
    const faulty = withFault(env.USER_TOKENS, on("endSession", first(1, failBefore(platformErrors.connectionLost))));
    await callWith({ USER_TOKENS: faulty.namespace }, session, "DELETE", "/v3.0/me").catch(() => undefined);
    expect(await pushTokens("chat", session.uid)).toEqual([]);
    expect(await session.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
  });
});

describe("a call that is not ours", () => {
  it("passes with its method, path, query, headers and body, and the reply with its status and headers", async ({
    expect,
  }) => {
    const session = await chatSession();
    const reply = await session.call("POST", "/v3.0/messages?a=1&b=%20x%2Fy", {
      headers: { "x-own": "kept", chatApiVersion: "v3.0", resource: "WEB-4_2_0-r" },
      body: '{"text":"ärger 👋"}',
    });
    expect(reply).toMatchObject({ status: 200, body: { data: { id: "1", data: '{"text":"ärger 👋"}' } } });
    expect(reply.headers.get("x-rate-limit")).toBe("700");
    expect(await received(session)).toMatchObject([
      {
        method: "POST",
        host: CLIENT_API,
        path: "/v3.0/messages?a=1&b=%20x%2Fy",
        headers: {
          appid: "chat",
          authtoken: session.authToken,
          "content-type": "application/json",
          "x-own": "kept",
          chatapiversion: "v3.0",
          resource: "WEB-4_2_0-r",
          sdk: "android@4.0.10",
        },
        body: '{"text":"ärger 👋"}',
      },
    ]);
  });

  it("keeps the version that its path names, and loses doubled slashes", async ({ expect }) => {
    const session = await chatSession();
    await session.call("GET", "/v3/users");
    await session.call("GET", "//v3.0//users/");
    expect((await received(session)).map(({ path }) => path)).toEqual(["/v3/users", "/v3.0/users"]);
  });

  it("passes for each method, with no body where there is none", async ({ expect }) => {
    const session = await chatSession();
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) await session.call(method, "/v3.0/groups/g1");
    expect((await received(session)).map(({ method, body }) => method + body)).toEqual([
      "GET",
      "POST",
      "PUT",
      "PATCH",
      "DELETE",
    ]);
  });

  it("may carry a body that is larger than ours may be", async ({ expect }) => {
    const session = await chatSession();
    const body = "m".repeat(512 * 1024);
    expect((await session.call("POST", "/v3.0/messages", { body })).status).toBe(200);
    expect((await received(session))[0]?.body.length).toBe(body.length);
  });

  it("may take as long as it takes to send a file, and no other so long", async ({ expect }) => {
    const session = await chatSession();
    await answer(session, { isHeld: true });
    const small = () => [
      session.call("POST", "/v3.0/messages", { body: { text: "hello" } }),
      session.call("GET", "/v3.0/users"),
    ];
    const files = () => [
      session.call("POST", "/v3.0/messages", { body: "m".repeat(100_000) }),
      session.call("POST", "/v3.0/messages", { body: new Blob(["m"]).stream().pipeThrough(new TransformStream()) }),
    ];
    for (const [ms, calls] of [
      [PROXY_TIMEOUT_MS, small],
      [UPLOAD_TIMEOUT_MS, files],
    ] as const) {
      const { outcome, waits } = await outlasting(ms, () => Promise.all(calls()));
      for (const reply of outcome) expect(reply).toMatchObject(TROUBLE);
      expect(waits).toBe(2);
    }
    await cometchat.heal({ authToken: session.authToken });
    for (const reply of await Promise.all(files())) expect(reply.status).toBe(200);
  });

  it("comes back piece by piece", async ({ expect }) => {
    const session = await chatSession();
    await answer(session, { status: 200, chunks: ['{"data":', "[1]", "}"], isHeld: true });
    const response = await exports.default.fetch("https://push-notification-us.registry.test/v3.0/messages", {
      headers: { appId: "chat", authToken: session.authToken },
    });
    const texts: string[] = [];
    for await (const chunk of response.body ?? []) {
      texts.push(new TextDecoder().decode(chunk));
      // Only what has come here lets the rest go.
      if (texts.length === 1) await cometchat.heal({ authToken: session.authToken });
    }
    expect(texts[0]).toBe('{"data":');
    expect(texts.join("")).toBe('{"data":[1]}');
  });

  it("is told CometChat's own errors, word for word, with our CORS headers and none of its", async ({ expect }) => {
    const session = await chatSession();
    const error = { code: "ERR_BAD_REQUEST", message: "m", details: { receiver: ["The receiver field is required."] } };
    await answer(session, { status: 400, body: { error }, headers: { "x-rate-limit": "700" } });
    const { status, headers, body } = await session.call("POST", "/v3.0/messages", {
      headers: { origin: "https://app.example.com" },
      body: {},
    });
    expect({ status, body }).toEqual({ status: 400, body: { error } });
    expect(headers.get("access-control-allow-origin")).toBe("*");
    expect(headers.get("access-control-allow-credentials")).toBeNull();
    expect(headers.get("set-cookie")).toBeNull();
    expect(headers.get("strict-transport-security")).toBeNull();
  });

  it("is not sent on to where a redirect leads", async ({ expect }) => {
    const session = await chatSession();
    const location = `https://${CLIENT_API}/v3.0/users`;
    await answer(session, { status: 307, headers: { location }, path: "/v3.0/groups" });
    const response = await exports.default.fetch("https://push-notification-us.registry.test/v3.0/groups", {
      headers: { appId: "chat", authToken: session.authToken },
      redirect: "manual",
    });
    expect(response.status).toBe(307);
    expect(response.headers.get("location")).toBe(location);
    expect(await received(session)).toHaveLength(1);
  });

  it("needs an auth token", async ({ expect }) => {
    const uid = uniqueUid();
    expect((await call("GET", `/v3.0/groups/${uid}`, { headers: { appId: "chat" } })).status).toBe(404);
    expect(await cometchat.count({ path: `/v3.0/groups/${uid}` })).toBe(0);
  });

  it("never has an API key: who sends one is a server of ours", async ({ expect }) => {
    const session = await chatSession();
    const apikey = API_KEYS.fullAccess;
    expect((await session.call("GET", "/v3.0/users", { headers: { apikey } })).status).toBe(404);
    expect((await session.call("GET", `/v3/users/${session.uid}/push_tokens`, { headers: { apikey } })).status).toBe(
      200,
    );
    expect((await session.call("GET", "/v3.0/users", { headers: { apikey: "wrong" } })).status).toBe(404);
    expect(await received(session)).toEqual([]);
  });

  it("is refused for a page of an origin that the app does not list, and goes nowhere", async ({ expect }) => {
    const session = await chatSession({ app: "chat-host" });
    const from = (origin: string) => session.call("GET", "/v3.0/users", { headers: { origin } });
    const refused = await from("https://evil.example");
    expect(refused).toMatchObject({ status: 403, body: { error: { code: "AUTH_ERR_NO_ACCESS" } } });
    expect(refused.headers.get("access-control-allow-origin")).toBe("*");
    expect(await received(session)).toEqual([]);
    expect((await from("https://app.example.com")).status).toBe(200);
  });

  it("has a preflight that we answer", async ({ expect }) => {
    const { status, headers } = await call("OPTIONS", "/v3.0/messages", {
      headers: { origin: "https://app.example.com", "access-control-request-method": "POST" },
    });
    expect(status).toBe(204);
    expect(headers.get("access-control-allow-methods")).toContain("POST");
  });

  it("goes nowhere for an app that has nothing to do with CometChat", async ({ expect }) => {
    const session = await login();
    expect(await session.call("GET", "/v3.0/groups")).toMatchObject({ status: 404 });
    expect(await received(session)).toEqual([]);
  });
});

describe("extensions", () => {
  it("of other names are reached in the app's own region, whatever their path", async ({ expect }) => {
    const session = await chatSession({ app: "chat-eu" });
    const vote = { host: "polls-eu.registry.test", body: { vote: "1", id: "p" } };
    const { status, body } = await session.call("POST", "/v2/vote", vote);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      slug: "polls",
      uid: session.uid,
      path: "/v2/vote",
      body: '{"vote":"1","id":"p"}',
    });
    await session.call("GET", "//v3.0/me?x=1", { host: "polls-eu.registry.test" });
    expect((await received(session)).map(({ host, path }) => host + path)).toEqual([
      "polls-eu.cometchat.io/v2/vote",
      "polls-eu.cometchat.io/v3.0/me?x=1",
    ]);
  });

  it("of another region are nobody's: no call leaves the app's own", async ({ expect }) => {
    const session = await chatSession();
    expect((await session.call("GET", "/v2/vote", { host: "polls-eu.registry.test" })).status).toBe(404);
    expect(await received(session)).toEqual([]);
  });

  it.for(["/v2/mute-chat", "/v2/user-settings"])(
    "keep %s of push-notification at CometChat",
    async (path, { expect }) => {
      const session = await chatSession();
      const { body } = await session.call("POST", path, { body: { timeInMS: 1 } });
      expect(body.data).toMatchObject({ slug: "push-notification", path, body: '{"timeInMS":1}' });
      expect((await received(session))[0]?.host).toBe("push-notification-us.cometchat.io");
    },
  );

  it("do not get push tokens: those are ours alone", async ({ expect }) => {
    const session = await chatSession();
    await session.register({ fcmToken: uniqueToken() });
    await session.tokens();
    await session.delete({ all: true });
    expect((await received(session)).map(({ method, path }) => `${method} ${path}`)).toEqual(["GET /v3.0/me"]);
  });

  it("do not take the calls of a client host that merely looks like theirs", async ({ expect }) => {
    const session = await chatSession({ app: "chat-host" });
    const host = "push-notification-us.example.com";
    expect((await session.call("GET", "/v3.0/users", { host })).status).toBe(200);
    expect((await received(session))[0]?.host).toBe("chat-host.apiclient-us.cometchat.io");
  });
});

describe("push tokens kept at both", () => {
  async function mirrored(session: TestSession, times: number): Promise<void> {
    const match = { host: "push-notification-us", authToken: session.authToken };
    while ((await cometchat.count(match)) < times) await scheduler.wait(10);
  }

  it("are registered and deleted here and there", async ({ expect }) => {
    const session = await chatSession({ app: "chat-both" });
    const token = uniqueToken();
    expect(await session.register({ fcmToken: token })).toMatchObject({ status: 200 });
    await mirrored(session, 1);
    expect(await cometchat.pushTokens("chat-both", session.authToken)).toEqual({ fcmToken: token });
    expect(await pushTokens("chat-both", session.uid)).toEqual([token]);
    await session.delete();
    await mirrored(session, 2);
    expect(await cometchat.pushTokens("chat-both", session.authToken)).toEqual({});
    await session.tokens();
    expect(await cometchat.count({ host: "push-notification-us", authToken: session.authToken })).toBe(2);
  });

  it("are registered and deleted there by the successor API too, as it was asked here", async ({ expect }) => {
    const session = await chatSession({ app: "chat-both" });
    const path = "/v3.0/notifications/push/v1/tokens";
    const token = uniqueToken();
    const body = { platform: "fcm_web", providerId: "default", fcmToken: token };
    expect(await session.call("POST", path, { body })).toMatchObject({ status: 200 });
    const match = { host: "chat-both.apiclient-us", path, authToken: session.authToken };
    await expect.poll(() => cometchat.count(match)).toBe(1);
    expect(await cometchat.pushTokens("chat-both", session.authToken)).toEqual(body);
    expect(await pushTokens("chat-both", session.uid)).toEqual([token]);
    expect(await session.call("DELETE", path)).toMatchObject({ status: 200 });
    await expect.poll(() => cometchat.count(match)).toBe(2);
    expect(await cometchat.pushTokens("chat-both", session.authToken)).toEqual({});
  });

  it("keep the order of one session's calls, however slow CometChat is with the first", async ({ expect }) => {
    const session = await chatSession({ app: "chat-both" });
    await answer(session, { method: "POST", path: "/v2/tokens", delayMs: 400 });
    await session.register({ fcmToken: uniqueToken() });
    await session.delete();
    await mirrored(session, 2);
    expect(await cometchat.pushTokens("chat-both", session.authToken)).toEqual({});
  });

  it("are copied too when the auth token comes as Authorization: Bearer alone", async ({ expect }) => {
    const session = await chatSession({ app: "chat-both" });
    const token = uniqueToken();
    const headers = { appId: session.app, authorization: `Bearer ${session.authToken}` };
    expect((await call("POST", "/v2/tokens", { headers, body: { fcmToken: token } })).status).toBe(200);
    await mirrored(session, 1);
    expect(await cometchat.pushTokens("chat-both", session.authToken)).toEqual({ fcmToken: token });
  });

  it("are removed there when a back end removes them with the client's auth token", async ({ expect }) => {
    const session = await chatSession({ app: "chat-both" });
    const path = "/v3.0/notifications/push/v1/tokens";
    const token = uniqueToken();
    const match = { host: "chat-both.apiclient-us", authToken: session.authToken };
    await session.call("POST", path, { body: { platform: "fcm_web", fcmToken: token } });
    const { authToken } = session;
    expect((await serverCall("DELETE", path, { body: { authToken } }, "chat-both")).status).toBe(200);
    await expect.poll(() => cometchat.count({ ...match, path })).toBe(2);
    expect(await cometchat.pushTokens("chat-both", authToken)).toEqual({});
    const [, copy] = await cometchat.received({ ...match, path });
    expect(copy?.headers.apikey).toBeUndefined();
  });

  it("are kept here whatever CometChat says", async ({ expect }) => {
    const session = await chatSession({ app: "chat-both" });
    await answer(session, { host: "push-notification-us", status: 500, body: "" });
    const token = uniqueToken();
    expect(await session.register({ fcmToken: token })).toMatchObject({ status: 200 });
    await mirrored(session, 1);
    expect(await pushTokens("chat-both", session.uid)).toEqual([token]);
  });

  it("are sent on to the very paths of the token APIs, and to no other that is ever served below them", async ({
    expect,
  }) => {
    const { authToken } = await chatSession({ app: "chat-both" });
    const app = loadConfig(env).apps.get("chat-both") as CometChatApp;
    const paths = ["/v2/tokens/..%2fmute-chat", "/v2/tokens/unregister", "/v2/tokens/x", "/v2/tokens"];
    for (const path of paths) {
      const served = new Hono<AppEnv>().use((c, next) => mirror(c, next, app));
      served.post("*", (c) => {
        c.set("caller", { uid: "", session: { id: "", issuedAt: null, usableUntil: null }, expired: false, authToken });
        return c.json({ data: {} });
      });
      const init = { method: "POST", headers: { appId: "chat-both", authToken }, body: "{}" };
      expect((await served.request(`https://registry.test${path}`, init, env)).status).toBe(200);
    }
    // The last one: a session's are sent one after the other.
    const sent = async () => (await cometchat.received({ authToken })).map(({ path }) => path);
    await expect.poll(sent).toContain("/v2/tokens");
    expect(await sent()).toEqual(["/v2/tokens"]);
  });

  it("are not sent on when we refuse them", async ({ expect }) => {
    const session = await chatSession({ app: "chat-both" });
    expect((await session.register({ fcmToken: "" })).status).toBe(400);
    expect((await session.register({ fcmToken: "t".repeat(20_000) })).status).toBe(413);
    expect(await cometchat.count({ host: "push-notification-us", authToken: session.authToken })).toBe(0);
  });
});

describe("logout", () => {
  it("ends the session here before CometChat is asked", async ({ expect }) => {
    const session = await chatSession();
    await session.register({ fcmToken: uniqueToken() });
    const asked = { method: "DELETE", authToken: session.authToken };
    await cometchat.fail({ ...asked, isHeld: true });
    const logout = session.logout();
    await expect.poll(() => cometchat.count(asked)).toBe(1);
    expect(await pushTokens("chat", session.uid)).toEqual([]);
    expect(await cometchat.isAlive("chat", session.authToken)).toBe(true);
    await cometchat.heal(asked);
    expect(await logout).toMatchObject({ status: 200, body: { data: { success: true } } });
    expect(await cometchat.isAlive("chat", session.authToken)).toBe(false);
  });

  it("that CometChat confirmed is fenced for as long as another isolate can know the auth token as alive", async ({
    expect,
  }) => {
    const session = await chatSession();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    await session.logout();
    expect(await session.register({ fcmToken: token })).toMatchObject(DEAD);
    const [fence = 0] = await fences(session);
    expect(fence).toBeGreaterThan(HOUR_MS + 200_000);
    expect(fence).toBeLessThanOrEqual(HOUR_MS + 300_000);
  });

  it.for<[string, Fault]>([
    ["fails", { status: 500, body: { error: { code: "ERR_EXCEPTION", message: "m" } } }],
    ["is down", { status: 502, body: "" }],
    ["talks nonsense", { status: 200, body: "{}" }],
  ])("takes the tokens although CometChat %s, and the session never comes back", async ([, fault], { expect }) => {
    const session = await chatSession();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    await answer(session, { ...fault, method: "DELETE" });
    expect((await session.logout()).status).toBe(fault.status);
    expect(await pushTokens("chat", session.uid)).toEqual([]);
    expect(await cometchat.isAlive("chat", session.authToken)).toBe(true);
    expect(await session.register({ fcmToken: token })).toMatchObject(DEAD);
    const [fence = 0] = await fences(session);
    expect(fence).toBeGreaterThan(9 * YEAR_MS);
  });

  it("shortens its fence when CometChat says later that the auth token is dead", async ({ expect }) => {
    const session = await chatSession();
    await session.register({ fcmToken: uniqueToken() });
    await answer(session, { method: "DELETE", status: 502, times: 1 });
    await session.logout();
    expect((await fences(session))[0]).toBeGreaterThan(9 * YEAR_MS);
    await session.logout();
    expect((await fences(session))[0]).toBeLessThanOrEqual(HOUR_MS + 300_000);
  });

  it("that CometChat missed is sent again when the auth token is used for another login; that login is refused", async ({
    expect,
  }) => {
    const session = await chatSession();
    await session.register({ fcmToken: uniqueToken() });
    await answer(session, { method: "DELETE", status: 502, times: 1 });
    await session.logout();
    expect(await session.call("PUT", "/v3.0/me", { body: {} })).toMatchObject(DEAD);
    await expect.poll(() => cometchat.isAlive("chat", session.authToken)).toBe(false);
  });

  it("lets users log in while our own objects do not answer", async ({ expect }) => {
    const session = await chatSession();
    const faulty = withFault(env.USER_TOKENS, failBefore(platformErrors.connectionLost));
    const reply = await callWith({ USER_TOKENS: faulty.namespace }, session, "PUT", "/v3.0/me", {});
    expect(reply).toMatchObject({ status: 200, body: { data: { uid: session.uid } } });
  });

  it("of a session that this isolate never saw takes its tokens, with CometChat up or down", async ({ expect }) => {
    for (const fault of [{ status: 502, body: "" }, null]) {
      const session = await chatSession();
      await heldElsewhere(session, uniqueToken(), uniqueToken("apns"));
      if (fault !== null) await answer(session, fault);
      await session.logout();
      expect(await pushTokens("chat", session.uid)).toEqual([]);
      expect(await fences(session)).toHaveLength(1);
      expect(await verifications(session)).toBe(0);
    }
  });

  it("of an auth token that does not begin with its user asks CometChat whose it is, and ends that session", async ({
    expect,
  }) => {
    const uid = uniqueUid();
    const session = new TestSession("chat", uid, await cometchat.issue("chat", uid, crypto.randomUUID()));
    await heldElsewhere(session, uniqueToken());
    expect((await session.logout()).status).toBe(200);
    expect(await pushTokens("chat", uid)).toEqual([]);
    expect((await received(session)).map(({ method }) => method)).toEqual(["GET", "DELETE"]);
  });

  it("reaches CometChat when the auth token comes as Authorization: Bearer alone", async ({ expect }) => {
    const session = await chatSession();
    await session.register({ fcmToken: uniqueToken() });
    const headers = { appId: session.app, authorization: `Bearer ${session.authToken}` };
    expect((await call("DELETE", "/v3.0/me", { headers })).status).toBe(200);
    expect(await cometchat.isAlive("chat", session.authToken)).toBe(false);
    expect(await pushTokens("chat", session.uid)).toEqual([]);
  });

  it("of a session that holds nothing keeps a late registration out", async ({ expect }) => {
    const session = await chatSession();
    await session.call("PUT", "/v3.0/me", { body: {} });
    await answer(session, { method: "DELETE", status: 502 });
    await session.logout();
    expect(await session.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
  });

  describe("of a session that holds nothing and that this isolate never saw, while CometChat does not say whose it is", () => {
    const unsaid: Fault = { method: "GET", path: "/v3.0/me", status: 502, body: "" };

    it("is not acknowledged though CometChat lets it log out: it may do so with any auth token", async ({ expect }) => {
      const session = await chatSession();
      await answer(session, unsaid);
      expect(await session.logout()).toMatchObject(TROUBLE);
      expect(await isUntouched("chat", session.uid)).toBe(true);
      expect(await cometchat.isAlive("chat", session.authToken)).toBe(false);
    });

    it("ends what the session holds here, and then it is acknowledged", async ({ expect }) => {
      const session = await chatSession();
      await heldElsewhere(session, uniqueToken());
      await answer(session, unsaid);
      expect(await session.logout()).toMatchObject({ status: 200 });
      expect(await pushTokens("chat", session.uid)).toEqual([]);
      await expect(heldElsewhere(session, uniqueToken())).rejects.toThrow("ended");
    });

    it.for<[string, Fault]>([
      ["fails", { status: 500, body: { error: { code: "ERR_EXCEPTION", message: "m" } } }],
      ["talks nonsense", { status: 200, body: "{}" }],
    ])(
      "is not acknowledged if CometChat %s, and writes nothing for a uid that may be made up",
      async ([, fault], { expect }) => {
        const session = await chatSession();
        await answer(session, unsaid);
        await answer(session, { ...fault, method: "DELETE" });
        const reply = await session.logout();
        expect(reply).toMatchObject(TROUBLE);
        expect(reply.headers.get("retry-after")).toBe("2");
        expect(await isUntouched("chat", session.uid)).toBe(true);
        await cometchat.heal({ authToken: session.authToken, method: "DELETE" });
        await cometchat.heal({ authToken: session.authToken, method: "GET", path: "/v3.0/me" });
        expect((await session.logout()).status).toBe(200);
        await expect(heldElsewhere(session, uniqueToken())).rejects.toThrow("ended");
      },
    );

    it("ends when CometChat says so a moment later", async ({ expect }) => {
      const session = await chatSession();
      await answer(session, { ...unsaid, times: 1 });
      await answer(session, { method: "DELETE", status: 502, body: "" });
      expect((await session.logout()).status).toBe(502);
      await expect(heldElsewhere(session, uniqueToken())).rejects.toThrow("ended");
    });

    it("is not acknowledged if the auth token does not begin with a uid; CometChat has heard of it", async ({
      expect,
    }) => {
      const uid = uniqueUid();
      const session = new TestSession("chat", uid, await cometchat.issue("chat", uid, crypto.randomUUID()));
      await answer(session, unsaid);
      expect(await session.logout()).toMatchObject(TROUBLE);
      expect(await cometchat.isAlive("chat", session.authToken)).toBe(false);
    });
  });

  it("writes nothing for an auth token that CometChat calls dead and then lets go of all the same", async ({
    expect,
  }) => {
    const uid = uniqueUid();
    const session = new TestSession("chat", uid, `${uid}_${crypto.randomUUID()}`);
    await answer(session, { method: "DELETE", status: 200, body: { data: { success: true } } });
    expect((await session.logout()).status).toBe(200);
    expect(await isUntouched("chat", uid)).toBe(true);
  });

  it("asks CometChat about the very auth token, whatever else comes along", async ({ expect }) => {
    const session = await chatSession();
    const headers = { Authorization: "Bearer another_token" };
    await session.call("DELETE", "/v3.0/me?authToken=another_token", { headers });
    const [asked] = await received(session, { method: "DELETE" });
    expect(asked?.path).toBe("/v3.0/me");
    expect(asked?.headers.authtoken).toBe(session.authToken);
    expect(asked?.headers).not.toHaveProperty("authorization");
  });

  it("passes no other auth token on with any call", async ({ expect }) => {
    const session = await chatSession();
    const headers = { Authorization: "Bearer another_token" };
    await session.call("GET", "/v3.0/users?limit=5&authToken=another_token", { headers });
    const [asked] = (await received(session, { method: "GET" })).filter(({ path }) => path.startsWith("/v3.0/users"));
    expect(asked?.path).toBe("/v3.0/users?limit=5");
    expect(asked?.headers).not.toHaveProperty("authorization");
  });

  it("tries again to end the session when CometChat cannot be reached at all", async ({ expect }) => {
    const session = await chatSession();
    await session.register({ fcmToken: uniqueToken() });
    const { fetch } = globalThis;
    const spy = vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
      if (String(input).startsWith(`https://${CLIENT_API}/`)) throw new TypeError("unreachable");
      return fetch(input, init);
    });
    onTestFinished(() => spy.mockRestore());
    const faulty = withFault(env.USER_TOKENS, on("endSession", first(1, failBefore(platformErrors.connectionLost))));
    const reply = await callWith({ USER_TOKENS: faulty.namespace }, session, "DELETE", "/v3.0/me");
    expect(reply).toMatchObject(TROUBLE);
    expect(await pushTokens("chat", session.uid)).toEqual([]);
    await expect(heldElsewhere(session, uniqueToken())).rejects.toThrow("ended");
  });

  it("leaves the user's other logins alone", async ({ expect }) => {
    const uid = uniqueUid();
    const [first, second] = [await chatSession({ uid }), await chatSession({ uid })];
    const token = uniqueToken();
    await first.register({ fcmToken: uniqueToken() });
    await second.register({ fcmToken: token });
    await first.logout();
    expect(await second.tokens()).toEqual([token]);
  });

  it("goes on when our own object did not answer at first, and ends the session after CometChat did", async ({
    expect,
  }) => {
    const session = await chatSession();
    await session.register({ fcmToken: uniqueToken() });
    const faulty = withFault(env.USER_TOKENS, on("endSession", first(1, failBefore(platformErrors.connectionLost))));
    const reply = await callWith({ USER_TOKENS: faulty.namespace }, session, "DELETE", "/v3.0/me");
    expect(reply.status).toBe(200);
    expect(await pushTokens("chat", session.uid)).toEqual([]);
    expect(await cometchat.isAlive("chat", session.authToken)).toBe(false);
  });

  it("says 503 when our own object never answered, and has told CometChat", async ({ expect }) => {
    const session = await chatSession();
    await session.register({ fcmToken: uniqueToken() });
    const faulty = withFault(env.USER_TOKENS, failBefore(platformErrors.connectionLost));
    const reply = await callWith({ USER_TOKENS: faulty.namespace }, session, "DELETE", "/v3.0/me");
    expect(reply).toMatchObject(TROUBLE);
    expect(await cometchat.isAlive("chat", session.authToken)).toBe(false);
  });
});

describe("an auth token that CometChat calls dead, whatever was asked", () => {
  it.for<[string, string, string?]>([
    ["GET", "/v3.0/users"],
    ["PUT", "/v3.0/me"],
    ["GET", "/v3.0/settings"],
    ["POST", "/v2/vote", "polls-us.registry.test"],
    ["DELETE", "/v3.0/me"],
  ])(
    "ends its session here: %s %s",
    async ([method, path, host = "push-notification-us.registry.test"], { expect }) => {
      const session = await chatSession();
      await session.register({ fcmToken: uniqueToken() });
      await cometchat.kill("chat", session.authToken);
      expect(await session.call(method, path, { host })).toMatchObject(DEAD);
      expect(await pushTokens("chat", session.uid)).toEqual([]);
      expect(await session.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
    },
  );

  it("ends a session here that this isolate never saw", async ({ expect }) => {
    const session = await chatSession();
    await heldElsewhere(session, uniqueToken());
    await cometchat.kill("chat", session.authToken);
    expect(await session.call("GET", "/v3.0/users")).toMatchObject(DEAD);
    expect(await pushTokens("chat", session.uid)).toEqual([]);
  });

  it("is left alone by every other error", async ({ expect }) => {
    const session = await chatSession();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    await answer(session, { status: 401, body: { error: { code: "ERR_NO_AUTH", message: "m" } } });
    expect((await session.call("GET", "/v3.0/users")).status).toBe(401);
    expect(await pushTokens("chat", session.uid)).toEqual([token]);
    expect(await session.tokens()).toEqual([token]);
  });
});

describe("an auth token whose text names another user", () => {
  /** An auth token that says it is the victim's, and is nobody's. */
  const forged = (victim: string) => new TestSession("chat", victim, `${victim}_${crypto.randomUUID()}`);

  it("writes nothing for a user who has nothing, and leaves no trace", async ({ expect }) => {
    for (const down of [false, true]) {
      const session = forged(uniqueUid());
      if (down) await answer(session, { status: 502, body: "" });
      await session.logout();
      await session.register({ fcmToken: uniqueToken() });
      await session.call("GET", "/v3.0/users");
      expect(await isUntouched("chat", session.uid)).toBe(true);
    }
  });

  it("writes nothing either while CometChat does not say whose it is", async ({ expect }) => {
    const victim = await chatSession();
    const token = uniqueToken();
    await victim.register({ fcmToken: token });
    for (const uid of [uniqueUid(), victim.uid]) {
      const session = forged(uid);
      await answer(session, { method: "GET", path: "/v3.0/me", status: 502, body: "" });
      expect(await session.logout()).toMatchObject(DEAD);
      if (uid !== victim.uid) expect(await isUntouched("chat", uid)).toBe(true);
    }
    expect(await fences(victim)).toEqual([]);
    expect(await victim.tokens()).toEqual([token]);
  });

  it("removes nothing of the user's sessions, and fences none", async ({ expect }) => {
    const victim = await chatSession();
    const token = uniqueToken();
    await victim.register({ fcmToken: token });
    for (const down of [false, true]) {
      const session = forged(victim.uid);
      if (down) await answer(session, { status: 502, body: "" });
      await session.logout();
      await session.delete({ all: true });
      await session.call("PUT", "/v3.0/me");
    }
    expect(await victim.tokens()).toEqual([token]);
    expect(await fences(victim)).toEqual([]);
  });

  it("acts for the user that CometChat names, and not for the one in its text", async ({ expect }) => {
    const [victim, attacker] = [await chatSession(), uniqueUid()];
    const token = uniqueToken();
    await victim.register({ fcmToken: token });
    const authToken = `${victim.uid}_${crypto.randomUUID()}`;
    const session = new TestSession("chat", attacker, await cometchat.issue("chat", attacker, authToken));
    const own = uniqueToken();
    await session.register({ fcmToken: own });
    expect(await session.tokens()).toEqual([own]);
    await session.logout();
    expect(await pushTokens("chat", attacker)).toEqual([]);
    expect(await pushTokens("chat", victim.uid)).toEqual([token]);
    expect(await fences(victim)).toEqual([]);
    expect(await sha256(session.authToken)).not.toBe(await sha256(victim.authToken));
  });
});
