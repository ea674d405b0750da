// What becomes of the rest of a registration when one of its tokens cannot be had: it is stored, and the reply names what was
// not. Only what a repeat can store is an error, for apps do not look at what is refused.
import { env } from "cloudflare:workers";
import { describe, it, vi } from "vitest";
import { userHash } from "../../src/durable/names.ts";
import { API_KEYS } from "../support/apps.ts";
import { expiredTwin, forge } from "../support/auth-tokens.ts";
import { call, login, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import { callWith, failBefore, platformErrors, withFault } from "../support/faults.ts";

const SUCCESSOR = "/v3.0/notifications/push/v1/tokens";

// How many users come to send one token: a token that 500 users share (flutterfire#58), an app's data copied to another phone
// (firebase-android-sdk#7025), accounts that follow one another on a phone (skygear-server#71, macro#5348,
// mixpanel-iphone#503).

/** A session whose user took as many installations from others within the hour as one may, by the default limit of 10. */
async function loginAtTheLimit(): Promise<TestSession> {
  const [session, other] = [await login(uniqueUid(), { app: "limited" }), await login(uniqueUid(), { app: "limited" })];
  for (let n = 0; n < 10; n += 1) {
    const token = uniqueToken();
    await other.register({ fcmToken: token });
    await session.register({ fcmToken: token });
  }
  return session;
}

async function heldByAnother(field: string): Promise<string> {
  const token = uniqueToken();
  await (await login(uniqueUid(), { app: "limited" })).register({ [field]: token });
  return token;
}

describe("a token that this user may not take over now", () => {
  it.for<[contested: string[], fine: string[]]>([
    [["voipToken"], ["apnsToken"]],
    [["apnsToken"], ["voipToken"]],
    [["fcmToken"], ["apnsToken", "voipToken"]],
    [["apnsToken", "voipToken"], ["fcmToken"]],
  ])("is named, and costs no other: %j beside %j", async ([contested, fine], { expect }) => {
    const session = await loginAtTheLimit();
    const before = await session.tokens();
    const taken = Object.fromEntries(
      await Promise.all(contested.map(async (field) => [field, await heldByAnother(field)] as const)),
    );
    const mine = Object.fromEntries(fine.map((field) => [field, uniqueToken()]));
    const reply = await session.register({ ...taken, ...mine, platform: "beos" });
    expect(reply).toMatchObject({ status: 200, body: { data: { success: true } } });
    expect(reply.body.data.refused).toEqual({
      platform: "invalid",
      ...Object.fromEntries(contested.map((field) => [field, "too_many_takeovers"])),
    });
    const tokens = await session.tokens();
    expect(tokens).toEqual(expect.arrayContaining(Object.values(mine)));
    for (const token of Object.values(taken)) expect(tokens).not.toContain(token);
    if (!fine.includes("fcmToken")) expect(tokens).toEqual(expect.arrayContaining(before));
  });

  it("is a 429 where nothing was stored, by either API", async ({ expect }) => {
    const session = await loginAtTheLimit();
    const token = await heldByAnother("fcmToken");
    const body = { platform: "fcm_android", fcmToken: token };
    for (const reply of [
      await session.register({ fcmToken: token }),
      await session.call("POST", SUCCESSOR, { body }),
    ]) {
      expect(reply).toMatchObject({ status: 429, body: { error: { code: "ERR_TOO_MANY_REQUESTS" } } });
      expect(Number(reply.headers.get("Retry-After"))).toBeGreaterThan(3000);
    }
    const owner = await call("POST", "/v3/push_tokens/owner", {
      headers: { appId: "limited", apikey: API_KEYS.fullAccess },
      body: { token },
    });
    expect(owner.body.data.owners).toHaveLength(1);
    expect(owner.body.data.owners[0].uid).not.toBe(session.uid);
  });
});

describe("a refused registration", () => {
  /** The lines that a call leaves about refusals. */
  async function linesOf(act: () => Promise<unknown>) {
    const lines: string[] = [];
    const spy = vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
    await act();
    spy.mockRestore();
    return lines.filter((line) => line.includes("a registration is refused"));
  }

  const TOKEN = "a-token-that-no-log-may-hold";

  it.for<[string, (session: TestSession) => Promise<unknown>, object]>([
    [
      "an ended session",
      async (session) => {
        await session.logout();
        await session.register({ fcmToken: TOKEN });
      },
      { reason: "ended" },
    ],
    [
      "an ended session, by the successor",
      async (session) => {
        await session.logout();
        await session.call("POST", SUCCESSOR, { body: { platform: "fcm_web", fcmToken: TOKEN } });
      },
      { reason: "ended" },
    ],
    [
      "an expired auth token",
      async (session) => (await expiredTwin(session)).register({ fcmToken: TOKEN }),
      { reason: "expired" },
    ],
    [
      "an expired auth token, by the successor",
      async (session) =>
        (await expiredTwin(session)).call("POST", SUCCESSOR, { body: { platform: "fcm_web", fcmToken: TOKEN } }),
      { reason: "expired" },
    ],
    ["wrong fields alone", (s) => s.register({ apnsToken: `${TOKEN} ` }), { fields: ["apnsToken"] }],
    [
      "a wrong field beside a good one",
      (session) => session.register({ fcmToken: uniqueToken(), apnsToken: `${TOKEN} `, device: { environment: "x" } }),
      { reason: "invalid", fields: ["apnsToken", "device.environment"] },
    ],
    [
      "an object that does not answer",
      (session) => {
        const { namespace } = withFault(env.USER_TOKENS, failBefore(platformErrors.connectionLost));
        return callWith({ USER_TOKENS: namespace }, session, "POST", "/v2/tokens", { fcmToken: TOKEN });
      },
      { reason: "unavailable" },
    ],
  ])("can be found by its user's hash, and tells no token and no uid: %s", async ([, act, expected], { expect }) => {
    const session = await login();
    const lines = await linesOf(() => act(session));
    const user = (await userHash("test", session.uid)).slice(0, 8);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: "info", app: "test", user, ...expected }]);
    for (const secret of [TOKEN, session.uid, session.authToken]) expect(lines.join()).not.toContain(secret);
  });

  it("of a takeover is named so, once per user and hour", async ({ expect }) => {
    const session = await loginAtTheLimit();
    const token = await heldByAnother("fcmToken");
    const lines = await linesOf(async () => {
      for (let n = 0; n < 3; n += 1) await session.register({ fcmToken: token });
    });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ app: "limited", reason: "too_many_takeovers" }]);
  });

  it("of a stranger leaves none: nobody knows whose it is", async ({ expect }) => {
    const headers = { appId: "test", authToken: "made-up" };
    expect(await linesOf(() => call("POST", "/v2/tokens", { headers, body: { fcmToken: TOKEN } }))).toEqual([]);
  });

  it("of an expired auth token is named once per user and hour, and of a forged one never", async ({ expect }) => {
    const session = await login();
    const now = Math.floor(Date.now() / 1000);
    const over = { iat: now - 7200, exp: now - 3600 };
    const genuine = await linesOf(async () => {
      for (let n = 1; n <= 5; n += 1) await (await expiredTwin(session, 60 * n)).register({ fcmToken: TOKEN });
    });
    expect(genuine.map((line) => JSON.parse(line))).toMatchObject([{ reason: "expired" }]);
    const forged = await linesOf(async () => {
      for (let n = 0; n < 5; n += 1) {
        const stranger = await forge({ secret: "not a signing key of this app, but as long", claims: over });
        await stranger.register({ fcmToken: TOKEN });
      }
    });
    expect(forged).toEqual([]);
  });
});
