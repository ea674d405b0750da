// The four npm SDKs, unmodified, against the Worker on workerd: what each of their promises resolves to or rejects with, and
// every host that they call. README.md says which sentence of the documentation each test proves.
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { API_KEYS } from "../support/apps.ts";
import { Device, type DeviceOptions, IOS_USER_AGENTS, outcome, SDKS, type SdkName } from "../support/node/device.ts";
import { Registry } from "../support/node/registry.ts";
import { uniqueToken, uniqueUid } from "../support/unique.ts";

/** As on workers.dev: the Worker's name is the host that the SDKs build for the extension. */
const HOST = "push-notification-us.registry.test";
/** A host of another form: the extension's name goes before it. */
const OWN_HOST = "push.example.test";
const EXTENSION_OF_OWN_HOST = `push-notification-eu.${OWN_HOST}`;

const SUCCESS = { success: true };
/** What a registration resolves to. */
const REGISTERED = { success: true, unregisterTicket: expect.any(String) };
const DEAD_AUTH_TOKEN = {
  code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND",
  message: "The auth token does not exist or is no longer valid. Log in again to get a new one.",
  details: {},
};

let registry: Registry;

beforeAll(async () => {
  registry = await Registry.start({ hosts: [HOST, OWN_HOST, EXTENSION_OF_OWN_HOST] });
});

afterAll(() => registry?.stop());

async function open(sdk: SdkName, options: Partial<DeviceOptions> = {}): Promise<Device> {
  const device = new Device({ sdk, registry, appId: "test", host: HOST, hosts: [HOST], ...options });
  // Fails the test if the SDK tried to reach any other host.
  onTestFinished(() => device.close());
  await device.init();
  return device;
}

/** A device on which a user is logged in. */
async function loggedIn(sdk: SdkName, uid = uniqueUid(), options: Partial<DeviceOptions> = {}) {
  const device = await open(sdk, options);
  const authToken = await registry.mint(uid, options.appId);
  await device.CometChat.login(authToken);
  return { device, uid, authToken };
}

describe.each(Object.keys(SDKS) as SdkName[])("the SDK %s", (sdk) => {
  /** Where a bare fcmToken of this SDK belongs. */
  const list = (tokens: { fcm?: string[]; ios?: string[] }) => {
    const isPage = SDKS[sdk].header.startsWith("javascript@");
    return { ios: tokens.ios ?? [], web: isPage ? (tokens.fcm ?? []) : [], android: isPage ? [] : (tokens.fcm ?? []) };
  };

  it("logs in with a uid and an auth key, calling nothing but the registry", async ({ expect }) => {
    const device = await open(sdk);
    const uid = uniqueUid();
    const user = await device.CometChat.login(uid, API_KEYS.authOnly);
    expect(user.getUid()).toBe(uid);
    expect(device.requests).toEqual([`POST ${HOST}/v3.0/users/${uid}/auth_tokens`, `PUT ${HOST}/v3.0/me`]);
    expect(device.calls.map((call) => call.status)).toEqual([200, 200]);
    expect(device.calls[0]?.headers).toMatchObject({ appid: "test", apikey: API_KEYS.authOnly });
    expect(device.calls[1]?.headers).toMatchObject({ authtoken: user.getAuthToken(), sdk: SDKS[sdk].header });
  });

  it("is told in CometChat's words that an auth key is wrong", async ({ expect }) => {
    const device = await open(sdk);
    expect(await outcome(device.CometChat.login(uniqueUid(), "wrong-auth-key"))).toEqual({
      rejected: {
        code: "AUTH_ERR_APIKEY_NOT_FOUND",
        message: "The API key does not exist in this app.",
        details: {},
      },
    });
  });

  it("logs in with an auth token that a back end minted, and keeps that very token", async ({ expect }) => {
    const { device, uid, authToken } = await loggedIn(sdk);
    const user = await device.CometChat.getLoggedinUser();
    expect(user?.getUid()).toBe(uid);
    expect(user?.getAuthToken()).toBe(authToken);
    expect(device.requests).toEqual([`PUT ${HOST}/v3.0/me`]);
  });

  it("registers an fcmToken by both forms of the endpoint, without asking for settings again", async ({ expect }) => {
    const { device, uid, authToken } = await loggedIn(sdk);
    const [first, second] = [uniqueToken(), uniqueToken()];
    expect(await device.extension("POST", "v2/tokens", { fcmToken: first })).toEqual(REGISTERED);
    expect(await registry.pushTokens(uid)).toEqual([first]);
    // A new token in the slot displaces the old one.
    expect(await device.extension("POST", "/v2/tokens", { fcmToken: second })).toEqual(REGISTERED);
    expect(await registry.pushTokens(uid)).toEqual([second]);
    expect(device.requests.slice(1)).toEqual([`POST ${HOST}/v2/tokens`, `POST ${HOST}//v2/tokens`]);
    expect(device.lastCall).toMatchObject({
      body: JSON.stringify({ fcmToken: second }),
      headers: {
        appid: "test",
        authtoken: authToken,
        chatapiversion: "v3.0",
        "content-type": "application/json",
        sdk: SDKS[sdk].header,
      },
    });
  });

  it("registers apnsToken and voipToken together, and finds both under ios", async ({ expect }) => {
    const { device } = await loggedIn(sdk);
    const [apnsToken, voipToken] = [uniqueToken("apns"), uniqueToken("voip")];
    expect(await device.extension("POST", "v2/tokens", { apnsToken, voipToken })).toEqual(REGISTERED);
    expect(await device.extension("GET", "v2/tokens", null)).toEqual(list({ ios: [apnsToken, voipToken] }));
  });

  it("passes device on with a token, whole, and is told what of it was refused", async ({ expect }) => {
    const { device, uid } = await loggedIn(sdk);
    const apnsToken = uniqueToken("apns");
    const said = { name: "Alice's iPhone 📱", model: "iPhone17,1", environment: "sandbox", bundleId: "com.acme.dev" };
    const body = { apnsToken, device: { ...said, appVersion: " " }, providerId: "dev" };
    expect(await device.extension("POST", "v2/tokens", body)).toEqual({
      ...REGISTERED,
      refused: { "device.appVersion": "invalid" },
    });
    expect(device.lastCall?.body).toBe(JSON.stringify(body));
    const { pushTokens } = (await registry.serverCall("GET", `/v3/users/${uid}/push_tokens`)).body.data;
    expect(pushTokens).toMatchObject([{ token: apnsToken, device: said, providerId: "dev" }]);
    expect(pushTokens[0].device).toEqual(said);
  });

  it("lists the tokens of all logins of the user, in every form of the call", async ({ expect }) => {
    const { device, uid } = await loggedIn(sdk);
    const other = await loggedIn(sdk, uid);
    expect(await device.extension("GET", "v2/tokens", null)).toEqual({ ios: [], web: [], android: [] });
    const tokens = [uniqueToken(), uniqueToken()];
    await device.extension("POST", "v2/tokens", { fcmToken: tokens[0] });
    await other.device.extension("POST", "v2/tokens", { fcmToken: tokens[1] });
    const forms: [endpoint: string, path: string, ...body: unknown[]][] = [
      ["v2/tokens", "/v2/tokens", null],
      ["/v2/tokens", "//v2/tokens", null],
      ["v2/tokens", "/v2/tokens"],
      ["v2/tokens", "/v2/tokens", {}],
      ["v2/tokens", "/v2/tokens?all=true&at=a%20b", { all: true, at: "a b" }],
      ["/v2/tokens", "//v2/tokens?all=false", { all: false }],
    ];
    for (const [endpoint, path, ...body] of forms) {
      const answer = (await device.extension("GET", endpoint, ...body)) as Record<string, string[]>;
      expect(Object.keys(answer)).toEqual(["ios", "web", "android"]);
      for (const platform of Object.values(answer)) platform.sort();
      expect(answer).toEqual(list({ fcm: tokens.toSorted() }));
      expect(device.lastCall).toMatchObject({ method: "GET", path, body: undefined });
    }
  });

  it.each([
    ["{all:false}", [{ all: false }], '{"all":false}'],
    ["null", [null], undefined],
    ["nothing", [], undefined],
  ])("deletes the token of the current session with %s, and may register again", async (_, body, onTheWire) => {
    const { device, uid } = await loggedIn(sdk);
    const other = await loggedIn(sdk, uid);
    const [mine, others] = [uniqueToken(), uniqueToken()];
    await device.extension("POST", "v2/tokens", { fcmToken: mine });
    await other.device.extension("POST", "v2/tokens", { fcmToken: others });
    expect(await device.extension("DELETE", "v2/tokens", ...body)).toEqual(SUCCESS);
    expect(device.lastCall.body).toBe(onTheWire);
    expect(await device.extension("GET", "v2/tokens", null)).toEqual(list({ fcm: [others] }));
    expect(await device.extension("POST", "/v2/tokens", { fcmToken: mine })).toEqual(REGISTERED);
    expect(await registry.pushTokens(uid)).toEqual([mine, others].sort());
  });

  it("deletes the tokens of every login of the user with {all:true}", async ({ expect }) => {
    const { device, uid } = await loggedIn(sdk);
    const other = await loggedIn(sdk, uid);
    const bystander = await loggedIn(sdk);
    const token = uniqueToken();
    await device.extension("POST", "v2/tokens", { fcmToken: uniqueToken() });
    await other.device.extension("POST", "v2/tokens", { apnsToken: uniqueToken(), voipToken: uniqueToken() });
    await bystander.device.extension("POST", "v2/tokens", { fcmToken: token });
    expect(await device.extension("DELETE", "/v2/tokens", { all: true })).toEqual(SUCCESS);
    expect(await other.device.extension("GET", "v2/tokens", null)).toEqual(list({}));
    expect(await registry.pushTokens(bystander.uid)).toEqual([token]);
  });

  it("deletes the session's token at CometChat.logout(), and leaves the user's other login alone", async ({
    expect,
  }) => {
    const { device, uid, authToken } = await loggedIn(sdk);
    const other = await loggedIn(sdk, uid);
    const [mine, others] = [uniqueToken(), uniqueToken()];
    await device.extension("POST", "v2/tokens", { fcmToken: mine });
    await other.device.extension("POST", "v2/tokens", { fcmToken: others });
    expect(await outcome(device.CometChat.logout())).toEqual({ resolved: SUCCESS });
    expect(device.requests.at(-1)).toBe(`DELETE ${HOST}/v3.0/me`);
    expect(await registry.pushTokens(uid)).toEqual([others]);
    expect(await device.CometChat.getLoggedinUser()).toBeNull();

    // The SDK itself refuses further calls, and the auth token is dead on every device.
    const before = device.calls.length;
    expect(await outcome(device.extension("POST", "v2/tokens", { fcmToken: mine }))).toMatchObject({
      rejected: { code: "USER_NOT_LOGED_IN" },
    });
    expect(device.calls.length).toBe(before);
    expect(await outcome(device.CometChat.login(authToken))).toEqual({ rejected: DEAD_AUTH_TOKEN });

    // A new login of the same user sees no old token.
    await device.CometChat.login(await registry.mint(uid));
    expect(await device.extension("GET", "v2/tokens", null)).toEqual(list({ fcm: [others] }));
  });

  it("hands the token over when another user logs in on the same page, with the same resource", async ({ expect }) => {
    const { device, uid: alice } = await loggedIn(sdk);
    const bob = uniqueUid();
    const token = uniqueToken();
    await device.extension("POST", "v2/tokens", { fcmToken: token });
    const { resource } = device.lastCall.headers;
    await device.CometChat.logout();
    await device.CometChat.login(await registry.mint(bob));
    expect(await device.extension("GET", "v2/tokens", null)).toEqual(list({}));
    expect(await device.extension("POST", "v2/tokens", { fcmToken: token })).toEqual(REGISTERED);
    expect(device.lastCall.headers.resource).toBe(resource);
    expect(await device.extension("GET", "v2/tokens", null)).toEqual(list({ fcm: [token] }));
    expect(await registry.pushTokens(alice)).toEqual([]);
  });

  it("takes the token from the previous user who never logged out", async ({ expect }) => {
    const { device, uid: alice } = await loggedIn(sdk);
    const bob = uniqueUid();
    const token = uniqueToken();
    await device.extension("POST", "v2/tokens", { fcmToken: token });
    await device.CometChat.login(await registry.mint(bob));
    // The SDK tells nobody about alice's end: her registration stands until the token is bob's.
    expect(device.requests.at(-1)).toBe(`PUT ${HOST}/v3.0/me`);
    expect(await registry.pushTokens(alice)).toEqual([token]);
    await device.extension("POST", "v2/tokens", { fcmToken: token });
    expect(await registry.pushTokens(alice)).toEqual([]);
    expect(await registry.pushTokens(bob)).toEqual([token]);
  });

  it("is told that its auth token is dead, and stays logged in itself", async ({ expect }) => {
    const { device, uid, authToken } = await loggedIn(sdk);
    await device.extension("POST", "v2/tokens", { fcmToken: uniqueToken() });
    await registry.serverCall("DELETE", `/v3/users/${uid}/sessions`);
    for (const [method, body] of [
      ["POST", { fcmToken: uniqueToken() }],
      ["GET", null],
      ["DELETE", { all: true }],
    ] as const) {
      expect(await outcome(device.extension(method, "v2/tokens", body)), method).toEqual({
        rejected: DEAD_AUTH_TOKEN,
      });
      expect(device.lastCall.status).toBe(401);
    }
    expect((await device.CometChat.getLoggedinUser())?.getAuthToken()).toBe(authToken);
    expect(await registry.pushTokens(uid)).toEqual([]);
  });

  it("can log out although its auth token is dead", async ({ expect }) => {
    const { device, uid } = await loggedIn(sdk);
    await registry.serverCall("DELETE", `/v3/users/${uid}/sessions`);
    const result = await outcome(device.CometChat.logout());
    expect(result).toEqual({ resolved: SUCCESS });
    expect(await device.CometChat.getLoggedinUser()).toBeNull();
  });

  it("cannot log in with an auth token that nobody minted", async ({ expect }) => {
    const device = await open(sdk);
    expect(await outcome(device.CometChat.login("alice_1630306819c3027ce530b2367f3c97b4106f0cb8"))).toEqual({
      rejected: DEAD_AUTH_TOKEN,
    });
  });

  it("is told which field is wrong", async ({ expect }) => {
    const { device } = await loggedIn(sdk);
    const cases: [body: unknown, details: Record<string, string[]>][] = [
      [null, { body: ["The body field must hold at least one of fcmToken, apnsToken and voipToken."] }],
      [{ fcmToken: "" }, { body: ["The body field must hold at least one of fcmToken, apnsToken and voipToken."] }],
      [{ fcmToken: "undefined" }, { fcmToken: ['The fcmToken field holds the word "undefined", which is no value.'] }],
      [{ fcmToken: "t".repeat(4097) }, { fcmToken: ["The fcmToken field must not be longer than 4096 characters."] }],
    ];
    for (const [body, details] of cases) {
      expect(await outcome(device.extension("POST", "v2/tokens", body))).toEqual({
        rejected: {
          code: "ERR_BAD_REQUEST",
          message: "Failed to validate the data sent with the request.",
          details,
        },
      });
      expect(device.lastCall.status).toBe(400);
    }
  });

  it("rejects with a code, not with a fetch failure, where the API does not exist", async ({ expect }) => {
    const { device } = await loggedIn(sdk);
    expect(await outcome(device.extension("PUT", "v2/tokens", { fcmToken: uniqueToken() }))).toMatchObject({
      rejected: { code: "ERR_API_NOT_FOUND" },
    });
    expect(device.lastCall.status).toBe(405);
    expect(await outcome(device.extension("POST", "v2/nothing", { a: 1 }))).toMatchObject({
      rejected: { code: "ERR_API_NOT_FOUND" },
    });
  });

  it("stays logged in over a reload, and registers the same token again without a second entry", async ({ expect }) => {
    const { device, uid } = await loggedIn(sdk);
    const token = uniqueToken();
    await device.extension("POST", "v2/tokens", { fcmToken: token });
    const reloaded = device.reload();
    onTestFinished(() => reloaded.close());
    await reloaded.init();
    expect((await reloaded.CometChat.getLoggedinUser())?.getUid()).toBe(uid);
    expect(await reloaded.extension("POST", "v2/tokens", { fcmToken: token })).toEqual(REGISTERED);
    expect(await registry.pushTokens(uid)).toEqual([token]);
    expect(reloaded.requests).toEqual([`POST ${HOST}/v2/tokens`]);
  });

  it("finds the extension where the registry has a host name of its own", async ({ expect }) => {
    const hosts = [OWN_HOST, EXTENSION_OF_OWN_HOST];
    const { device, uid } = await loggedIn(sdk, uniqueUid(), { appId: "other", region: "eu", host: OWN_HOST, hosts });
    const token = uniqueToken();
    expect(await device.extension("POST", "v2/tokens", { fcmToken: token })).toEqual(REGISTERED);
    expect(await registry.pushTokens(uid, "other")).toEqual([token]);
    expect(await device.CometChat.logout()).toEqual(SUCCESS);
    expect(device.requests).toEqual([
      `PUT ${OWN_HOST}/v3.0/me`,
      `POST ${EXTENSION_OF_OWN_HOST}/v2/tokens`,
      `DELETE ${OWN_HOST}/v3.0/me`,
    ]);
  });
});

/** What each platform of the successor API becomes. */
const SUCCESSOR: [sdk: SdkName, pushPlatform: string, list: "ios" | "web" | "android", field: string][] = [
  ["javascript", "fcm_web", "web", "fcmToken"],
  ["react-native", "fcm_react_native_android", "android", "fcmToken"],
  ["react-native", "fcm_react_native_ios", "ios", "fcmToken"],
  ["react-native", "apns_react_native_device", "ios", "deviceToken"],
  ["react-native", "apns_react_native_voip", "ios", "voipToken"],
  ["ionic", "fcm_ionic_cordova_android", "android", "fcmToken"],
  ["ionic", "fcm_ionic_cordova_ios", "ios", "fcmToken"],
  ["ionic", "apns_ionic_cordova_device", "ios", "deviceToken"],
  ["ionic", "apns_ionic_cordova_voip", "ios", "voipToken"],
];

describe("CometChatNotifications", () => {
  it.each(SUCCESSOR)("of %s registers and unregisters a token of %s", async (sdk, pushPlatform, platform, field) => {
    const { device, uid } = await loggedIn(sdk);
    const token = uniqueToken();
    const notifications = device.CometChatNotifications;
    expect(await notifications.registerPushToken(token, pushPlatform, "provider-1")).toBe(
      "Push token registered successfully.",
    );
    expect(device.requests.at(-1)).toBe(`POST ${HOST}/v3.0/notifications/push/v1/tokens`);
    expect(JSON.parse(device.lastCall.body ?? "")).toEqual({
      providerId: "provider-1",
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      [field]: token,
      platform: pushPlatform,
    });
    // The slots are those of v2/tokens.
    expect(await device.extension("GET", "v2/tokens", null)).toEqual({
      ios: [],
      web: [],
      android: [],
      [platform]: [token],
    });

    expect(await notifications.unregisterPushToken()).toBe("Push token unregistered successfully.");
    expect(device.requests.at(-1)).toBe(`DELETE ${HOST}/v3.0/notifications/push/v1/tokens`);
    expect(await registry.pushTokens(uid)).toEqual([]);
  });

  it.each(["javascript", "react-native", "ionic"] as const)("of %s knows no other platforms", async (sdk) => {
    const { device } = await loggedIn(sdk);
    const known = SUCCESSOR.filter(([name]) => name === sdk).map(([, pushPlatform]) => pushPlatform);
    expect(Object.values(device.CometChatNotifications.PushPlatforms).sort()).toEqual(known.sort());
  });

  it.each(["javascript", "react-native", "ionic"] as const)("of %s ends with CometChat.logout()", async (sdk) => {
    const { device, uid } = await loggedIn(sdk);
    const [pushPlatform = ""] = Object.values(device.CometChatNotifications.PushPlatforms);
    await device.CometChatNotifications.registerPushToken(uniqueToken(), pushPlatform);
    expect((await registry.pushTokens(uid)).length).toBe(1);
    await device.CometChat.logout();
    expect(await registry.pushTokens(uid)).toEqual([]);
  });
});

describe("five seconds after a login", () => {
  it("the SDKs report about themselves, and only to the registry", async ({ expect }) => {
    const devices = await Promise.all((["javascript", "ionic"] as const).map((sdk) => loggedIn(sdk)));
    for (const { device } of devices) {
      await vi.waitFor(
        () => expect(device.lastCall).toMatchObject({ path: "/v3.0/user_sessions", status: 200 }),
        20_000,
      );
      expect(device.requests).toEqual([`PUT ${HOST}/v3.0/me`, `POST ${HOST}/v3.0/user_sessions`]);
    }
  });
});

describe.each(Object.entries(IOS_USER_AGENTS) as [keyof typeof IOS_USER_AGENTS, string][])(
  "the SDK %s on an iPhone",
  (sdk, userAgent) => {
    it("has its fcmToken under ios", async ({ expect }) => {
      const { device } = await loggedIn(sdk, uniqueUid(), { userAgent });
      const token = uniqueToken();
      await device.extension("POST", "v2/tokens", { fcmToken: token });
      expect(await device.extension("GET", "v2/tokens", null)).toEqual({ ios: [token], web: [], android: [] });
    });
  },
);
