// The JavaScript SDK in Chromium, where the browser decides what a page may send and read. README.md says which sentence of
// the documentation each test proves.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Chromium, type Tab } from "../support/node/browser.ts";
import { Registry } from "../support/node/registry.ts";
import { uniqueToken, uniqueUid } from "../support/unique.ts";

const HOST = "push-notification-us.registry.test";
/** The host in the settings of the app that allows some origins only. */
const ORIGINS_HOST = "push-notification-us.example.com";
const TOKENS = `https://${HOST}/v2/tokens`;
const APP = "https://app.example.com";
const STRANGER = "https://stranger.example.net";

const REGISTERED = { resolved: { success: true, unregisterTicket: expect.any(String) } };
const SUCCESS = { resolved: { success: true } };
const listed = (...web: string[]) => ({ resolved: { ios: [], web, android: [] } });

let registry: Registry;
let chromium: Chromium;

beforeAll(async () => {
  registry = await Registry.start({ hosts: [HOST, ORIGINS_HOST] });
  chromium = await Chromium.launch(
    registry,
    [APP, STRANGER].map((origin) => new URL(origin).host),
  );
});

afterAll(async () => {
  await chromium?.close();
  await registry?.stop();
});

async function open({ origin = APP, appId = "test", host = HOST } = {}): Promise<Tab> {
  const tab = await chromium.device(origin);
  onTestFinished(async () => {
    const hosts = new Set(tab.sent.map(({ url }) => new URL(url).host));
    await chromium.release(tab);
    // Whatever the SDK did, it did it here.
    expect([...hosts].filter((called) => called !== host)).toEqual([]);
  });
  await tab.init(appId, host);
  return tab;
}

async function loggedIn(uid = uniqueUid()) {
  const tab = await open();
  const authToken = await registry.mint(uid);
  expect(await tab.call("login", authToken)).toMatchObject({ resolved: { uid, authToken } });
  return { tab, uid, authToken };
}

describe("the JavaScript SDK in Chromium", () => {
  it("registers, lists and deletes, each after a preflight that names the SDK's headers", async ({ expect }) => {
    const { tab } = await loggedIn();
    const token = uniqueToken();
    expect(await tab.extension("POST", "v2/tokens", { fcmToken: token })).toEqual(REGISTERED);
    expect(await tab.extension("GET", "v2/tokens")).toEqual(listed(token));
    expect(await tab.extension("DELETE", "v2/tokens", { all: false })).toEqual(SUCCESS);
    expect(await tab.extension("GET", "v2/tokens")).toEqual(listed());
    expect(tab.requests).toEqual([
      `PUT ${HOST}/v3.0/me`,
      `POST ${HOST}/v2/tokens`,
      `GET ${HOST}/v2/tokens`,
      `DELETE ${HOST}/v2/tokens`,
      `GET ${HOST}/v2/tokens`,
    ]);
    // The SDK's `cache: "no-cache"` bypasses what is kept of earlier preflights.
    expect(tab.preflights).toEqual(tab.requests);
    expect(tab.sent.find(({ asks }) => asks?.method === "POST")?.asks?.headers).toEqual([
      "appid",
      "authtoken",
      "chatapiversion",
      "content-type",
      "resource",
      "sdk",
    ]);
  });

  it("calls the path with two slashes, preflight included", async ({ expect }) => {
    const { tab } = await loggedIn();
    const token = uniqueToken();
    expect(await tab.extension("POST", "/v2/tokens", { fcmToken: token })).toEqual(REGISTERED);
    expect(await tab.extension("GET", "/v2/tokens", { all: true })).toEqual(listed(token));
    expect(tab.requests.slice(1)).toEqual([`POST ${HOST}//v2/tokens`, `GET ${HOST}//v2/tokens?all=true`]);
    expect(tab.preflights).toEqual(tab.requests);
  });

  it("logs in with a uid and an auth key", async ({ expect }) => {
    const tab = await open();
    const uid = uniqueUid();
    expect(await tab.call("login", uid, "test-auth-only-key")).toMatchObject({ resolved: { uid } });
    expect(await tab.call("login", uniqueUid(), "wrong-key")).toMatchObject({
      rejected: { code: "AUTH_ERR_APIKEY_NOT_FOUND" },
    });
  });

  it("moves a token from one user's device to another's, and ends at logout", async ({ expect }) => {
    const [alice, bob] = [await loggedIn(), await loggedIn()];
    const [shared, own] = [uniqueToken(), uniqueToken()];
    await alice.tab.extension("POST", "v2/tokens", { fcmToken: shared });
    await bob.tab.extension("POST", "v2/tokens", { fcmToken: own });
    expect(await bob.tab.extension("POST", "v2/tokens", { fcmToken: shared })).toEqual(REGISTERED);
    expect(await alice.tab.extension("GET", "v2/tokens")).toEqual(listed());
    expect(await bob.tab.extension("GET", "v2/tokens")).toEqual(listed(shared));

    expect(await bob.tab.call("logout")).toEqual(SUCCESS);
    expect(await registry.pushTokens(bob.uid)).toEqual([]);
    expect(await bob.tab.call("login", bob.authToken)).toMatchObject({
      rejected: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" },
    });
    await bob.tab.call("login", await registry.mint(bob.uid));
    expect(await bob.tab.extension("GET", "v2/tokens")).toEqual(listed());
  });

  it("stays logged in over a reload of the page", async ({ expect }) => {
    const { tab, uid } = await loggedIn();
    const token = uniqueToken();
    await tab.extension("POST", "v2/tokens", { fcmToken: token });
    await tab.reload();
    await tab.init("test", HOST);
    expect(await tab.call("getLoggedinUser")).toMatchObject({ resolved: { uid } });
    expect(await tab.extension("POST", "v2/tokens", { fcmToken: token })).toEqual(REGISTERED);
    expect(await tab.extension("GET", "v2/tokens")).toEqual(listed(token));
  });

  // sentry-javascript#6077, workadventure#5084: the tools wrap fetch, and their headers are part of what a preflight asks.
  it("registers from a page whose tracing tools add headers to every call", async ({ expect }) => {
    const { tab } = await loggedIn();
    const added = ["baggage", "newrelic", "sentry-trace", "traceparent", "tracestate", "x-datadog-trace-id"];
    await tab.addHeaders(Object.fromEntries(added.map((name) => [name, "00-1"])));
    const token = uniqueToken();
    expect(await tab.extension("POST", "v2/tokens", { fcmToken: token })).toEqual(REGISTERED);
    expect(await tab.extension("GET", "v2/tokens")).toEqual(listed(token));
    expect(await tab.extension("DELETE", "v2/tokens", { all: false })).toEqual(SUCCESS);
    const asked = tab.sent.find(({ asks, url }) => asks?.method === "POST" && url === TOKENS)?.asks?.headers;
    expect(asked).toEqual(expect.arrayContaining(added));
  });

  it("reads why a call was refused", async ({ expect }) => {
    const { tab, uid } = await loggedIn();
    expect(await tab.extension("POST", "v2/tokens", { fcmToken: "two words" })).toEqual({
      rejected: {
        code: "ERR_BAD_REQUEST",
        message: "Failed to validate the data sent with the request.",
        details: {
          fcmToken: ["The fcmToken field must hold only visible ASCII characters, without spaces."],
        },
      },
    });
    await registry.serverCall("DELETE", `/v3/users/${uid}/sessions`);
    expect(await tab.extension("GET", "v2/tokens")).toEqual({
      rejected: {
        code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND",
        message: "The auth token does not exist or is no longer valid. Log in again to get a new one.",
        details: {},
      },
    });
  });

  it("reads that its page's origin is not allowed, and changes nothing", async ({ expect }) => {
    const uid = uniqueUid();
    const authToken = await registry.mint(uid, "origins");
    const stranger = await open({ origin: STRANGER, appId: "origins", host: ORIGINS_HOST });
    expect(await stranger.call("login", authToken)).toEqual({
      rejected: {
        code: "AUTH_ERR_NO_ACCESS",
        message: "This web page's origin is not allowed for the app.",
        details: {},
      },
    });
    const app = await open({ appId: "origins", host: ORIGINS_HOST });
    expect(await app.call("login", authToken)).toMatchObject({ resolved: { uid } });
    expect(await app.extension("POST", "v2/tokens", { fcmToken: uniqueToken() })).toEqual(REGISTERED);
  });

  it("unregisters by a beacon with the ticket, without a preflight", async ({ expect }) => {
    const { tab, uid } = await loggedIn();
    const result = await tab.extension("POST", "v2/tokens", { fcmToken: uniqueToken() });
    expect(result).toEqual(REGISTERED);
    const { unregisterTicket } = (result as { resolved: { unregisterTicket: string } }).resolved;
    const before = tab.preflights.length;
    const reply = tab.reply("POST", `${TOKENS}/unregister`);
    expect(await tab.sendBeacon(`${TOKENS}/unregister`, unregisterTicket)).toBe(true);
    expect(await reply).toBe(200);
    expect(tab.preflights.length).toBe(before);
    expect(await registry.pushTokens(uid)).toEqual([]);
  });

  it("has the report accepted that it sends about itself after each login", async ({ expect }) => {
    const { tab } = await loggedIn();
    expect(await tab.reply("POST", `https://${HOST}/v3.0/user_sessions`)).toBe(200);
  });
});
