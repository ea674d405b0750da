// What a client could try with a Worker that passes its calls on: to reach another host, another path, another user, or to
// put something into a request or reply that is not its own. What needs bytes on the wire is in test/system/cometchat.test.ts.
import { describe, it } from "vitest";
import { parseConfig } from "../../src/config/apps.ts";
import { call, type TestSession, uniqueToken } from "../support/client.ts";
import { chatSession, cometchat, pushTokens } from "../support/cometchat.ts";

const HOSTS = ["chat.apiclient-us.cometchat.io", "polls-us.cometchat.io", "push-notification-us.cometchat.io"];

/** The hosts that were asked in the session's name. */
async function hostsAsked(session: TestSession): Promise<string[]> {
  const requests = await cometchat.received({ authToken: session.authToken });
  return [...new Set(requests.map(({ host }) => host))];
}

describe("the upstream host", () => {
  it.for([
    "evil.example",
    "polls-us.evil.example",
    "polls-us.chat.apiclient-us.evil.example",
    "push-notification-us.evil.example:8443",
    "chat.api-us.evil.example",
    "169.254.169.254",
    "[::1]",
    "localhost:8787",
    "a.b-us.registry.test",
    "-us.registry.test",
    "us.registry.test",
  ])("is never the one in the Host header (%s)", async (host, { expect }) => {
    const session = await chatSession();
    for (const path of ["/v3.0/users", "/v2/vote", "/"]) {
      expect((await session.call("GET", path, { host })).status, path).toBeLessThan(500);
    }
    for (const asked of await hostsAsked(session)) expect(HOSTS).toContain(asked);
  });

  it.for([
    "//evil.example/v3.0/users",
    "///evil.example/",
    "/v3.0/@evil.example/users",
    "/v3.0//evil.example/users",
    "/v3.0/https://evil.example/users",
    "/v3.0/users?url=https://evil.example/&host=evil.example",
    "/v3.0:443@evil.example/users",
    "/v3.0/;@evil.example",
    "/@evil.example/v3.0/users",
  ])("is never taken from the path (%s)", async (path, { expect }) => {
    const session = await chatSession();
    for (const host of ["push-notification-us.registry.test", "polls-us.registry.test"]) {
      expect((await session.call("GET", path, { host })).status).toBeLessThan(500);
    }
    for (const asked of await hostsAsked(session)) expect(HOSTS).toContain(asked);
  });

  it.for([
    { clientApi: "http://chat.example.com" },
    { clientApi: "https://user:password@chat.example.com" },
    { clientApi: "https://chat.example.com/v3.0" },
    { clientApi: "https://chat.example.com?x" },
    { clientApi: "https://chat.example.com#x" },
    { clientApi: "chat.example.com" },
    { clientApi: "https://us.example.com" },
    { extensionDomain: "evil.example/x" },
    { extensionDomain: "@evil.example" },
    { extensionDomain: "https://evil.example" },
    { extensionDomain: "" },
    { cacheSeconds: -1 },
    { cacheSeconds: 86_401 },
    { pushTokens: "there" },
  ])("cannot be configured by mistake (%o)", (fields, { expect }) => {
    const app = { appId: "x", identity: "cometchat", publicHost: "us.example.com", cometchat: fields };
    const { apps } = parseConfig({ APP_X: app });
    const [field = ""] = Object.keys(fields);
    expect(apps.get("x")).toMatchObject({ problems: [expect.stringContaining(`APP_X.cometchat.${field}: `)] });
  });

  it.for([{ region: "us.evil.example/" }, { region: "us@evil" }, { appId: "evil.example/" }, { appId: "x@evil" }])(
    "cannot be changed by region or appId (%o)",
    (fields, { expect }) => {
      const { apps } = parseConfig({ APP_X: { appId: "x", identity: "cometchat", ...fields } });
      expect([...apps.values()]).toMatchObject([
        { problems: [expect.stringContaining(`APP_X.${Object.keys(fields)[0]}`)] },
      ]);
    },
  );
});

describe("the upstream path", () => {
  it.for([
    "/v3.0/..%2fv2/users",
    "/v3.0/..%2F..%2Fadmin",
    "/v3.0/%2e%2e%2fusers",
    "/v3.0/users%2f..%2fme",
    "/v3.0/users/..%5cadmin",
    "/v3.0/users%5Cme",
    "/v3.0/users%00",
  ])("is refused where two servers could read it in two ways (%s)", async (path, { expect }) => {
    const session = await chatSession();
    expect(await session.call("GET", path)).toMatchObject({
      status: 400,
      body: { error: { code: "ERR_BAD_REQUEST" } },
    });
    expect(await hostsAsked(session)).toEqual([]);
  });

  it("that hides a logout in percent-encoding is a logout", async ({ expect }) => {
    const session = await chatSession();
    await session.register({ fcmToken: uniqueToken() });
    await cometchat.fail({ authToken: session.authToken, method: "DELETE", status: 502 });
    await session.call("DELETE", "/v3.0/%6d%65");
    expect(await pushTokens("chat", session.uid)).toEqual([]);
  });

  it("that hides our token API in percent-encoding goes nowhere", async ({ expect }) => {
    const session = await chatSession();
    for (const path of ["/v2/token%73", "/v3.0/notifications/push/v1/%74okens"]) {
      expect((await session.call("POST", path, { body: { fcmToken: uniqueToken() } })).status).not.toBe(200);
    }
    const paths = (await cometchat.received({ authToken: session.authToken })).map(({ path }) => path);
    expect(paths.filter((path) => path !== "/v3.0/me")).toEqual([]);
  });

  it("is called with its own method, whatever method a header names", async ({ expect }) => {
    const session = await chatSession();
    await session.call("POST", "/v3.0/me", {
      headers: { "x-http-method-override": "DELETE", "x-method-override": "DELETE" },
    });
    const [asked] = await cometchat.received({ authToken: session.authToken });
    expect(asked?.method).toBe("POST");
    expect(JSON.stringify(asked?.headers)).not.toContain("override");
  });
});

describe("headers", () => {
  const SMUGGLED = [
    "cf-connecting-ip",
    "cf-access-jwt-assertion",
    "cf-ipcountry",
    "cf-worker",
    "cdn-loop",
    "cookie",
    "expect",
    "forwarded",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "true-client-ip",
    "upgrade",
    "via",
    "x-client-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
  ];

  it("of a connection, of the network or of our host do not pass", async ({ expect }) => {
    const session = await chatSession();
    const smuggled = Object.fromEntries(SMUGGLED.map((name) => [name, "smuggled"]));
    const reply = await session.call("POST", "/v3.0/messages", {
      headers: { ...smuggled, "x-kept": "kept" },
      body: {},
    });
    expect(reply.status).toBe(200);
    const [asked] = await cometchat.received({ authToken: session.authToken });
    expect(JSON.stringify(asked?.headers)).not.toContain("smuggled");
    expect(asked?.headers["x-kept"]).toBe("kept");
  });

  it("that Connection names do not pass either", async ({ expect }) => {
    const session = await chatSession();
    const headers = {
      connection: "close, X-Private ,x-other",
      "x-private": "smuggled",
      "x-other": "smuggled",
      "x-kept": "kept",
    };
    await session.call("GET", "/v3.0/users", { headers });
    const [asked] = await cometchat.received({ authToken: session.authToken });
    expect(JSON.stringify(asked?.headers)).not.toContain("smuggled");
    expect(asked?.headers["x-kept"]).toBe("kept");
  });

  it("of a reply that would change how a browser treats our host do not pass", async ({ expect }) => {
    const session = await chatSession();
    const harmful = {
      "alt-svc": 'h3="evil.example:443"',
      "clear-site-data": '"*"',
      "access-control-allow-origin": "https://evil.example",
      "access-control-expose-headers": "x-secret",
      nel: '{"report_to":"evil"}',
      "report-to": '{"group":"evil"}',
      "set-cookie": "session=evil",
      "strict-transport-security": "max-age=1; includeSubDomains",
    };
    await cometchat.fail({ authToken: session.authToken, status: 200, body: { data: [] }, headers: harmful });
    for (const [method, path] of [
      ["GET", "/v3.0/users"],
      ["DELETE", "/v3.0/me"],
    ] as const) {
      const { headers } = await session.call(method, path);
      expect(headers.get("access-control-allow-origin")).toBe("*");
      expect(headers.get("access-control-expose-headers")).not.toContain("x-secret");
      for (const name of Object.keys(harmful).filter((each) => !each.startsWith("access-control-"))) {
        expect(headers.get(name), name).toBeNull();
      }
    }
  });

  it("of a reply cannot be made by what a client sends", async ({ expect }) => {
    const session = await chatSession();
    const injected = "%0d%0aSet-Cookie:%20a=b%0d%0a%0d%0a<html>";
    for (const path of [`/v3.0/users/${injected}`, `/v3.0/users?q=${injected}`, `/v3.0/me?q=${injected}`]) {
      const { headers } = await session.call("GET", path);
      expect(headers.get("set-cookie")).toBeNull();
      expect(JSON.stringify([...headers])).not.toContain("a=b");
    }
    const paths = (await cometchat.received({ authToken: session.authToken })).map(({ path }) => path);
    expect(paths).toHaveLength(3);
    for (const path of paths) expect(path).toMatch(/^[!-~]+$/);
  });
});

describe("another user's reply", () => {
  it("is not served from a cache, however public CometChat calls it", async ({ expect }) => {
    const [alice, bob] = [await chatSession(), await chatSession()];
    const headers = { "cache-control": "public, max-age=600", "x-own": "1" };
    for (const session of [alice, bob]) await cometchat.fail({ authToken: session.authToken, headers });
    for (const session of [alice, bob]) {
      const { body } = await session.call("GET", "/v3.0/users");
      expect(body.data[0].uid).toBe(session.uid);
      expect((await session.call("GET", "/v3.0/me")).body.data.uid).toBe(session.uid);
    }
  });

  it("to a login does not make this auth token theirs", async ({ expect }) => {
    const [alice, bob] = [await chatSession(), await chatSession()];
    const token = uniqueToken();
    await bob.register({ fcmToken: token });
    const data = { uid: bob.uid, name: "Bob", authToken: bob.authToken, settings: {} };
    await cometchat.fail({ authToken: alice.authToken, method: "PUT", status: 200, body: { data } });
    await alice.call("PUT", "/v3.0/me");
    expect(await alice.tokens()).toEqual([]);
    await alice.delete({ all: true });
    expect(await bob.tokens()).toEqual([token]);
  });

  it("cannot be read with the auth token in two headers: authToken counts, here and at CometChat", async ({
    expect,
  }) => {
    const [alice, bob] = [await chatSession(), await chatSession()];
    const token = uniqueToken();
    await bob.register({ fcmToken: token });
    const headers = { appId: "chat", authToken: alice.authToken, authorization: `Bearer ${bob.authToken}` };
    expect((await call("GET", "/v2/tokens", { headers })).body.data.android).toEqual([]);
    await call("DELETE", "/v3.0/me", { headers });
    expect(await bob.tokens()).toEqual([token]);
    expect(await cometchat.isAlive("chat", bob.authToken)).toBe(true);
  });
});
