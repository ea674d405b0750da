// Apps that use CometChat and override their client host, and nothing else: the unmodified SDKs, in Node and in Chromium,
// against the Worker on workerd and the fake CometChat behind it. README.md says which promise each test proves.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { COMETCHAT_REGIONS } from "../support/apps.ts";
import { FAKE_AUTH_KEY, FakeCometChat } from "../support/fake-cometchat.ts";
import { Chromium } from "../support/node/browser.ts";
import { Device, outcome, SDKS, type SdkName } from "../support/node/device.ts";
import { type FetchServer, serveFetch } from "../support/node/fetch-server.ts";
import { Registry } from "../support/node/registry.ts";
import { uniqueToken, uniqueUid } from "../support/unique.ts";

const APP = "chat";
const HOST = "push-notification-us.registry.test";
const POLLS_HOST = "polls-us.registry.test";
/** It stays CometChat's: there the SDK gets an auth token with an auth key. */
const ADMIN_HOST = `${APP}.api-us.cometchat.io`;
const PAGE = "https://app.example.com";

const REGISTERED = { success: true, unregisterTicket: expect.any(String) };

let cometchat: FakeCometChat;
let upstream: FetchServer;
let registry: Registry;

beforeAll(async () => {
  cometchat = new FakeCometChat({ apps: COMETCHAT_REGIONS });
  upstream = await serveFetch((request) => cometchat.fetch(request));
  registry = await Registry.start({ hosts: [HOST, POLLS_HOST], outbound: upstream.address });
});

afterAll(async () => {
  await registry?.stop();
  await upstream?.stop();
});

/** A device on which the app has started. */
async function open(sdk: SdkName): Promise<Device> {
  const device = new Device({
    sdk,
    registry,
    appId: APP,
    host: HOST,
    overridesAdminHost: false,
    hosts: [HOST, POLLS_HOST],
    elsewhere: { [ADMIN_HOST]: (request) => cometchat.fetch(request) },
  });
  onTestFinished(() => device.close());
  await device.init();
  return device;
}

async function loggedIn(sdk: SdkName, uid = uniqueUid()) {
  const device = await open(sdk);
  const authToken = cometchat.issue(APP, uid);
  await device.CometChat.login(authToken);
  return { device, uid, authToken };
}

const pushTokens = (uid: string) => registry.pushTokens(uid, APP);

describe.each(Object.keys(SDKS) as SdkName[])("the SDK %s, with CometChat behind the registry", (sdk) => {
  it("logs in, registers, lists and logs out, and the next sender's read shows nothing", async ({ expect }) => {
    const { device, uid, authToken } = await loggedIn(sdk);
    const token = uniqueToken();
    expect((await device.CometChat.getLoggedinUser())?.getUid()).toBe(uid);
    expect(await device.extension("POST", "v2/tokens", { fcmToken: token })).toEqual(REGISTERED);
    const listed = (await device.extension("GET", "v2/tokens", null)) as Record<string, string[]>;
    expect(Object.values(listed).flat()).toEqual([token]);
    expect(await pushTokens(uid)).toEqual([token]);
    expect(await outcome(device.CometChat.logout())).toMatchObject({ resolved: { success: true } });
    expect(await pushTokens(uid)).toEqual([]);
    expect(cometchat.isAlive(APP, authToken)).toBe(false);
    expect(device.requests).toEqual([
      `PUT ${HOST}/v3.0/me`,
      `POST ${HOST}/v2/tokens`,
      `GET ${HOST}/v2/tokens`,
      `DELETE ${HOST}/v3.0/me`,
    ]);
    // The login that passed through was all that CometChat was asked.
    expect(cometchat.received({ authToken }).map(({ method, path }) => `${method} ${path}`)).toEqual([
      "PUT /v3.0/me",
      "DELETE /v3.0/me",
    ]);
  });

  it("logs in with a uid and an auth key: the admin host stays CometChat's", async ({ expect }) => {
    const device = await open(sdk);
    const uid = uniqueUid();
    expect((await device.CometChat.login(uid, FAKE_AUTH_KEY)).getUid()).toBe(uid);
    await device.extension("POST", "v2/tokens", { fcmToken: uniqueToken() });
    expect(device.requests).toEqual([
      `POST ${ADMIN_HOST}/v3.0/users/${uid}/auth_tokens`,
      `PUT ${HOST}/v3.0/me`,
      `POST ${HOST}/v2/tokens`,
    ]);
    expect(await pushTokens(uid)).toHaveLength(1);
  });

  it("uses CometChat's other extensions through the registry", async ({ expect }) => {
    const { device, uid } = await loggedIn(sdk);
    expect(await device.CometChat.callExtension("polls", "POST", "v2/vote", { vote: "1" })).toMatchObject({
      slug: "polls",
      uid,
      body: '{"vote":"1"}',
    });
    expect(await device.extension("POST", "v2/mute-chat", { timeInMS: 1 })).toMatchObject({
      slug: "push-notification",
    });
    expect(device.requests.slice(1)).toEqual([`POST ${POLLS_HOST}/v2/vote`, `POST ${HOST}/v2/mute-chat`]);
  });

  it("logs out although CometChat is down: rejected, logged out on the device, and no token is left", async ({
    expect,
  }) => {
    const { device, uid, authToken } = await loggedIn(sdk);
    await device.extension("POST", "v2/tokens", { fcmToken: uniqueToken() });
    cometchat.fail({ authToken, status: 502, body: "" });
    expect(await outcome(device.CometChat.logout())).toHaveProperty("rejected");
    expect(await device.CometChat.getLoggedinUser()).toBeNull();
    expect(await pushTokens(uid)).toEqual([]);
  });

  it("cannot log in with a dead auth token, and is told so in CometChat's words", async ({ expect }) => {
    const device = await open(sdk);
    const authToken = cometchat.issue(APP, uniqueUid());
    cometchat.kill(APP, authToken);
    expect(await outcome(device.CometChat.login(authToken))).toMatchObject({
      rejected: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND", message: "The fake says AUTH_ERR_AUTH_TOKEN_NOT_FOUND." },
    });
  });
});

describe.each([
  ["javascript", "fcm_web", "web"],
  ["react-native", "fcm_react_native_android", "android"],
  ["ionic", "fcm_ionic_cordova_android", "android"],
] as const)("registerPushToken of the SDK %s, with CometChat behind the registry", (sdk, platform, list) => {
  it("fills the slot of v2/tokens, and unregisterPushToken empties it", async ({ expect }) => {
    const { device, uid } = await loggedIn(sdk);
    const token = uniqueToken();
    const { CometChatNotifications } = device;
    expect(await CometChatNotifications.registerPushToken(token, platform)).toBe("Push token registered successfully.");
    expect(await device.extension("GET", "v2/tokens", null)).toMatchObject({ [list]: [token] });
    expect(await CometChatNotifications.unregisterPushToken()).toBe("Push token unregistered successfully.");
    expect(await pushTokens(uid)).toEqual([]);
    await CometChatNotifications.registerPushToken(token, platform);
    await device.CometChat.logout();
    expect(await pushTokens(uid)).toEqual([]);
    expect(device.hostsCalled).toEqual([HOST]);
  });
});

describe("the JavaScript SDK in Chromium, with CometChat behind the registry", () => {
  let chromium: Chromium;

  beforeAll(async () => {
    chromium = await Chromium.launch(registry, [new URL(PAGE).host]);
  });

  afterAll(() => chromium?.close());

  it("logs in, registers, lists, uses another extension and logs out, reading every reply", async ({ expect }) => {
    const tab = await chromium.device(PAGE);
    const uid = uniqueUid();
    const authToken = cometchat.issue(APP, uid);
    const token = uniqueToken();
    await tab.init(APP, HOST, null);
    expect(await tab.call("login", authToken)).toMatchObject({ resolved: { uid, authToken } });
    expect(await tab.extension("POST", "v2/tokens", { fcmToken: token })).toEqual({ resolved: REGISTERED });
    expect(await tab.extension("GET", "v2/tokens")).toEqual({ resolved: { ios: [], web: [token], android: [] } });
    expect(await tab.call("callExtension", "polls", "POST", "/v2/vote", { vote: "1" })).toMatchObject({
      resolved: { slug: "polls", uid },
    });
    expect(await tab.call("logout")).toMatchObject({ resolved: { success: true } });
    expect(await pushTokens(uid)).toEqual([]);
    expect(await tab.call("login", authToken)).toMatchObject({ rejected: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } });
    expect(tab.requests).toEqual([
      `PUT ${HOST}/v3.0/me`,
      `POST ${HOST}/v2/tokens`,
      `GET ${HOST}/v2/tokens`,
      `POST ${POLLS_HOST}//v2/vote`,
      `DELETE ${HOST}/v3.0/me`,
      `PUT ${HOST}/v3.0/me`,
    ]);
    await chromium.release(tab);
  });
});
