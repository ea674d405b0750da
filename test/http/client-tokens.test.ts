// `v2/tokens` as the SDKs call it: every form of a request, and what becomes of the slots.
import { describe, it } from "vitest";
import { call, login, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";

const LISTS = ["ios", "web", "android"] as const;

const nothing = { ios: [], web: [], android: [] };

async function list(session: TestSession) {
  return (await session.call("GET", "/v2/tokens")).body.data;
}

async function twoSessions(): Promise<[TestSession, TestSession]> {
  const uid = uniqueUid();
  return [await login(uid), await login(uid)];
}

describe("POST /v2/tokens", () => {
  it.for<[string, string[]]>([
    ["an FCM token", ["fcmToken"]],
    ["an APNs token", ["apnsToken"]],
    ["a VoIP token", ["voipToken"]],
    ["an APNs and a VoIP token, as iOS sends them", ["apnsToken", "voipToken"]],
    ["an FCM and a VoIP token", ["fcmToken", "voipToken"]],
    ["all three", ["fcmToken", "apnsToken", "voipToken"]],
  ])("takes %s", async ([, fields], { expect }) => {
    const session = await login();
    const tokens = Object.fromEntries(fields.map((field) => [field, uniqueToken(field)]));
    const reply = await session.register(tokens);
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({ data: { success: true, unregisterTicket: expect.any(String) } });
    const { fcmToken, ...apple } = tokens;
    expect(await list(session)).toEqual({
      ios: expect.toSatisfy((ios: string[]) => [...ios].sort().join() === Object.values(apple).sort().join()),
      web: [],
      android: fcmToken === undefined ? [] : [fcmToken],
    });
  });

  it("takes nulls for what a device does not have, and ignores fields that it does not know", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    const body = {
      fcmToken: token,
      apnsToken: null,
      voipToken: null,
      platform: null,
      settings: { a: [1] },
      uid: "someone-else",
      all: true,
    };
    expect((await session.register(body)).status).toBe(200);
    expect(await list(session)).toEqual({ ...nothing, android: [token] });
  });

  it("keeps the slots of other kinds when one kind is sent", async ({ expect }) => {
    const session = await login();
    const [apns, voip, fcm] = [uniqueToken(), uniqueToken(), uniqueToken()];
    await session.register({ apnsToken: apns });
    await session.register({ voipToken: voip, apnsToken: null });
    await session.register({ fcmToken: fcm });
    expect((await session.tokens()).sort()).toEqual([apns, voip, fcm].sort());
  });

  it("puts a token under the platform that the body says, and moves it when that changes", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    for (const platform of LISTS) {
      await session.register({ fcmToken: token, platform });
      expect(await list(session)).toEqual({ ...nothing, [platform]: [token] });
    }
  });

  it("takes the platform from the SDK, else from the HTTP client", async ({ expect }) => {
    for (const [sdk, userAgent, platform] of [
      ["javascript@4.2.0", "Mozilla/5.0 (X11; Linux x86_64)", "web"],
      ["android@4.0.10", "okhttp/4.12.0", "android"],
      ["ios@4.0.51", "App/1 CFNetwork/1490 Darwin/23", "ios"],
      ["react-native@4.0.21", "App/1 CFNetwork/1490 Darwin/23", "ios"],
      ["react-native@4.0.21", "okhttp/4.12.0", "android"],
      ["undefined", "Mozilla/5.0 (X11; Linux x86_64)", "web"],
    ] as const) {
      const session = await login();
      const token = uniqueToken();
      const headers = { sdk, "User-Agent": userAgent };
      await session.call("POST", "/v2/tokens", { headers, body: { fcmToken: token } });
      expect(await list(session)).toEqual({ ...nothing, [platform]: [token] });
    }
  });

  it("promise 1: is seen by every later read of the user, the other sessions' and the servers' too", async ({
    expect,
  }) => {
    const [session, sibling] = await twoSessions();
    for (let i = 0; i < 5; i++) {
      const token = uniqueToken();
      expect((await session.register({ fcmToken: token })).status).toBe(200);
      const reads = await Promise.all([session, sibling, await login(session.uid)].map((each) => each.tokens()));
      expect(reads).toEqual([[token], [token], [token]]);
      expect((await session.delete()).status).toBe(200);
      expect(await sibling.tokens()).toEqual([]);
    }
  });

  it("promise 4: a new token in a slot displaces the old one, which is then nobody's", async ({ expect }) => {
    const session = await login();
    const [before, after] = [uniqueToken("before"), uniqueToken("after")];
    await session.register({ fcmToken: before, voipToken: before });
    await session.register({ fcmToken: after });
    expect((await session.tokens()).sort()).toEqual([after, before].sort());
    expect((await list(session)).android).toEqual([after]);
    const next = await login();
    expect((await next.register({ fcmToken: before })).status).toBe(200);
    expect(await next.tokens()).toEqual([before]);
  });

  it("promise 4: the same token in another session of the user moves there", async ({ expect }) => {
    const [first, second] = await twoSessions();
    const token = uniqueToken();
    await first.register({ fcmToken: token });
    await second.register({ fcmToken: token });
    expect(await first.tokens()).toEqual([token]);
    await first.delete();
    expect(await first.tokens()).toEqual([token]);
    await first.register({ fcmToken: token });
    await second.delete();
    expect(await second.tokens()).toEqual([token]);
    await first.delete();
    expect(await second.tokens()).toEqual([]);
  });

  it("moves a token to the next user of the phone", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    expect((await bob.register({ fcmToken: token })).status).toBe(200);
    expect(await alice.tokens()).toEqual([]);
    expect(await bob.tokens()).toEqual([token]);
  });

  it("treats the same text as different tokens in different kinds and apps", async ({ expect }) => {
    const token = uniqueToken();
    const [one, other] = [await login(), await login(undefined, { app: "other" })];
    await one.register({ fcmToken: token, apnsToken: token, voipToken: token });
    await other.register({ fcmToken: token });
    expect(await one.tokens()).toEqual([token, token, token]);
    expect(await other.tokens()).toEqual([token]);
  });

  it("may be repeated, at once and later, and answers the same", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    const replies = await Promise.all(Array.from({ length: 10 }, () => session.register({ fcmToken: token })));
    replies.push(await session.register({ fcmToken: token }));
    for (const { status, body } of replies) expect([status, body.data.success]).toEqual([200, true]);
    expect(await session.tokens()).toEqual([token]);
  });
});

describe("GET /v2/tokens", () => {
  it("always answers the three lists, in the documented order", async ({ expect }) => {
    const session = await login();
    const empty = await session.call("GET", "/v2/tokens");
    expect(empty.body).toEqual({ data: nothing });
    expect(Object.keys(empty.body.data)).toEqual(LISTS);
    await session.register({ fcmToken: "f", apnsToken: uniqueToken(), voipToken: uniqueToken() });
    expect(Object.keys(await list(session))).toEqual(LISTS);
  });

  it("ignores the query that SDKs make of a body, and answers HEAD without one", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    for (const query of ["?", "?uid=someone", "?a=b c&d=%zz", "?all=true#x"]) {
      const reply = await session.call("GET", `/v2/tokens${query}`);
      expect([reply.status, reply.body.data.android]).toEqual([200, [token]]);
    }
    expect(await session.call("HEAD", "/v2/tokens")).toMatchObject({ status: 200, body: undefined });
  });
});

describe("DELETE /v2/tokens", () => {
  it.for<[string, unknown, string?]>([
    ["without a body", undefined],
    ["with an empty body", ""],
    ["with an empty form", "", "application/x-www-form-urlencoded"],
    ["with an empty object", {}],
    ["with `all` false", { all: false }],
    ["with `all` null", { all: null }],
    ["with unknown fields", { ALL: true, everything: true }],
  ])("%s empties this session's slots and leaves the others", async ([, body, type], { expect }) => {
    const [session, sibling] = await twoSessions();
    const token = uniqueToken();
    await session.register({ fcmToken: uniqueToken(), apnsToken: uniqueToken(), voipToken: uniqueToken() });
    await sibling.register({ fcmToken: token });
    const headers = { "content-type": type ?? "application/json" };
    const reply = await session.call("DELETE", "/v2/tokens", { headers, body });
    expect(reply).toMatchObject({ status: 200, body: { data: { success: true } } });
    expect(await session.tokens()).toEqual([token]);
  });

  it("with `all` true empties the slots of all sessions, and of no other user", async ({ expect }) => {
    const [session, sibling] = await twoSessions();
    const neighbour = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: uniqueToken() });
    await sibling.register({ apnsToken: uniqueToken(), voipToken: uniqueToken() });
    await neighbour.register({ fcmToken: token });
    expect((await session.delete({ all: true })).body).toEqual({ data: { success: true } });
    expect(await list(sibling)).toEqual(nothing);
    expect(await neighbour.tokens()).toEqual([token]);
  });

  it("lets every session register again, the same token too", async ({ expect }) => {
    const [session, sibling] = await twoSessions();
    for (const all of [false, true]) {
      const [mine, other] = [uniqueToken(), uniqueToken()];
      for (let i = 0; i < 2; i++) {
        await session.register({ fcmToken: mine });
        await sibling.register({ fcmToken: other });
        expect((await session.tokens()).sort()).toEqual([mine, other].sort());
        await session.delete({ all });
        await sibling.delete({ all });
        expect(await session.tokens()).toEqual([]);
      }
    }
  });

  it("may be repeated, and answers the same where there is nothing", async ({ expect }) => {
    const session = await login();
    for (const all of [false, true, false, true]) {
      expect(await session.delete({ all })).toMatchObject({ status: 200, body: { data: { success: true } } });
    }
  });
});

describe("a request of an SDK", () => {
  it.for(["/v2/tokens", "//v2/tokens", "/v2/tokens/", "//v2//tokens//", "/v2/tokens/?a=b", "///v2/tokens?"])(
    "is served at %s without a redirect",
    async (path, { expect }) => {
      const session = await login();
      const token = uniqueToken();
      expect((await session.call("POST", path, { body: { fcmToken: token } })).status).toBe(200);
      expect((await session.call("GET", path)).body.data.android).toEqual([token]);
      expect((await session.call("DELETE", path)).status).toBe(200);
      expect(await session.tokens()).toEqual([]);
    },
  );

  it("may write the names of its headers in any case", async ({ expect }) => {
    const { authToken } = await login();
    for (const [app, auth] of [
      ["appId", "authToken"],
      ["appid", "authtoken"],
      ["APPID", "AUTHTOKEN"],
      ["AppId", "AuthToken"],
    ] as const) {
      expect((await call("GET", "/v2/tokens", { headers: { [app]: "test", [auth]: authToken } })).status).toBe(200);
    }
  });

  it("may send the words undefined and null for what it does not have", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    for (const absent of ["undefined", "null", ""]) {
      const headers = { sdk: absent, resource: absent, chatApiVersion: absent, Authorization: absent, apikey: absent };
      const reply = await session.call("POST", "/v2/tokens", { headers, body: { fcmToken: token } });
      expect(reply.status).toBe(200);
    }
    expect(await session.tokens()).toEqual([token]);
  });

  it("acts for its authToken, whatever Authorization is sent with it", async ({ expect }) => {
    const [present, previous] = [await login(), await login()];
    const token = uniqueToken();
    const headers = { Authorization: `Bearer ${previous.authToken}` };
    await present.call("POST", "/v2/tokens", { headers, body: { fcmToken: token } });
    expect([await present.tokens(), await previous.tokens()]).toEqual([[token], []]);
    expect((await present.call("GET", "/v2/tokens", { headers })).body.data.android).toEqual([token]);
    const dead = { appId: "test", authToken: "gone", Authorization: `Bearer ${previous.authToken}` };
    expect((await call("GET", "/v2/tokens", { headers: dead })).status).toBe(401);
  });

  it("may name its auth token by Authorization alone", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    for (const [scheme, authToken] of [
      ["Bearer", undefined],
      ["bearer", "undefined"],
      ["BEARER ", "null"],
    ] as const) {
      const headers = { appId: "test", Authorization: `${scheme} ${session.authToken}` };
      const reply = await call("GET", "/v2/tokens", {
        headers: authToken === undefined ? headers : { ...headers, authToken },
      });
      expect([reply.status, reply.body.data?.android]).toEqual([200, [token]]);
    }
  });

  it("may be Android's: appid, okhttp, no Accept, a charset, an empty form where there is no body", async ({
    expect,
  }) => {
    const { authToken } = await login();
    const token = uniqueToken();
    const common = { appid: "test", authToken, resource: "Android-4_0_10-x-1", "user-agent": "okhttp/4.12.0" };
    const json = { ...common, "content-type": "application/json; charset=utf-8" };
    const form = { ...common, "content-type": "application/x-www-form-urlencoded", "content-length": "0" };
    const registered = await call("POST", "/v2/tokens", { headers: json, body: { fcmToken: token } });
    expect(registered).toMatchObject({ status: 200, body: { data: { success: true } } });
    const empty = await call("POST", "/v2/tokens", { headers: form, body: "" });
    // On 400 Android reads `details` as an object, and both texts.
    expect(empty).toMatchObject({
      status: 400,
      body: { error: { code: expect.any(String), message: expect.any(String) } },
    });
    expect(empty.body.error.details).toEqual({ body: [expect.any(String)] });
    expect((await call("GET", "/v2/tokens", { headers: json })).body).toEqual({
      data: { ...nothing, android: [token] },
    });
    expect(await call("DELETE", "/v2/tokens", { headers: form })).toMatchObject({ status: 200, body: { data: {} } });
    expect((await call("GET", "/v2/tokens", { headers: json })).body).toEqual({ data: nothing });
  });

  it("may carry a body of any content type, with a byte order mark too", async ({ expect }) => {
    const session = await login();
    for (const type of ["text/plain", "application/octet-stream", "application/x-www-form-urlencoded", ""]) {
      const token = uniqueToken();
      const body = `\ufeff${JSON.stringify({ fcmToken: token })}\n`;
      expect((await session.call("POST", "/v2/tokens", { headers: { "content-type": type }, body })).status).toBe(200);
      expect(await session.tokens()).toEqual([token]);
    }
  });
});
