// Sessions as back ends see and end them.
import { describe, it } from "vitest";
import { login, serverCall, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";

const DEAD = { status: 401, body: { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } } };

function sessionsOf(uid: string, app = "test") {
  return serverCall("GET", `/v3/users/${uid}/sessions`, {}, app);
}

function endSession(uid: string, sid: string, app = "test") {
  return serverCall("DELETE", `/v3/users/${uid}/sessions/${encodeURIComponent(sid)}`, {}, app);
}

function endAll(uid: string, app = "test") {
  return serverCall("DELETE", `/v3/users/${uid}/sessions`, {}, app);
}

describe("GET /v3/users/{uid}/sessions", () => {
  it("lists the sessions that hold a registration, the last seen first", async ({ expect }) => {
    const phone = await login();
    await phone.register({ apnsToken: uniqueToken(), voipToken: uniqueToken() });
    await login(phone.uid);
    const web = await login(phone.uid);
    await scheduler.wait(2);
    await web.register({ fcmToken: uniqueToken(), platform: "web" });
    const { status, body } = await sessionsOf(phone.uid);
    expect(status).toBe(200);
    expect(body.data.sessions).toEqual([
      {
        id: web.id,
        kinds: ["fcm"],
        platforms: ["web"],
        firstSeenAt: expect.any(Number),
        lastSeenAt: expect.any(Number),
        muted: false,
      },
      {
        id: phone.id,
        kinds: expect.arrayContaining(["apns", "voip"]),
        platforms: ["ios"],
        firstSeenAt: expect.any(Number),
        lastSeenAt: expect.any(Number),
        muted: false,
      },
    ]);
    expect(body.data.sessions[1].lastSeenAt).toBeLessThan(body.data.sessions[0].firstSeenAt);
  });

  it("says which are muted, and what each said of its device with any of its tokens, the latest word first", async ({
    expect,
  }) => {
    const phone = await login();
    const tablet = await login(phone.uid);
    await tablet.register({ fcmToken: uniqueToken() });
    const device = { name: "Alice's phone", os: "iOS 26.1", environment: "sandbox" };
    await phone.register({ apnsToken: uniqueToken(), device });
    await scheduler.wait(2);
    await phone.register({ voipToken: uniqueToken(), device: { os: "iOS 26.2" } });
    await phone.call("PATCH", `/v3.0/me/devices/${phone.id}`, { body: { muted: true } });
    const { body } = await sessionsOf(phone.uid);
    expect(body.data.sessions[1]).not.toHaveProperty("device");
    expect(body.data.sessions).toMatchObject([
      { id: phone.id, muted: true, device: { ...device, os: "iOS 26.2" } },
      { id: tablet.id, muted: false },
    ]);
  });

  it("is empty for a user whom nobody knows, and for the same uid in another app", async ({ expect }) => {
    const session = await login();
    await session.register({ fcmToken: uniqueToken() });
    expect((await sessionsOf(uniqueUid())).body).toEqual({ data: { sessions: [] } });
    expect((await sessionsOf(session.uid, "other")).body).toEqual({ data: { sessions: [] } });
  });
});

describe("DELETE /v3/users/{uid}/sessions/{sid}", () => {
  it("ends the session at once and for good, and leaves the others alone", async ({ expect }) => {
    const stolen = await login();
    await stolen.register({ fcmToken: uniqueToken() });
    const kept = await login(stolen.uid);
    const token = uniqueToken();
    await kept.register({ fcmToken: token });
    expect(await endSession(stolen.uid, stolen.id)).toMatchObject({
      status: 200,
      body: { data: { success: true, removed: 1 } },
    });
    expect(await kept.tokens()).toEqual([token]);
    expect(await stolen.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
    expect(await stolen.call("GET", "/v2/tokens")).toMatchObject(DEAD);
    expect((await sessionsOf(stolen.uid)).body.data.sessions).toMatchObject([{ id: kept.id }]);
  });

  it("fences a session that has not registered yet", async ({ expect }) => {
    const session = await login();
    expect((await endSession(session.uid, session.id)).body.data).toEqual({ success: true, removed: 0 });
    expect(await session.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
  });

  it("is safe to repeat, and ends no other user's session", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    expect((await endSession(uniqueUid(), session.id)).status).toBe(200);
    expect((await endSession(session.uid, session.id, "other")).status).toBe(200);
    expect(await session.tokens()).toEqual([token]);
    expect((await endSession(session.uid, session.id)).body.data.removed).toBe(1);
    expect((await endSession(session.uid, session.id)).body.data.removed).toBe(0);
  });

  it("refuses a session id that none can have", async ({ expect }) => {
    expect(await endSession(uniqueUid(), "s".repeat(256))).toMatchObject({
      status: 400,
      body: { error: { code: "ERR_BAD_REQUEST", details: { sid: [expect.stringContaining("255")] } } },
    });
  });
});

describe("DELETE /v3/users/{uid}/sessions", () => {
  it("ends all of the user's sessions, of those too that never registered", async ({ expect }) => {
    const [one, other, silent] = await threeSessions();
    expect((await endAll(one.uid)).body).toEqual({ data: { success: true, removed: 2, ended: "all" } });
    expect((await sessionsOf(one.uid)).body.data.sessions).toEqual([]);
    for (const session of [one, other, silent]) {
      expect(await session.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
    }
  });

  it("leaves an auth token alone that is minted right after, however often", async ({ expect }) => {
    const uid = uniqueUid();
    for (let i = 0; i < 20; i += 1) {
      const before = await login(uid);
      await endAll(uid);
      const after = await login(uid);
      const token = uniqueToken();
      expect((await after.register({ fcmToken: token })).status).toBe(200);
      expect(await after.tokens()).toEqual([token]);
      expect(await before.register({ fcmToken: uniqueToken() })).toMatchObject(DEAD);
    }
  });

  it("is safe to repeat, and touches neither another user nor another app", async ({ expect }) => {
    const session = await login();
    const twin = await login(session.uid, { app: "other" });
    const neighbour = await login();
    for (const each of [session, twin, neighbour]) await each.register({ fcmToken: uniqueToken() });
    expect((await endAll(session.uid)).body.data.removed).toBe(1);
    expect((await endAll(session.uid)).body.data.removed).toBe(0);
    expect(await twin.tokens()).toHaveLength(1);
    expect(await neighbour.tokens()).toHaveLength(1);
  });
});

async function threeSessions(): Promise<[TestSession, TestSession, TestSession]> {
  const one = await login();
  const [other, silent] = [await login(one.uid), await login(one.uid)];
  await one.register({ fcmToken: uniqueToken() });
  await other.register({ fcmToken: uniqueToken() });
  return [one, other, silent];
}
