// Time: how long registrations are served, how often they are written, and what collects them.
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, it, vi } from "vitest";
import { tokenHash, tokenOwnersName } from "../../src/durable/names.ts";
import { login, serverCall, type TestSession, uniqueToken } from "../support/client.ts";
import { userObject } from "../support/faults.ts";
import { configure, envWith, rulesWith } from "../support/settings.ts";

const DAY_MS = 24 * 3_600_000;

function setClock(now: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now });
}

async function refreshedAt(session: TestSession): Promise<number[]> {
  const { body } = await serverCall("GET", `/v3/users/${session.uid}/push_tokens`);
  return body.data.pushTokens.map((token: { refreshedAt: number }) => token.refreshedAt);
}

async function runAlarm(session: TestSession): Promise<void> {
  await runDurableObjectAlarm(await userObject("test", session.uid));
}

afterEach(() => {
  vi.useRealTimers();
});

describe("the refresh window", () => {
  it("lets an unchanged launch write at most once in seven days", async ({ expect }) => {
    const start = Date.now();
    setClock(start);
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    setClock(start + 7 * DAY_MS - 1);
    await session.register({ fcmToken: token });
    expect(await refreshedAt(session)).toEqual([start]);
    setClock(start + 7 * DAY_MS);
    await session.register({ fcmToken: token });
    expect(await refreshedAt(session)).toEqual([start + 7 * DAY_MS]);
  });

  it("never delays a change", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token, platform: "android" });
    await session.register({ fcmToken: token, platform: "ios" });
    expect((await session.call("GET", "/v2/tokens")).body.data).toEqual({ ios: [token], web: [], android: [] });
  });
});

describe("retention", () => {
  it("serves a token for 270 days since its last refresh, and not a millisecond longer, with no alarm run", async ({
    expect,
  }) => {
    const start = Date.now();
    setClock(start);
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const served = async () => {
      const { body } = await serverCall("GET", `/v3/users/${session.uid}/push_tokens`);
      return body.data.pushTokens.length;
    };
    setClock(start + 270 * DAY_MS - 1);
    expect(await served()).toBe(1);
    setClock(start + 270 * DAY_MS);
    expect(await served()).toBe(0);
    const owners = await serverCall("POST", "/v3/push_tokens/owner", { body: { token } });
    expect(owners.body.data.owners).toEqual([]);
    const sessions = await serverCall("GET", `/v3/users/${session.uid}/sessions`);
    expect(sessions.body.data.sessions).toEqual([]);
  });

  it("is collected by the alarm, which tells the owner object and keeps a record for 30 days", async ({ expect }) => {
    const start = Date.now();
    setClock(start);
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    setClock(start + 271 * DAY_MS);
    await runAlarm(session);
    const { body } = await serverCall("GET", `/v3/users/${session.uid}/export`);
    expect(body.data.registrations).toEqual([]);
    expect(body.data.changes.at(-1)).toMatchObject({ change: "expired", session: session.id });
    const hash = await tokenHash("fcm", token);
    const owners = env.TOKEN_OWNERS.getByName(tokenOwnersName("test", hash));
    await expect.poll(() => owners.owners(hash)).toEqual([]);

    setClock(start + 302 * DAY_MS);
    await runAlarm(session);
    await runInDurableObject(await userObject("test", session.uid), (_instance, state) => {
      const tables = state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('registrations', 'facts')");
      expect(tables.toArray()).toEqual([]);
    });
  });

  const raised = { retentionDays: 400 };
  const lowered = { retentionDays: 60 };

  /** A user registered now, and its object under other settings; `end` is how much later its alarm runs. */
  async function alarmUnder(settings: object | null, afterDays: number) {
    const start = Date.now();
    setClock(start);
    const session = await login();
    await session.register({ fcmToken: uniqueToken() });
    const object = await userObject("test", session.uid);
    const changed = settings === null ? { ...env, APP_TEST: "not JSON" } : envWith("test", settings);
    await configure(object, changed as Env);
    setClock(start + afterDays * DAY_MS);
    await runDurableObjectAlarm(object);
    return { session, object, start };
  }

  const heldBy = async (object: Awaited<ReturnType<typeof userObject>>) => (await object.export()).registrations.length;

  it("that was raised holds for what was registered before, also in the alarm", async ({ expect }) => {
    const { object, start } = await alarmUnder(raised, 300);
    expect(await heldBy(object)).toBe(1);
    const reading = { session: null, retentionMs: rulesWith("test", raised).retentionMs };
    expect(await object.list(reading)).toMatchObject({ ok: true, registrations: [{}] });
    setClock(start + 401 * DAY_MS);
    await runDurableObjectAlarm(object);
    expect(await heldBy(object)).toBe(0);
  });

  it("that was lowered is collected by the value of now", async ({ expect }) => {
    const { object } = await alarmUnder(lowered, 61);
    expect(await heldBy(object)).toBe(0);
    expect((await object.export()).changes.at(-1)).toMatchObject({ change: "expired" });
  });

  it("that cannot be read deletes nothing, says so, and is asked for again the next day", async ({ expect }) => {
    const lines = vi.spyOn(console, "error").mockImplementation(() => undefined);
    try {
      const { session, object, start } = await alarmUnder(null, 400);
      const ended = await login(session.uid);
      await ended.logout();
      expect(await heldBy(object)).toBe(1);
      const said = lines.mock.calls
        .map(([line]) => String(line))
        .filter((line) => line.includes("nothing is collected"));
      expect(said).toHaveLength(1);
      expect(said[0]).not.toContain(session.uid);
      const alarm = await runInDurableObject(object, (_, state) => state.storage.getAlarm());
      expect(alarm).toBeGreaterThan(Date.now());
      expect(alarm).toBeLessThanOrEqual(Date.now() + 2 * DAY_MS);
      // Not the marks either, however old.
      setClock(start + 4000 * DAY_MS);
      await runDurableObjectAlarm(object);
      expect((await object.export()).fences).toHaveLength(1);
      // Once it can be read, everything goes on.
      await configure(object, envWith("test", {}));
      await runDurableObjectAlarm(object);
      expect(await heldBy(object)).toBe(0);
      expect((await object.export()).fences).toEqual([]);
    } finally {
      lines.mockRestore();
    }
  });

  it("is counted anew by a launch, also one after the end and before the alarm", async ({ expect }) => {
    const start = Date.now();
    setClock(start);
    const session = await login(undefined, { lifetimeSeconds: 90 * 24 * 3600 });
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    setClock(start + 60 * DAY_MS);
    await session.register({ fcmToken: token });
    setClock(start + 280 * DAY_MS);
    expect(await refreshedAt(session)).toEqual([start + 60 * DAY_MS]);
  });
});

describe("a fence", () => {
  it("outlives evictions and alarms for as long as an auth token of the session could live", async ({ expect }) => {
    const start = Date.now();
    setClock(start);
    const session = await login(undefined, { lifetimeSeconds: 90 * 24 * 3600 });
    await session.register({ fcmToken: uniqueToken() });
    await session.logout();
    setClock(start + 90 * DAY_MS);
    await runAlarm(session);
    await evictDurableObject(await userObject("test", session.uid));
    expect((await session.register({ fcmToken: uniqueToken() })).status).toBe(401);
    setClock(start + 91 * DAY_MS);
    await runAlarm(session);
    await runInDurableObject(await userObject("test", session.uid), (_instance, state) => {
      expect(state.storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'facts'").toArray()).toEqual([]);
    });
    expect((await session.register({ fcmToken: uniqueToken() })).status).toBe(401);
  });
});

describe("the record of changes", () => {
  it("keeps the last 50, and is not written by an unchanged launch", async ({ expect }) => {
    const session = await login();
    for (let i = 0; i < 30; i++) await session.register({ fcmToken: `${session.uid}-${i}` });
    await session.register({ fcmToken: `${session.uid}-29` });
    const { body } = await serverCall("GET", `/v3/users/${session.uid}/export`);
    expect(body.data.changes).toHaveLength(50);
    const last = body.data.changes.slice(-2).map(({ change }: { change: string }) => change);
    expect(last).toEqual(["registered", "displaced"]);
  });

  it("says why a user gets no push: removed, moved, logged out", async ({ expect }) => {
    const phone = await login();
    const tablet = await login(phone.uid);
    const [a, b] = [uniqueToken(), uniqueToken()];
    await phone.register({ fcmToken: a });
    await tablet.register({ fcmToken: a });
    await tablet.delete();
    await phone.register({ fcmToken: b });
    await phone.logout();
    const { body } = await serverCall("GET", `/v3/users/${phone.uid}/export`);
    const short = async (token: string) => (await tokenHash("fcm", token)).slice(0, 8);
    const changes = body.data.changes.map((c: { change: string; session: string; token: string }) => [
      c.change,
      c.session,
      c.token,
    ]);
    expect(changes).toEqual([
      ["registered", phone.id, await short(a)],
      ["moved", tablet.id, await short(a)],
      ["removed", tablet.id, await short(a)],
      ["registered", phone.id, await short(b)],
      ["logged_out", phone.id, await short(b)],
    ]);
  });
});
