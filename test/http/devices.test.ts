// What devices, apps and their SDKs really send, beside what they mean to: each input was seen in the public thread that its
// row names. A field that is wrong never costs the rest of the call.
import { env } from "cloudflare:workers";
import { describe, it, vi } from "vitest";
import { createApp } from "../../src/app.ts";
import { call, login, type Reply, serverCall, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";

const SUCCESSOR = "/v3.0/notifications/push/v1/tokens";

const hex = (bytes = 32) =>
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function senderView(session: TestSession) {
  return (await serverCall("GET", `/v3/users/${session.uid}/push_tokens`, {}, session.app)).body.data.pushTokens;
}

/** One call of the app with the metrics and logs that it leads to. */
async function observed(session: TestSession, body: object) {
  const points: unknown[] = [];
  const lines: string[] = [];
  const spy = vi.spyOn(console, "warn").mockImplementation((line: string) => void lines.push(line));
  const headers = { appId: session.app, authToken: session.authToken, sdk: "react-native@4.0.21" };
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  const bindings = { ...env, METRICS: { writeDataPoint: (point: unknown) => void points.push(point) } };
  await createApp().request("https://registry.test/v2/tokens", init, bindings);
  spy.mockRestore();
  return { points, lines: lines.map((line) => JSON.parse(line)) };
}

describe("a token field that holds a word for nothing", () => {
  it("costs neither the other token, nor anything of the users who send the same word (node-apn#149)", async ({
    expect,
  }) => {
    const phones = await Promise.all(
      Array.from({ length: 14 }, async () => ({ session: await login(uniqueUid(), { app: "limited" }), token: hex() })),
    );
    for (const { session, token } of phones) {
      const reply = await session.register({ apnsToken: token, voipToken: "null" });
      expect(reply).toMatchObject({ status: 200, body: { data: { success: true } } });
      expect(reply.body.data).not.toHaveProperty("refused");
    }
    for (const { session, token } of phones) expect(await session.tokens()).toEqual([token]);
  });

  it.for([
    ["undefined", "erouska-android#176"],
    ["BLACKLISTED", "quickstart-android#212"],
    ["null", "fieldthebern-ios#77"],
    ["(null)", "ncmb_ios#16"],
    ["(undefined)", "Parse-SDK-iOS-OSX#1224"],
    ["", "twilio-voice-react-native#125"],
    [" ", "urbanairship ios-library#39"],
    ["nil", "Swift: string interpolation"],
    ["None", "Python: str(None)"],
    ["<nil>", "Go: fmt.Sprint(nil)"],
    ["[object Object]", "JavaScript: string of an object"],
    ["NaN", "JavaScript: string of a number"],
  ])("%j displaces no token of the device (%s)", async ([word], { expect }) => {
    const session = await login();
    const [fcm, apns] = [uniqueToken(), hex()];
    await session.register({ fcmToken: fcm, apnsToken: apns });
    expect((await session.register({ fcmToken: word })).status).toBe(400);
    expect((await session.register({ fcmToken: word, apnsToken: apns, voipToken: word })).status).toBe(200);
    expect((await session.tokens()).sort()).toEqual([fcm, apns].sort());
  });

  it("is named by its field and its word where nothing is left", async ({ expect }) => {
    const session = await login();
    const { status, body } = await session.register({ fcmToken: "undefined", voipToken: " (NULL) " });
    expect(status).toBe(400);
    expect(body.error.details).toEqual({
      fcmToken: ['The fcmToken field holds the word "undefined", which is no value.'],
      voipToken: ['The voipToken field holds the word "(null)", which is no value.'],
    });
  });

  it("is nothing to the successor API either", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    for (const word of ["null", "", "BLACKLISTED", null]) {
      const reply = await session.call("POST", SUCCESSOR, { body: { platform: "fcm_android", fcmToken: word } });
      expect(reply).toMatchObject({ status: 400, body: { error: { details: { fcmToken: [expect.any(String)] } } } });
    }
    expect(await session.tokens()).toEqual([token]);
  });

  it("is counted each time, and told to the operator once per app and hour", async ({ expect }) => {
    const session = await login(undefined, { app: "other" });
    const body = { apnsToken: hex(), voipToken: "null" };
    const first = await observed(session, body);
    const second = await observed(session, body);
    for (const { points } of [first, second]) {
      expect(points).toContainEqual({ indexes: ["other"], blobs: ["no_token", "voipToken"], doubles: [1] });
    }
    expect(first.lines).toEqual([
      {
        level: "warn",
        message: "an app sends a word in place of a token",
        app: "other",
        field: "voipToken",
        word: "null",
        sdk: "react-native@4.0.21",
      },
    ]);
    expect(second.lines).toEqual([]);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    try {
      expect((await observed(session, body)).lines).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it("leaves no trace where the field is only empty, as Swift apps send it until PushKit has a token", async ({
    expect,
  }) => {
    const { points, lines } = await observed(await login(), { apnsToken: hex(), voipToken: "" });
    expect(points.filter((point) => JSON.stringify(point).includes("no_token"))).toEqual([]);
    expect(lines).toEqual([]);
  });
});

describe("a malformed token beside a good one", () => {
  it.for<[string, unknown]>([
    ["a number", 1],
    ["an object: the promise of a token", {}],
    ["a list", ["t"]],
    ["false", false],
    ["4097 characters", "t".repeat(4097)],
    ["a description of the bytes (zulip#39091)", "<740f4707 bebcf74f 9b7c25d4>"],
    ["Dart's description of a future", "Instance of 'Future<String?>'"],
    ["text beyond ASCII", "tökén"],
  ])("is refused by name and costs nothing else: %s", async ([, wrong], { expect }) => {
    const session = await login();
    const [good, before] = [uniqueToken(), hex()];
    await session.register({ apnsToken: before });
    const reply = await session.register({ fcmToken: good, apnsToken: wrong });
    expect(reply.body).toEqual({
      data: { success: true, unregisterTicket: expect.any(String), refused: { apnsToken: "invalid" } },
    });
    expect(reply.status).toBe(200);
    expect((await session.tokens()).sort()).toEqual([good, before].sort());
  });
});

describe("Apple's other tokens", () => {
  const names: [string, string][] = [
    ["pushToStartToken", "of a Live Activity to be started: ably-cocoa#2219, luka-ios#109"],
    ["liveActivityPushToken", "of a running Live Activity: capacitor-live-activity#13"],
    ["activityPushToken", "of a running Live Activity: t3code#3685"],
    ["liveActivityToken", "of a running Live Activity"],
    ["aptsToken", "of a Live Activity to be started, in its author's spelling: flutter_live_activities#103"],
    ["locationToken", "of a location push: ably-cocoa#2219 names it beside the others"],
    ["ephemeralPushToken", "of a PushToTalk channel"],
    ["pushToken", "of a Wallet pass: node-apn#469, PassKitHelper#16"],
    ["ApnsToken", "of no field of ours: names have one case"],
  ];

  it.for(names)("in a field of their own are ignored, and displace nothing: %s (%s)", async ([name], { expect }) => {
    const session = await login();
    const [apns, voip] = [hex(), hex()];
    await session.register({ apnsToken: apns, voipToken: voip });
    expect((await session.register({ [name]: hex() })).status).toBe(400);
    const rotated = hex();
    const reply = await session.register({ apnsToken: rotated, [name]: hex() });
    expect([reply.status, reply.body.data.refused]).toEqual([200, undefined]);
    expect((await session.tokens()).sort()).toEqual([rotated, voip].sort());
    expect(Object.keys((await senderView(session))[0])).not.toContain(name);
  });

  it("sent as apnsToken takes the device's place, as the reference says: nothing tells the two apart", async ({
    expect,
  }) => {
    const session = await login();
    const ofActivity = hex(80);
    await session.register({ apnsToken: hex() });
    await session.register({ apnsToken: ofActivity });
    expect(await session.tokens()).toEqual([ofActivity]);
    const { description } = (await call("GET", "/openapi.json")).body.paths["/v2/tokens"].post;
    for (const kind of ["Live Activity", "Wallet", "location", "Push to Talk"]) expect(description).toContain(kind);
  });
});

describe("an optional hint", () => {
  it.for<[unknown, "ios" | "web" | "android"]>([
    ["iOS", "ios"],
    ["IOS", "ios"],
    ["Android", "android"],
    ["ANDROID", "android"],
    ["Web", "web"],
    ["ios", "ios"],
    [" web ", "web"],
  ])(
    "platform %j is read in any case (phonegap-plugin-push#418, appium-ios-driver#104, appium-android-driver#114)",
    async ([platform, list], { expect }) => {
      const session = await login();
      const token = uniqueToken();
      const reply = await session.register({ fcmToken: token, platform });
      expect([reply.status, reply.body.data.refused]).toEqual([200, undefined]);
      expect((await session.call("GET", "/v2/tokens")).body.data[list]).toEqual([token]);
    },
  );

  it.for<[unknown, boolean]>([
    ["", false],
    ["null", false],
    [null, false],
    ["windows", true],
    ["iPhone OS", true],
    ["macos", true], // Backendless ios-SDK#227
    ["iPadOS", true], // customerio-ios#192
    ["watchOS", true], // customerio-ios#192: "all Apple platforms"
    ["Andriod", true], // adyen-ios#1480: "to prevent typos"
    [3, true],
    [["ios"], true],
  ])("platform %j is as if it were not there; named as refused: %s", async ([platform, refused], { expect }) => {
    const session = await login();
    const token = uniqueToken();
    const reply = await session.register({ fcmToken: token, platform });
    expect([reply.status, reply.body.data.refused]).toEqual([200, refused ? { platform: "invalid" } : undefined]);
    expect((await session.call("GET", "/v2/tokens")).body.data.android).toEqual([token]);
  });

  it.for<[object, object | undefined]>([
    [{ timezone: "", providerId: "" }, undefined],
    [{ timezone: "null", providerId: "undefined" }, undefined],
    [
      { timezone: "x".repeat(101), providerId: 7 },
      { timezone: "invalid", providerId: "invalid" },
    ],
    [
      { timezone: { zone: "Asia/Kolkata" }, providerId: true },
      { timezone: "invalid", providerId: "invalid" },
    ],
  ])("of the successor API, %j, never costs the registration", async ([hints, refused], { expect }) => {
    const session = await login();
    const token = uniqueToken();
    const body = { platform: "FCM_Android", fcmToken: token, ...hints };
    const reply = await session.call("POST", SUCCESSOR, { body });
    expect(reply).toMatchObject({ status: 200, body: { data: { success: true } } });
    expect(reply.body.data.refused).toEqual(refused);
    const [shown] = await senderView(session);
    expect(shown).toMatchObject({ token, platform: "android" });
    expect(shown).not.toHaveProperty("timezone");
    expect(shown).not.toHaveProperty("providerId");
  });

  it("is kept by either API", async ({ expect }) => {
    const session = await login();
    const hints = { providerId: "dev", timezone: "Asia/Kolkata" };
    await session.register({ fcmToken: uniqueToken(), ...hints });
    expect(await senderView(session)).toMatchObject([hints]);
  });
});

describe("a removal of everything", () => {
  /** Whether the removal reached the other session of the user too. */
  async function scopeOf(remove: (session: TestSession) => Promise<Reply>): Promise<"all" | "session" | number> {
    const session = await login();
    const sibling = await login(session.uid);
    const [mine, other] = [uniqueToken(), uniqueToken()];
    await session.register({ fcmToken: mine });
    await sibling.register({ fcmToken: other });
    const { status } = await remove(session);
    const left = await session.tokens();
    if (status !== 200) return left.length === 2 ? status : -1;
    return left.length === 0 ? "all" : "session";
  }

  // A body with DELETE is out of reach for Retrofit's @DELETE (retrofit#4393), for Angular before 12 and for many proxies
  // (webob#200). These drop it without a word: RestSharp#866, node-restify#742, aws-sdk-java#2486. C# and Python print `True`.
  for (const path of ["/v2/tokens", SUCCESSOR]) {
    it.for<[string, unknown, "all" | "session" | number]>([
      ["?all=true", undefined, "all"],
      ["?all=TRUE", undefined, "all"],
      ["?all=True", undefined, "all"],
      ["?all=True", "", "all"],
      ["?all=true", {}, "all"],
      ["?all=true", { all: null }, "all"],
      ["?all=true", { all: true }, "all"],
      ["", { all: true }, "all"],
      ["?all=false", undefined, "session"],
      ["?all=", undefined, "session"],
      ["?all=null", undefined, "session"],
      ["?ALL=true", undefined, "session"],
      ["?all=true", { all: false }, 400],
      ["?all=false", { all: true }, 400],
      ["?all=true&all=false", undefined, 400],
      ["?all=yes", undefined, 400],
      ["?all=1", undefined, 400],
    ])(`${path}%s with body %j means %s`, async ([query, body, scope], { expect }) => {
      expect(await scopeOf((session) => session.call("DELETE", `${path}${query}`, { body }))).toBe(scope);
    });
  }
});

describe("a removal of single tokens", () => {
  it("takes exactly those, of this session alone: PushKit's invalidation is about the VoIP token", async ({
    expect,
  }) => {
    const session = await login();
    const sibling = await login(session.uid);
    const [apns, voip, fcm, other] = [hex(), hex(), uniqueToken(), hex()];
    await session.register({ apnsToken: apns, voipToken: voip, fcmToken: fcm });
    await sibling.register({ voipToken: other });
    expect(await session.delete({ voipToken: voip })).toMatchObject({ status: 200, body: { data: { success: true } } });
    expect((await session.tokens()).sort()).toEqual([apns, fcm, other].sort());
    await session.delete({ voipToken: other, apnsToken: fcm, all: false });
    expect((await session.tokens()).sort()).toEqual([apns, fcm, other].sort());
    await session.delete({ apnsToken: apns, fcmToken: fcm });
    expect(await session.tokens()).toEqual([other]);
  });

  // Sent at the first start, when PushKit has no token yet (Sendbird quickstart-calls-directcall-ios#38), with a cache that was
  // not cleared (twilio voice-quickstart-ios#507), by apps that cannot unregister (react-native-voip-push-notification#17).
  it.for<[string, number]>([
    ["", 400],
    ["null", 400],
    ["(null)", 400],
    ["an-older-token", 200],
  ])(
    "that names no token of this session removes nothing: voipToken %j is a %i",
    async ([voipToken, status], { expect }) => {
      const session = await login();
      const [apns, voip] = [hex(), hex()];
      await session.register({ apnsToken: apns, voipToken: voip });
      expect((await session.delete({ voipToken })).status).toBe(status);
      expect((await session.tokens()).sort()).toEqual([apns, voip].sort());
    },
  );

  it("leaves the token that replaced the one it names", async ({ expect }) => {
    const session = await login();
    const [before, after] = [hex(), hex()];
    await session.register({ voipToken: before });
    await session.register({ voipToken: after });
    expect((await session.delete({ voipToken: before })).status).toBe(200);
    expect(await session.tokens()).toEqual([after]);
  });

  it("names a malformed one among them", async ({ expect }) => {
    const session = await login();
    const token = hex();
    await session.register({ apnsToken: token, voipToken: token });
    const reply = await session.delete({ voipToken: token, apnsToken: "a b" });
    expect(reply.body).toEqual({ data: { success: true, refused: { apnsToken: "invalid" } } });
    expect(await session.tokens()).toEqual([token]);
  });

  it("may be asked by a session whose auth token has expired", async ({ expect }) => {
    const session = await login(undefined, { lifetimeSeconds: 60 });
    const [apns, voip] = [hex(), hex()];
    await session.register({ apnsToken: apns, voipToken: voip });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    try {
      expect((await session.delete({ voipToken: voip })).status).toBe(200);
      expect((await session.call("DELETE", "/v2/tokens?all=true")).status).toBe(401);
    } finally {
      vi.useRealTimers();
    }
    expect((await senderView(session)).map(({ token }: { token: string }) => token)).toEqual([apns]);
  });

  it.for<[string, unknown]>([
    ["", { pushToken: "" }],
    ["", { pushToken: null }],
    ["", { pushToken: "undefined" }],
    ["/null", undefined],
    ["/(null)", undefined],
    ["?all=true", { pushToken: "t" }],
  ])("by the successor API removes nothing where it names none: %s %j", async ([path, body], { expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const reply = await session.call("DELETE", `${SUCCESSOR}${path}`, { body });
    expect(reply).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST" } } });
    expect(await session.tokens()).toEqual([token]);
  });
});
