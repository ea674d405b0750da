import { describe, it } from "vitest";
import { PUSH_PLATFORMS } from "../../src/domain/push-platforms.ts";
import { API_KEYS } from "../support/apps.ts";
import { call, login, serverCall, type TestSession, uniqueToken } from "../support/client.ts";

const PATH = "/v3.0/notifications/push/v1/tokens";

/** As the SDKs send it: `platform` and the field that belongs to it. */
function registerPushToken(session: TestSession, pushToken: string, platform = "fcm_android", field = "fcmToken") {
  return session.call("POST", PATH, {
    body: { providerId: "default", timezone: "Asia/Kolkata", [field]: pushToken, platform },
  });
}

/** What senders see of the user. */
async function held(session: TestSession) {
  const { body } = await serverCall("GET", `/v3/users/${session.uid}/push_tokens`);
  return body.data.pushTokens;
}

/** The call of a back end: an API key, and the client's auth token wherever the test puts it. */
function asServer(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  return serverCall(method, path, { body, headers });
}

describe("registerPushToken", () => {
  const rows: [platform: string, field: string, kind: string, on: string][] = [
    ["fcm_android", "fcmToken", "fcm", "android"],
    ["fcm_ios", "fcmToken", "fcm", "ios"],
    ["fcm_web", "fcmToken", "fcm", "web"],
    ["fcm_flutter_android", "fcmToken", "fcm", "android"],
    ["fcm_flutter_ios", "fcmToken", "fcm", "ios"],
    ["fcm_react_native_android", "fcmToken", "fcm", "android"],
    ["fcm_react_native_ios", "fcmToken", "fcm", "ios"],
    ["fcm_ionic_cordova_android", "fcmToken", "fcm", "android"],
    ["fcm_ionic_cordova_ios", "fcmToken", "fcm", "ios"],
    ["apns_ios_device", "deviceToken", "apns", "ios"],
    ["apns_flutter_device", "deviceToken", "apns", "ios"],
    ["apns_react_native_device", "deviceToken", "apns", "ios"],
    ["apns_ionic_cordova_device", "deviceToken", "apns", "ios"],
    ["apns_ios_voip", "voipToken", "voip", "ios"],
    ["apns_flutter_voip", "voipToken", "voip", "ios"],
    ["apns_react_native_voip", "voipToken", "voip", "ios"],
    ["apns_ionic_cordova_voip", "voipToken", "voip", "ios"],
  ];

  it.for(rows)("keeps the %s token of the field %s as %s on %s", async ([platform, field, kind, on], { expect }) => {
    const session = await login();
    const token = uniqueToken(platform);

    const reply = await registerPushToken(session, token, platform, field);

    expect(reply).toMatchObject({ status: 200, body: { data: { success: true } } });
    expect(await held(session)).toMatchObject([
      { token, kind, platform: on, providerId: "default", timezone: "Asia/Kolkata", sessionId: session.id },
    ]);
  });

  it("knows no other platform than those", ({ expect }) => {
    expect(Object.keys(PUSH_PLATFORMS)).toEqual(rows.map(([platform]) => platform));
  });

  it("names the known platforms to one that it does not know", async ({ expect }) => {
    const session = await login();
    for (const platform of ["hms_android", "fcm-android", "constructor", "", 7, null, undefined]) {
      const reply = await session.call("POST", PATH, { body: { fcmToken: uniqueToken(), platform } });
      expect(reply).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST" } } });
      expect(reply.body.error.details.platform[0]).toContain("fcm_react_native_ios, ");
    }
    expect(await held(session)).toEqual([]);
  });

  it("says in which field the platform's token belongs", async ({ expect }) => {
    const session = await login();
    const reply = await registerPushToken(session, uniqueToken(), "apns_ios_voip", "fcmToken");
    expect(reply.status).toBe(400);
    expect(Object.keys(reply.body.error.details)).toEqual(["voipToken"]);
  });

  it("fills the slot that v2/tokens fills, either way round", async ({ expect }) => {
    const session = await login();
    const [first, second, third] = [uniqueToken(), uniqueToken(), uniqueToken()];
    await session.register({ fcmToken: first });
    await registerPushToken(session, second);
    expect(await session.tokens()).toEqual([second]);
    await session.register({ fcmToken: third });
    expect(await held(session)).toMatchObject([{ token: third }]);
  });

  it("takes the token from its former user", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await registerPushToken(alice, token);
    await registerPushToken(bob, token);
    expect(await alice.tokens()).toEqual([]);
    expect(await bob.tokens()).toEqual([token]);
  });

  it("is refused after the logout", async ({ expect }) => {
    const session = await login();
    await session.logout();
    expect(await registerPushToken(session, uniqueToken())).toMatchObject({
      status: 401,
      body: { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } },
    });
  });

  it("is refused without an auth token, whatever the body says", async ({ expect }) => {
    const session = await login();
    const body = { authToken: session.authToken, fcmToken: uniqueToken(), platform: "fcm_web" };
    expect(await call("POST", PATH, { headers: { appId: "test" }, body })).toMatchObject({
      status: 401,
      body: { error: { code: "AUTH_ERR_EMPTY_AUTH_TOKEN" } },
    });
    expect(await held(session)).toEqual([]);
  });
});

describe("unregisterPushToken", () => {
  it("empties this session's slots, those that v2/tokens filled too, and no other session's", async ({ expect }) => {
    const session = await login();
    const other = await login(session.uid);
    const stays = uniqueToken();
    await registerPushToken(other, stays);
    await registerPushToken(session, uniqueToken());
    await session.register({ apnsToken: uniqueToken() });

    const reply = await session.call("DELETE", PATH);

    expect(reply).toMatchObject({ status: 200, body: { data: { success: true } } });
    expect(await session.tokens()).toEqual([stays]);
  });

  it("lets the same session register again", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await registerPushToken(session, token);
    await session.call("DELETE", PATH);
    await registerPushToken(session, token);
    expect(await session.tokens()).toEqual([token]);
  });

  it("removes one token that the body names", async ({ expect }) => {
    const session = await login();
    const [goes, stays] = [uniqueToken(), uniqueToken()];
    await session.register({ fcmToken: stays, apnsToken: goes });
    expect((await session.call("DELETE", PATH, { body: { pushToken: goes } })).body).toEqual({
      data: { success: true },
    });
    expect(await session.tokens()).toEqual([stays]);
  });
});

describe("the same with an API key", () => {
  it("registers for the auth token in the body", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    const body = { platform: "fcm_web", providerId: "fcm-provider-2", fcmToken: token, authToken: session.authToken };
    expect((await asServer("POST", PATH, body)).body).toEqual({ data: { success: true } });
    expect(await held(session)).toMatchObject([{ token, sessionId: session.id, providerId: "fcm-provider-2" }]);
  });

  it("lists in CometChat's shape, by query and by header; of other sessions without their auth token", async ({
    expect,
  }) => {
    const session = await login();
    const other = await login(session.uid);
    const [mine, theirs] = [uniqueToken(), uniqueToken()];
    await registerPushToken(session, mine, "fcm_react_native_android");
    await registerPushToken(other, theirs, "apns_ios_voip", "voipToken");
    const shape = {
      authToken: session.authToken,
      pushTokenType: "chat",
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      platform: "fcm_android",
      providerId: "default",
      pushToken: mine,
      uid: session.uid,
      updatedAt: expect.stringMatching(/Z$/),
    };

    const byQuery = await asServer("GET", `${PATH}?authToken=${session.authToken}`);
    const byHeader = await asServer("GET", PATH, undefined, { authToken: session.authToken });
    const all = await asServer("GET", `${PATH}?all=true&authToken=${session.authToken}`);

    expect(byQuery.body).toEqual({ data: { pushTokens: [shape] } });
    expect(byHeader.body).toEqual(byQuery.body);
    const voip = { ...shape, authToken: null, platform: "apns_ios_voip", pushToken: theirs };
    expect(all.body).toEqual({ data: { pushTokens: [shape, voip] } });
  });

  it("deletes and shows what went: the session's, then all", async ({ expect }) => {
    const session = await login();
    const other = await login(session.uid);
    const [mine, theirs] = [uniqueToken(), uniqueToken()];
    await registerPushToken(session, mine);
    await registerPushToken(other, theirs);
    const body = { authToken: session.authToken };

    const first = await asServer("DELETE", `${PATH}?all=false`, body);
    expect(first.body.data.pushTokens).toMatchObject([{ pushToken: mine, authToken: session.authToken }]);
    expect(await session.tokens()).toEqual([theirs]);

    const second = await asServer("DELETE", `${PATH}?all=true`, body);
    expect(second.body.data.pushTokens).toMatchObject([{ pushToken: theirs }]);
    expect(await session.tokens()).toEqual([]);
  });

  it("deletes one token, by body and by path, in whichever session of the user it is", async ({ expect }) => {
    const session = await login();
    const other = await login(session.uid);
    const stranger = await login();
    const [byBody, byPath, strangers] = [uniqueToken(), uniqueToken("a/b"), uniqueToken()];
    await other.register({ fcmToken: byBody, apnsToken: byPath });
    await stranger.register({ fcmToken: strangers });
    const { authToken } = session;

    const first = await asServer("DELETE", PATH, { authToken, pushToken: byBody });
    const second = await asServer("DELETE", `${PATH}/${encodeURIComponent(byPath)}`, { authToken });
    const third = await asServer("DELETE", `${PATH}/${encodeURIComponent(strangers)}`, { authToken });

    expect(first.body.data.pushTokens).toMatchObject([{ pushToken: byBody }]);
    expect(second.body.data.pushTokens).toMatchObject([{ pushToken: byPath }]);
    expect(third.body.data.pushTokens).toEqual([]);
    expect(await session.tokens()).toEqual([]);
    expect(await stranger.tokens()).toEqual([strangers]);
  });

  it("needs the fullAccess scope, and a live auth token", async ({ expect }) => {
    const session = await login();
    const refused = await asServer("GET", PATH, undefined, {
      apikey: API_KEYS.sender,
      authToken: session.authToken,
    });
    expect(refused).toMatchObject({ status: 403, body: { error: { code: "AUTH_ERR_NO_ACCESS" } } });
    expect(await asServer("GET", PATH)).toMatchObject({
      status: 401,
      body: { error: { code: "AUTH_ERR_EMPTY_AUTH_TOKEN" } },
    });
    expect(await asServer("DELETE", PATH, { authToken: "no-such-token" })).toMatchObject({
      status: 401,
      body: { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } },
    });
    expect((await asServer("GET", `${PATH}?all=yes&authToken=${session.authToken}`)).status).toBe(400);
  });
});
