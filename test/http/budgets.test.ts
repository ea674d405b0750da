// What each operation may cost (docs: README "Budgets"): calls of objects and rows, by SQLite's own counters.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, it, vi } from "vitest";
import { tokenHash, tokenOwnersName } from "../../src/durable/names.ts";
import { DAY_MS, DEAD_CACHE_MS, HOUR_MS } from "../../src/limits.ts";
import { login, serverCall, uniqueToken } from "../support/client.ts";
import { chatSession, cometchat } from "../support/cometchat.ts";
import { metered } from "../support/meter.ts";
import { directoryObject, ownerObject, userObject } from "../support/objects.ts";

/** A token that nobody holds, of an owner object that has its tables already, as every one has after an app's first days. */
async function nobodysToken(kind: "fcm" | "apns"): Promise<string> {
  const previous = await login();
  const token = uniqueToken();
  await previous.register({ [`${kind}Token`]: token });
  await previous.delete();
  const hash = await tokenHash(kind, token);
  const owners = env.TOKEN_OWNERS.getByName(tokenOwnersName("test", hash));
  while ((await owners.owners(hash)).length > 0) await scheduler.wait(2);
  return token;
}

describe("the cost of", () => {
  it("promise 7: an unchanged launch is one call of one object and no row written", async ({ expect }) => {
    const session = await login();
    const tokens = { fcmToken: uniqueToken(), apnsToken: uniqueToken(), voipToken: uniqueToken() };
    await session.register(tokens);
    const { calls, rowsWritten } = await metered(() => session.register(tokens));
    expect(calls).toEqual(["UserTokens.register"]);
    expect(rowsWritten).toBe(0);
  });

  it("a new token of a known user, nobody's before, is three calls and at most six rows written", async ({
    expect,
  }) => {
    const session = await login();
    await session.register({ fcmToken: uniqueToken() });
    const apnsToken = await nobodysToken("apns");
    const { calls, rowsWritten } = await metered(() => session.register({ apnsToken }));
    expect(calls).toEqual(["UserTokens.register", "TokenOwners.claim", "Directory.put"]);
    expect(rowsWritten).toBeLessThanOrEqual(6);
  });

  it("a user's very first token is three calls and at most twelve rows written", async ({ expect }) => {
    const session = await login();
    const fcmToken = await nobodysToken("fcm");
    // A directory object has its tables after an app's first days, too.
    const nobody = { format: 1, tokens: "[]", registrations: 0, muted: 0, shownSince: 0 };
    await directoryObject("test", session.uid).put({ ...nobody, uid: "someone else", version: 1 });
    const { calls, rowsWritten } = await metered(() => session.register({ fcmToken }));
    expect(calls).toEqual(["UserTokens.register", "TokenOwners.claim", "Directory.put"]);
    expect(rowsWritten).toBeLessThanOrEqual(12);
  });

  it("a rotated token of one installation is two calls and at most five rows written", async ({ expect }) => {
    const session = await login();
    const fid = `c${uniqueToken().slice(-21)}`;
    await session.register({ fcmToken: `${fid}:${uniqueToken()}` });
    const { calls, rowsWritten } = await metered(() => session.register({ fcmToken: fid }));
    expect(calls).toEqual(["UserTokens.register", "Directory.put"]);
    expect(rowsWritten).toBeLessThanOrEqual(5);
  });

  it("a rotated token of another installation is four calls and at most seven rows written", async ({ expect }) => {
    const session = await login();
    await session.register({ fcmToken: await nobodysToken("fcm") });
    const fcmToken = await nobodysToken("fcm");
    const { calls, rowsWritten } = await metered(() => session.register({ fcmToken }));
    expect(calls).toEqual(["UserTokens.register", "TokenOwners.claim", "Directory.put", "TokenOwners.forget"]);
    expect(rowsWritten).toBeLessThanOrEqual(7);
  });

  it("a logout of a session with one token is three calls and at most eight rows written", async ({ expect }) => {
    for (const others of [0, 1]) {
      const session = await login();
      await session.register({ fcmToken: uniqueToken() });
      if (others > 0) await (await login(session.uid)).register({ fcmToken: uniqueToken() });
      const { calls, rowsWritten } = await metered(() => session.logout());
      expect(calls).toEqual(["UserTokens.endSession", "Directory.put", "TokenOwners.forget"]);
      expect(rowsWritten).toBeLessThanOrEqual(8);
    }
  });

  it("a handover is five calls and at most fifteen rows written", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    await bob.register({ apnsToken: uniqueToken() });
    const { calls, rowsWritten } = await metered(() => bob.register({ fcmToken: token }));
    expect(calls).toEqual([
      "UserTokens.register",
      "TokenOwners.claim",
      "UserTokens.release",
      "Directory.put",
      "Directory.put",
    ]);
    expect(rowsWritten).toBeLessThanOrEqual(15);
  });

  it("a handover is few rows read, however many windows its owner object has open", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const fcmToken = uniqueToken();
    await alice.register({ fcmToken });
    await bob.register({ fcmToken });
    await runInDurableObject(await ownerObject("test", fcmToken), (_, { storage }) => {
      const open = "INSERT INTO facts (fact, key, value, until) VALUES ('window', ?, '[1]', ?)";
      for (let i = 0; i < 100; i++) storage.sql.exec(open, `token ${i}`, Date.now() + HOUR_MS);
    });
    const { rowsRead } = await metered(() => alice.register({ fcmToken }));
    expect(rowsRead).toBeLessThan(100);
  });

  it("a launch after the refresh window is one call and one row written, without the alarm", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      vi.setSystemTime(Date.now() + 8 * DAY_MS);
      const { calls, rowsWritten } = await metered(() => session.register({ fcmToken: token }));
      expect(calls).toEqual(["UserTokens.register"]);
      expect(rowsWritten).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it("launches that call both registration APIs is no row written, and what only one of them states stays", async ({
    expect,
  }) => {
    const session = await login();
    const fcmToken = uniqueToken();
    const labels = { providerId: "default", timezone: "Asia/Kolkata" };
    const successor = () =>
      session.call("POST", "/v3.0/notifications/push/v1/tokens", {
        body: { ...labels, fcmToken, platform: "fcm_android" },
      });
    const own = () => session.register({ fcmToken, platform: "android" });
    await own();
    await successor();
    for (let launch = 0; launch < 3; launch++) {
      const { calls, rowsWritten } = await metered(async () => {
        expect((await own()).status).toBe(200);
        expect((await successor()).status).toBe(200);
      });
      expect(calls).toEqual(["UserTokens.register", "UserTokens.register"]);
      expect(rowsWritten).toBe(0);
    }
    const { body } = await serverCall("GET", `/v3/users/${session.uid}/push_tokens`);
    expect(body.data.pushTokens).toMatchObject([{ token: fcmToken, ...labels }]);
  });

  it("a logout that is repeated, by the client or a back end, is no row written", async ({ expect }) => {
    const session = await login();
    await session.register({ fcmToken: uniqueToken() });
    // With what the owner object is told.
    await metered(() => session.logout());
    const again = await metered(async () => {
      for (let i = 0; i < 3; i++) expect((await session.logout()).status).toBe(200);
    });
    expect(again).toMatchObject({ calls: Array.from({ length: 3 }, () => "UserTokens.endSession"), rowsWritten: 0 });
    const byBackEnd = await metered(async () => {
      for (let i = 0; i < 3; i++) await serverCall("DELETE", `/v3/users/${session.uid}/sessions/${session.id}`);
    });
    expect(byBackEnd.rowsWritten).toBe(0);
  });

  it("a session that a back end ends again, and nobody else ended, is no row written", async ({ expect }) => {
    const { uid, id } = await login();
    const end = () => serverCall("DELETE", `/v3/users/${uid}/sessions/${id}`);
    await end();
    const { rowsWritten } = await metered(async () => {
      for (let i = 0; i < 3; i++) {
        await scheduler.wait(2);
        await end();
      }
    });
    expect(rowsWritten).toBe(0);
  });

  it("calls with an auth token that CometChat calls dead, however many, is no row written but for the first", async ({
    expect,
  }) => {
    const session = await chatSession();
    await session.register({ fcmToken: uniqueToken() });
    await cometchat.kill("chat", session.authToken);
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const statuses: number[] = [];
      const dead = async () => {
        // Beyond the time for which an isolate knows the answer, and within the fence's.
        vi.setSystemTime(Date.now() + 2 * DEAD_CACHE_MS);
        statuses.push((await session.register({ fcmToken: uniqueToken() })).status);
        statuses.push((await session.call("GET", "/v3.0/users")).status);
        statuses.push((await session.logout()).status);
      };
      await dead();
      const first = (await (await userObject("chat", session.uid)).export()).fences;
      const { rowsWritten } = await metered(async () => {
        for (let i = 0; i < 5; i++) await dead();
      });
      expect(statuses).not.toContain(503);
      expect(first).toHaveLength(1);
      expect((await (await userObject("chat", session.uid)).export()).fences).toEqual(first);
      expect(rowsWritten).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it("a list is one call, no row written, and rows read for what is listed and three more", async ({ expect }) => {
    const session = await login();
    await session.register({ fcmToken: uniqueToken(), apnsToken: uniqueToken(), voipToken: uniqueToken() });
    const read = await metered(() => serverCall("GET", `/v3/users/${session.uid}/push_tokens`));
    expect(read.calls).toEqual(["UserTokens.list"]);
    expect(read.rowsWritten).toBe(0);
    expect(read.rowsRead).toBeLessThanOrEqual(3 + 3);
    const own = await metered(() => session.tokens());
    expect(own.calls).toEqual(["UserTokens.tokens"]);
    expect(own.rowsWritten).toBe(0);
    expect(own.rowsRead).toBeLessThanOrEqual(3 + 3);
  });

  it("a report of feedback is one call of the user's object where the uid is named", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const item = { token, kind: "fcm", code: "SENDER_ID_MISMATCH" };
    const report = (items: object[]) => () => serverCall("POST", "/v3/push_tokens/feedback", { body: { items } });
    const first = await metered(report([{ ...item, uid: session.uid }]));
    expect(first.calls).toEqual(["UserTokens.feedback", "Directory.put"]);
    expect(first.rowsWritten).toBeLessThanOrEqual(5);
    const again = await metered(report([item, item]));
    expect(again.calls).toEqual(["TokenOwners.owners", "TokenOwners.owners", "UserTokens.feedback"]);
    expect(again.rowsWritten).toBe(0);
    const blameless = await metered(report([{ ...item, code: "UNAVAILABLE" }]));
    expect(blameless).toMatchObject({ calls: [], rowsWritten: 0 });
  });
});
