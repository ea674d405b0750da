// Android's and iOS' SDKs as they are on the wire. Their requests are written out by hand, and Android's reading of a reply is
// the one of `ApiConnection.handleApiResponse` in chat-sdk-android 4.0.10; the iOS SDK is a closed binary.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Registry } from "../support/node/registry.ts";
import type { HttpReply } from "../support/node/wire.ts";
import { uniqueToken, uniqueUid } from "../support/unique.ts";

const HOST = "push-notification-us.registry.test";

let registry: Registry;

beforeAll(async () => {
  registry = await Registry.start({ hosts: [HOST] });
});

afterAll(() => registry?.stop());

interface AndroidResult {
  /** What `onSuccess` gets: the whole body, `data` wrapper included. */
  success?: Record<string, unknown>;
  /** What `onError` gets. */
  error?: { code: string; message: string; details?: object };
  /** The SDK forgot the user and dropped its database. */
  isLoggedOut: boolean;
}

const FAILED_TO_FETCH = { code: "FAILED_TO_FETCH", message: "Something went wrong" };

/** Only status 200 is success; a 400 must have `details` as an object; 502, 503 and 504 are not read at all. */
function handleApiResponse({ status, text }: HttpReply): AndroidResult {
  if (status === 200) return { success: jsonObject(JSON.parse(text)), isLoggedOut: false };
  if ([502, 503, 504].includes(status)) return { error: FAILED_TO_FETCH, isLoggedOut: false };
  try {
    const error = jsonObject(jsonObject(JSON.parse(text)).error);
    const [code, message] = [jsonString(error.code), jsonString(error.message)];
    if (status === 400) return { error: { code, message, details: jsonObject(error.details) }, isLoggedOut: false };
    return { error: { code, message }, isLoggedOut: code.toUpperCase() === "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" };
  } catch {
    return { error: FAILED_TO_FETCH, isLoggedOut: false };
  }
}

/** As `JSONObject.getJSONObject`, which throws at anything else. */
function jsonObject(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("not a JSONObject");
  return value as Record<string, unknown>;
}

function jsonString(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("not a string");
  return value;
}

class Android {
  readonly #headers: Record<string, string>;

  constructor(authToken: string, appid = "test") {
    this.#headers = {
      appid,
      authToken,
      resource: `Android-4_0_10-${crypto.randomUUID().replaceAll("-", "").slice(0, 30)}-${Date.now()}`,
      sdk: "android@4.0.10",
      chatApiVersion: "v3.0",
      "Accept-Encoding": "gzip",
      "User-Agent": "okhttp/4.9.3",
    };
  }

  /** `CometChat.callExtension`; OkHttp's own body types replace the Content-Type that the SDK sets. */
  async extension(method: string, endpoint: string, body: object | null = null): Promise<AndroidResult> {
    const path = endpoint.replace(/\/$/, "");
    const json = { ...this.#headers, "Content-Type": "application/json" };
    if (method === "GET") return this.#send({ method, path, headers: json });
    if (body !== null) {
      const headers = { ...this.#headers, "Content-Type": "application/json; charset=utf-8" };
      return this.#send({ method, path, headers, body: JSON.stringify(body) });
    }
    if (method === "DELETE") return this.#send({ method, path, headers: json, body: "" });
    const headers = { ...this.#headers, "Content-Type": "application/x-www-form-urlencoded" };
    return this.#send({ method, path, headers, body: "" });
  }

  /** The first request of `CometChat.login(authToken)`. */
  login(): Promise<AndroidResult> {
    const { appid = "", authToken = "", sdk = "", resource = "" } = this.#headers;
    const headers = { appid, authToken, sdk, resource, "Content-Type": "application/json; charset=utf-8" };
    const body = JSON.stringify({ platform: "Android", deviceId: "d", appInfo: { version: "4.0.10" } });
    return this.#send({ method: "PUT", path: "/v3.0/me", headers, body });
  }

  logout(): Promise<AndroidResult> {
    const headers = { ...this.#headers, "Content-Type": "application/json" };
    return this.#send({ method: "DELETE", path: "/v3.0/me", headers, body: "" });
  }

  /** `CometChatNotifications.registerPushToken`; a null `providerId` is left out. */
  registerPushToken(fcmToken: string, platform: string, providerId?: string): Promise<AndroidResult> {
    const body = JSON.stringify({ timezone: "Europe/Berlin", fcmToken, platform, providerId });
    return this.#notifications("POST", body);
  }

  unregisterPushToken(): Promise<AndroidResult> {
    return this.#notifications("DELETE", "");
  }

  #notifications(method: string, body: string): Promise<AndroidResult> {
    const { appid = "", authToken = "", chatApiVersion = "" } = this.#headers;
    const headers = { appid, authToken, chatApiVersion, "Content-Type": "application/json; charset=utf-8" };
    return this.#send({ method, path: "/v3.0/notifications/push/v1/tokens", headers, body });
  }

  async #send(call: { method: string; path: string; headers: Record<string, string>; body?: string }) {
    return handleApiResponse(await registry.send({ host: HOST, ...call }));
  }
}

async function android(uid = uniqueUid()) {
  return { uid, device: new Android(await registry.mint(uid)) };
}

const SUCCESS = { success: { data: { success: true } }, isLoggedOut: false };

describe("the Android SDK", () => {
  it("logs in with four headers only, and gets its own auth token and our hosts back", async ({ expect }) => {
    const uid = uniqueUid();
    const authToken = await registry.mint(uid);
    expect((await new Android(authToken).login()).success?.data).toMatchObject({
      uid,
      authToken,
      settings: { REGION: "us", EXTENSION_DOMAIN: "registry.test", CLIENT_API_HOST: HOST, ADMIN_API_HOST: HOST },
    });
  });

  it("registers, lists and deletes, each with status 200 and a body that keeps the data wrapper", async ({
    expect,
  }) => {
    const { device } = await android();
    const token = uniqueToken();
    const registered = await device.extension("POST", "/v2/tokens", { fcmToken: token });
    expect(registered).toMatchObject(SUCCESS);
    expect(await device.extension("GET", "/v2/tokens")).toEqual({
      success: { data: { ios: [], web: [], android: [token] } },
      isLoggedOut: false,
    });
    expect(await device.extension("DELETE", "/v2/tokens", { all: false })).toEqual(SUCCESS);
    expect((await device.extension("GET", "/v2/tokens/")).success).toEqual({ data: { ios: [], web: [], android: [] } });
  });

  it("deletes only the session's own tokens with an empty body", async ({ expect }) => {
    const { device, uid } = await android();
    const other = await android(uid);
    const [mine, others] = [uniqueToken(), uniqueToken()];
    await device.extension("POST", "/v2/tokens", { fcmToken: mine });
    await other.device.extension("POST", "/v2/tokens", { fcmToken: others });
    expect(await device.extension("DELETE", "/v2/tokens")).toEqual(SUCCESS);
    expect(await registry.pushTokens(uid)).toEqual([others]);
    expect(await device.extension("DELETE", "/v2/tokens", { all: true })).toEqual(SUCCESS);
    expect(await registry.pushTokens(uid)).toEqual([]);
  });

  it("is told what is missing when it posts null, which is an empty form", async ({ expect }) => {
    const { device } = await android();
    expect(await device.extension("POST", "/v2/tokens")).toEqual({
      error: {
        code: "ERR_BAD_REQUEST",
        message: "Failed to validate the data sent with the request.",
        details: { body: ["The body field must hold at least one of fcmToken, apnsToken and voipToken."] },
      },
      isLoggedOut: false,
    });
  });

  it("can read every 400, details included", async ({ expect }) => {
    const { device } = await android();
    for (const body of [{ fcmToken: 1 }, { fcmToken: "" }, { fcmToken: "a b" }, { voipToken: [] }]) {
      const { error } = await device.extension("POST", "/v2/tokens", body);
      expect(error, JSON.stringify(body)).toMatchObject({ code: "ERR_BAD_REQUEST", details: expect.any(Object) });
    }
    expect((await device.extension("DELETE", "/v2/tokens", { all: "yes" })).error?.details).toEqual({
      all: ["The all field must be true or false."],
    });
  });

  it("is logged out by an auth token that is dead, and by nothing else", async ({ expect }) => {
    const { device, uid } = await android();
    await device.extension("POST", "/v2/tokens", { fcmToken: uniqueToken() });
    const authToken = await registry.mint(uid);
    const troubles: [what: string, result: AndroidResult, code: string][] = [
      ["no app", await new Android(authToken, "").extension("GET", "/v2/tokens"), "AUTH_ERR_EMPTY_APPID"],
      ["unknown app", await new Android(authToken, "nobody").extension("GET", "/v2/tokens"), "AUTH_ERR_INVALID_APPID"],
      ["no token", await new Android("").extension("GET", "/v2/tokens"), "AUTH_ERR_EMPTY_AUTH_TOKEN"],
      [
        "wrong configuration",
        await new Android(authToken, "broken").extension("GET", "/v2/tokens"),
        "ERR_OPERATION_FAILED",
      ],
      ["no such API", await device.extension("POST", "/v2/nothing", {}), "ERR_API_NOT_FOUND"],
      ["not accepted", await device.extension("POST", "/v2/tokens", { fcmToken: "" }), "ERR_BAD_REQUEST"],
    ];
    for (const [what, { error, isLoggedOut }, code] of troubles) {
      expect({ what, code: error?.code, isLoggedOut }).toEqual({ what, code, isLoggedOut: false });
    }
    await registry.serverCall("DELETE", `/v3/users/${uid}/sessions`);
    for (const result of [await device.extension("GET", "/v2/tokens"), await device.login()]) {
      expect(result).toEqual({
        error: {
          code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND",
          message: "The auth token does not exist or is no longer valid. Log in again to get a new one.",
        },
        isLoggedOut: true,
      });
    }
  });

  it("deletes the session's token at logout", async ({ expect }) => {
    const { device, uid } = await android();
    await device.extension("POST", "/v2/tokens", { fcmToken: uniqueToken() });
    expect(await device.logout()).toEqual(SUCCESS);
    expect(await registry.pushTokens(uid)).toEqual([]);
    expect((await device.extension("POST", "/v2/tokens", { fcmToken: uniqueToken() })).isLoggedOut).toBe(true);
  });

  it.each(["fcm_android", "fcm_flutter_android"])(
    "registers and unregisters by the successor API: %s",
    async (platform) => {
      const { device, uid } = await android();
      const token = uniqueToken();
      expect(await device.registerPushToken(token, platform)).toEqual(SUCCESS);
      expect((await device.extension("GET", "/v2/tokens")).success?.data).toEqual({
        ios: [],
        web: [],
        android: [token],
      });
      expect(await device.unregisterPushToken()).toEqual(SUCCESS);
      expect(await registry.pushTokens(uid)).toEqual([]);
    },
  );

  it("hands a token over to the next user of the phone", async ({ expect }) => {
    const [alice, bob] = [await android(), await android()];
    const token = uniqueToken();
    await alice.device.extension("POST", "/v2/tokens", { fcmToken: token });
    await bob.device.extension("POST", "/v2/tokens", { fcmToken: token });
    expect(await registry.pushTokens(alice.uid)).toEqual([]);
    expect(await registry.pushTokens(bob.uid)).toEqual([token]);
  });
});

describe("the iOS SDK", () => {
  const call = async (authToken: string, method: string, body?: object) => {
    const { status, text } = await registry.send({
      method,
      host: HOST,
      // The app says "v2/tokens".
      path: "/v2/tokens",
      headers: {
        appId: "test",
        authToken,
        sdk: "ios@4.0.51",
        "User-Agent": "Example/1 CFNetwork/3860.200.71 Darwin/25.1.0",
        "Content-Type": "application/json",
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status, ...JSON.parse(text) };
  };

  it("registers its device token and its VoIP token, and finds what it lists in data", async ({ expect }) => {
    const authToken = await registry.mint(uniqueUid());
    const [apnsToken, voipToken, fcmToken] = [uniqueToken("apns"), uniqueToken("voip"), uniqueToken("fcm")];
    expect(await call(authToken, "POST", { apnsToken, voipToken })).toMatchObject({
      status: 200,
      data: { success: true },
    });
    expect(await call(authToken, "POST", { fcmToken })).toMatchObject({ status: 200, data: { success: true } });
    const { data } = await call(authToken, "GET");
    expect({ ...data, ios: data.ios.toSorted() }).toEqual({
      ios: [apnsToken, fcmToken, voipToken],
      web: [],
      android: [],
    });
    expect(await call(authToken, "DELETE")).toEqual({ status: 200, data: { success: true } });
    expect((await call(authToken, "GET")).data).toEqual({ ios: [], web: [], android: [] });
  });

  it("keeps the device token when only the VoIP token is registered anew", async ({ expect }) => {
    const uid = uniqueUid();
    const authToken = await registry.mint(uid);
    const [apnsToken, voipToken] = [uniqueToken("apns"), uniqueToken("voip")];
    await call(authToken, "POST", { apnsToken, voipToken: uniqueToken("voip") });
    await call(authToken, "POST", { voipToken });
    expect(await registry.pushTokens(uid)).toEqual([apnsToken, voipToken].sort());
  });
});
