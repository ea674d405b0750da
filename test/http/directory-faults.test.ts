// What happens while the directory does not confirm: nobody is told of a change, the change stands, and what is due is published
// later. The directory objects are the real ones, with faults put between them and the users' objects.
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, it, vi } from "vitest";
import { tokenHash } from "../../src/durable/names.ts";
import type { Snapshot } from "../../src/durable/snapshots.ts";
import {
  ALARM_RETRY_MAX_MS,
  ALARM_RETRY_MIN_MS,
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  NEAR_ALARM_MS,
  PUBLISH_ATTEMPTS,
  PUBLISH_TIMEOUT_MS,
  RETRY_AFTER_SECONDS,
} from "../../src/limits.ts";
import { login, type Reply, serverCall, type TestSession, uniqueToken } from "../support/client.ts";
import {
  breakDirectoryFor,
  breakOwnersFor,
  crash,
  type Fault,
  failAfter,
  failBefore,
  first,
  holdBack,
  outlasting,
  platformErrors,
  silent,
  userObject,
} from "../support/faults.ts";
import { alarmOf, directoryObject, ownerObject, shownOf } from "../support/objects.ts";

const { connectionLost, overloaded, reset } = platformErrors;

/** The directory has a later version each time. */
const behind: Fault = async (_, __, [snapshot]) => ({
  ok: false,
  version: (snapshot as { version: number }).version + 1,
});

const lost = failBefore(connectionLost);

function breakDirectory({ app, uid }: TestSession, fault: Fault) {
  return breakDirectoryFor(app, uid, fault);
}

/** Registers while the directory has that fault; nobody waits for one that is silent. */
async function registerDespite(fault: Fault, session: TestSession, token: string): Promise<Reply> {
  const register = () => session.register({ fcmToken: token });
  return fault === silent ? (await outlasting(PUBLISH_TIMEOUT_MS, register)).outcome : await register();
}

function mend(session: TestSession) {
  return breakDirectory(session, (call) => call());
}

/** What the directory shows of the user. */
function shown({ app, uid }: TestSession): Promise<string[]> {
  return shownOf(app, uid);
}

/** What a sender's read of the one user shows. */
async function read({ uid }: TestSession): Promise<string[]> {
  const { body } = await serverCall("GET", `/v3/users/${uid}/push_tokens`);
  return body.data.pushTokens.map(({ token }: { token: string }) => token);
}

/** What a lookup shows of the users, in the order in which they are asked. */
async function lookup(...sessions: TestSession[]): Promise<string[][]> {
  const body = { uids: sessions.map(({ uid }) => uid) };
  const { data } = (await serverCall("POST", "/v3/push_tokens/lookup", { body })).body;
  return data.users.map(({ pushTokens }: { pushTokens: { token: string }[] }) => pushTokens.map(({ token }) => token));
}

/** When the user's object wakes, epoch ms. */
async function alarmAt({ app, uid }: TestSession): Promise<number | null> {
  return runInDurableObject(await userObject(app, uid), (_, { storage }) => storage.getAlarm());
}

async function ring({ app, uid }: TestSession): Promise<void> {
  await runDurableObjectAlarm(await userObject(app, uid));
}

/** A user with a registration that the directory shows. */
async function registered(): Promise<{ session: TestSession; token: string }> {
  const session = await login();
  const token = uniqueToken();
  await session.register({ fcmToken: token });
  return { session, token };
}

afterEach(() => {
  vi.useRealTimers();
});

const FAULTS: [string, Fault, PutTakesEffect: boolean][] = [
  ["is silent", silent, false],
  ["fails before it takes the change", lost, false],
  ["fails after it took the change", failAfter(connectionLost), true],
  ["is overloaded", failBefore(overloaded), false],
  ["was reset", failBefore(reset), false],
  ["has a later version each time", behind, false],
];

describe.for(FAULTS)("where the directory %s", ([, fault, takesEffect]) => {
  it("a registration is a 503, stands, and is published by the alarm", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await breakDirectory(session, fault);
    const failed = await registerDespite(fault, session, token);
    expect(failed).toMatchObject({ status: 503, body: { error: { code: "ERR_OPERATION_FAILED" } } });
    expect(failed.headers.get("retry-after")).toBe(String(RETRY_AFTER_SECONDS));
    expect(await read(session)).toEqual([token]);
    expect(await shown(session)).toEqual(takesEffect ? [token] : []);
    const at = Number(await alarmAt(session));
    expect(at % MINUTE_MS).not.toBe(0);
    expect(at).toBeLessThanOrEqual(Date.now() + 2 * NEAR_ALARM_MS + 1000);
    await mend(session);
    await ring(session);
    expect(await shown(session)).toEqual([token]);
    expect((await session.register({ fcmToken: token })).status).toBe(200);
    expect(await lookup(session)).toEqual([[token]]);
  });

  it("a repeated registration waits, and is a 200 once the directory confirms", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await breakDirectory(session, fault);
    expect((await registerDespite(fault, session, token)).status).toBe(503);
    expect((await registerDespite(fault, session, token)).status).toBe(503);
    await mend(session);
    expect((await session.register({ fcmToken: token })).status).toBe(200);
    expect(await shown(session)).toEqual([token]);
    expect(await alarmOf(await userObject("test", session.uid))).toBeGreaterThan(Date.now());
  });
});

describe("a version that the directory surpasses", () => {
  it("is raised above what it has, and put again", async ({ expect }) => {
    const { session } = await registered();
    const token = uniqueToken();
    const { calls } = await breakDirectory(session, first(PUBLISH_ATTEMPTS - 1, behind));
    expect((await session.register({ fcmToken: token })).status).toBe(200);
    expect(calls).toHaveLength(PUBLISH_ATTEMPTS);
    expect(await shown(session)).toEqual([token]);
  });
});

/** Each takes the session's token out of lookups; a second one finds nothing to do. */
const REMOVALS: [string, (session: TestSession, token: string) => Promise<Reply>][] = [
  ["a removal", (session) => session.delete({ all: false })],
  ["a removal of all", (session) => session.delete({ all: true })],
  ["a removal of one token", (session, fcmToken) => session.delete({ fcmToken })],
  ["a logout", (session) => session.logout()],
  ["an end of the session", ({ uid, id }) => serverCall("DELETE", `/v3/users/${uid}/sessions/${id}`)],
  ["an end of all sessions", ({ uid }) => serverCall("DELETE", `/v3/users/${uid}/sessions`)],
  ["an erasure", ({ uid }) => serverCall("DELETE", `/v3/users/${uid}`)],
];

describe.for(REMOVALS)("%s that the directory does not confirm", ([, remove]) => {
  it("is a 503 and stands; a repeat, which finds nothing, waits too; the alarm publishes", async ({ expect }) => {
    const { session, token } = await registered();
    await breakDirectory(session, lost);
    for (const reply of [await remove(session, token), await remove(session, token)]) {
      expect(reply.status).toBe(503);
      expect(reply.headers.get("retry-after")).toBe(String(RETRY_AFTER_SECONDS));
      expect(await read(session)).toEqual([]);
      expect(await shown(session)).toEqual([token]);
    }
    await mend(session);
    await ring(session);
    expect(await shown(session)).toEqual([]);
    expect((await remove(session, token)).status).toBe(200);
    expect(await lookup(session)).toEqual([[]]);
  });

  it("is a 200 when it is repeated and the directory confirms", async ({ expect }) => {
    const { session, token } = await registered();
    await breakDirectory(session, lost);
    expect((await remove(session, token)).status).toBe(503);
    await mend(session);
    expect((await remove(session, token)).status).toBe(200);
    expect(await shown(session)).toEqual([]);
  });
});

describe("other changes that the directory does not confirm", () => {
  it("leave a muted device a 503 until it does, also where it is muted already", async ({ expect }) => {
    const { session, token } = await registered();
    const mute = () => session.call("PATCH", `/v3.0/me/devices/${session.id}`, { body: { muted: true } });
    await breakDirectory(session, lost);
    expect([(await mute()).status, (await mute()).status]).toEqual([503, 503]);
    await mend(session);
    expect((await mute()).status).toBe(200);
    expect(await shown(session)).toEqual([token]);
    expect(await lookup(session)).toEqual([[]]);
  });

  it("leave a provider's report unavailable until it does", async ({ expect }) => {
    const { session, token } = await registered();
    const item = { uid: session.uid, token, kind: "fcm", code: "UNREGISTERED", at: Date.now() + 8 * DAY_MS };
    const report = async () => {
      vi.useFakeTimers({ toFake: ["Date"] });
      vi.setSystemTime(Date.now() + 9 * DAY_MS);
      try {
        const { body } = await serverCall("POST", "/v3/push_tokens/feedback", { body: { items: [item] } });
        return body.data.items.map(({ outcome }: { outcome: string }) => outcome);
      } finally {
        vi.useRealTimers();
      }
    };
    await breakDirectory(session, lost);
    expect(await report()).toEqual(["unavailable"]);
    expect([await read(session), await shown(session)]).toEqual([[], [token]]);
    expect(await report()).toEqual(["unavailable"]);
    await mend(session);
    expect(await report()).toEqual(["unknown"]);
    expect(await shown(session)).toEqual([]);
  });

  it("leave a reconciliation a 503 until it does", async ({ expect }) => {
    const { session, token } = await registered();
    const reconcile = () => serverCall("POST", `/v3/users/${session.uid}/reconcile`);
    await breakDirectory(session, lost);
    expect((await reconcile()).status).toBe(503);
    await mend(session);
    expect((await reconcile()).status).toBe(200);
    expect(await shown(session)).toEqual([token]);
  });
});

describe("a handover whose present owner the directory does not confirm", () => {
  it("fails with the owner unchanged, also when the token went before; then it succeeds, and one user is shown", async ({
    expect,
  }) => {
    const { session: alice, token } = await registered();
    const bob = await login();
    const owners = async () => (await ownerObject("test", token)).owners(await tokenHash("fcm", token));
    const before = await owners();
    await breakDirectory(alice, lost);
    // The second time alice's object holds nothing, and what it published is still older.
    for (let i = 0; i < 2; i += 1) {
      expect((await bob.register({ fcmToken: token })).status).toBe(503);
      expect(await owners()).toEqual(before);
      expect([await read(alice), await read(bob)]).toEqual([[], []]);
      expect([await shown(alice), await shown(bob)]).toEqual([[token], []]);
    }
    await mend(alice);
    expect((await bob.register({ fcmToken: token })).status).toBe(200);
    expect([await shown(alice), await shown(bob)]).toEqual([[], [token]]);
  });
});

describe("what is due in a new instance of a user's object", () => {
  /** A registration that the directory lacks, and whose object has lost its memory. */
  async function due() {
    const session = await login();
    const token = uniqueToken();
    await breakDirectory(session, lost);
    await session.register({ fcmToken: token });
    await crash(await userObject("test", session.uid));
    return { session, token };
  }

  it("is published by the next call, which waits for it", async ({ expect }) => {
    const { session, token } = await due();
    await breakDirectory(session, lost);
    expect((await session.register({ fcmToken: token })).status).toBe(503);
    await mend(session);
    expect((await session.register({ fcmToken: token })).status).toBe(200);
    expect(await shown(session)).toEqual([token]);
  });

  it("is published by the next call although its alarm is overdue", async ({ expect }) => {
    const { session, token } = await due();
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      vi.setSystemTime(Date.now() + HOUR_MS / 2);
      const { calls } = await breakDirectory(session, lost);
      expect((await session.register({ fcmToken: token })).status).toBe(503);
      expect(calls).toEqual(["put"]);
      // The alarm that is set then is one that can go off.
      expect(await alarmAt(session)).toBeGreaterThan(Date.now());
      await mend(session);
      expect((await session.register({ fcmToken: token })).status).toBe(200);
      expect(await shown(session)).toEqual([token]);
      expect(await alarmOf(await userObject("test", session.uid))).toBeGreaterThan(Date.now());
    } finally {
      vi.useRealTimers();
    }
  });

  it("is published by the next call although its alarm is gone", async ({ expect }) => {
    const { session, token } = await due();
    await runInDurableObject(await userObject("test", session.uid), (_, { storage }) => storage.deleteAlarm());
    await breakDirectory(session, lost);
    expect((await session.register({ fcmToken: token })).status).toBe(503);
    expect(await alarmAt(session)).toBeGreaterThan(Date.now());
    await mend(session);
    expect((await session.register({ fcmToken: token })).status).toBe(200);
    expect(await shown(session)).toEqual([token]);
  });
});

describe("two changes at once", () => {
  it("do not share a confirmation: each waits for a put of its own state or a later one", async ({ expect }) => {
    const session = await login();
    const [fcm, voip] = [uniqueToken(), uniqueToken()];
    const held = holdBack();
    let puts = 0;
    await breakDirectory(session, (call, method, args) => {
      puts += 1;
      return puts === 1 ? held.fault(call, method, args) : lost(call, method, args);
    });
    const earlier = session.register({ fcmToken: fcm });
    await held.reached();
    const later = session.register({ voipToken: voip });
    await expect.poll(() => read(session)).toHaveLength(2);
    held.open();
    expect([(await earlier).status, (await later).status]).toEqual([200, 503]);
    expect(puts).toBeGreaterThan(1);
    expect(await shown(session)).toEqual([fcm]);
    await mend(session);
    await ring(session);
    expect((await shown(session)).sort()).toEqual([fcm, voip].sort());
  });
});

describe("the owner object of a token that goes", () => {
  /** What happens, in order: `put` once the directory has confirmed, `forget` as the owner object is told. */
  async function eventsOf(session: TestSession, isAway: () => boolean): Promise<string[]> {
    const events: string[] = [];
    await breakDirectory(session, async (call, method) => {
      if (isAway()) throw connectionLost();
      const outcome = await call();
      events.push(method);
      return outcome;
    });
    await breakOwnersFor("test", session.uid, (call, method) => {
      events.push(method);
      return call();
    });
    return events;
  }

  it("hears of it once the directory has confirmed, not before", async ({ expect }) => {
    const { session } = await registered();
    const events = await eventsOf(session, () => false);
    expect((await session.delete({ all: false })).status).toBe(200);
    await expect.poll(() => events).toEqual(["put", "forget"]);
  });

  it("hears of it after the alarm, where the directory confirmed to nobody else", async ({ expect }) => {
    const { session, token } = await registered();
    let isAway = true;
    const events = await eventsOf(session, () => isAway);
    expect((await session.delete({ all: false })).status).toBe(503);
    isAway = false;
    await ring(session);
    await expect.poll(() => events).toEqual(["put", "forget"]);
    const owners = async () => (await ownerObject("test", token)).owners(await tokenHash("fcm", token));
    await expect.poll(owners).toEqual([]);
  });

  it("hears of an erasure once the directory has confirmed it, not before", async ({ expect }) => {
    const { session } = await registered();
    await breakDirectory(session, lost);
    const { calls } = await breakOwnersFor("test", session.uid, (call) => call());
    expect((await serverCall("DELETE", `/v3/users/${session.uid}`)).status).toBe(503);
    await ring(session);
    expect(calls).toEqual([]);
    await mend(session);
    await ring(session);
    expect(calls).toContain("erase");
  });
});

describe("an erasure that meets a publication", () => {
  const erase = ({ uid }: TestSession) => serverCall("DELETE", `/v3/users/${uid}`);
  /** The user's rows in the directory object. */
  const rows = ({ app, uid }: TestSession) =>
    runInDurableObject(directoryObject(app, uid), (_, { storage }) =>
      storage.sql.exec("SELECT tokens FROM users WHERE uid = ?", uid).toArray(),
    );

  it.for([
    ["the directory has not taken yet", false],
    ["the directory has taken, and not confirmed", true],
  ] as const)("that %s waits for its own, and leaves nothing", async ([, after], { expect }) => {
    const session = await login();
    const held = holdBack({ after });
    await breakDirectory(session, first(1, held.fault));
    const registration = session.register({ fcmToken: uniqueToken(), voipToken: uniqueToken() });
    await held.reached();
    const erasure = erase(session);
    await expect.poll(() => read(session)).toEqual([]);
    held.open();
    expect((await erasure).status).toBe(200);
    expect((await registration).status).toBe(200);
    expect(await rows(session)).toEqual([]);
  });

  it("that comes late leaves nothing either", async ({ expect }) => {
    const session = await login();
    const late: Snapshot[] = [];
    const delayed: Fault = (_, __, [snapshot]) => {
      late.push(snapshot as Snapshot);
      return Promise.reject(connectionLost());
    };
    await breakDirectory(session, first(1, delayed));
    expect((await session.register({ fcmToken: uniqueToken() })).status).toBe(503);
    expect((await erase(session)).status).toBe(200);
    expect(late).toHaveLength(1);
    for (const snapshot of late) {
      expect(await directoryObject("test", session.uid).put(snapshot)).toMatchObject({ ok: false });
    }
    expect(await rows(session)).toEqual([]);
  });
});

describe("an alarm whose change the directory does not confirm", () => {
  it.for([
    ["fails", lost],
    ["is silent", silent],
  ] as const)("never throws, and comes again later each time: the directory %s", async ([, fault], { expect }) => {
    const { session } = await registered();
    await breakDirectory(session, lost);
    await session.delete({ all: false });
    await breakDirectory(session, fault);
    const object = await userObject("test", session.uid);
    const waits: number[] = [];
    const expected = [1, 2, 4, 8, 16, 30, 30].map((n) => n * ALARM_RETRY_MIN_MS);
    expect(expected.at(-1)).toBe(ALARM_RETRY_MAX_MS);
    vi.useFakeTimers({ toFake: ["Date"] });
    for (const _ of expected) {
      const alarm = () => runInDurableObject(object, (instance) => instance.alarm());
      if (fault === silent) expect((await outlasting(PUBLISH_TIMEOUT_MS, alarm)).waits).toBe(1);
      else await alarm();
      const at = Number(await alarmAt(session));
      expect(at % MINUTE_MS).not.toBe(0);
      waits.push(at - Date.now());
    }
    for (const [i, wait] of expected.entries()) {
      expect(waits[i]).toBeGreaterThan(wait - 1000);
      expect(waits[i]).toBeLessThan(wait + 2 * NEAR_ALARM_MS);
    }
    await mend(session);
    await ring(session);
    expect(await shown(session)).toEqual([]);
  });

  it("comes again later each time also where the object loses its memory in between", async ({ expect }) => {
    const { session } = await registered();
    await breakDirectory(session, lost);
    await session.delete({ all: false });
    const expected = [1, 2, 4, 8, 16, 30, 30].map((n) => n * ALARM_RETRY_MIN_MS);
    vi.useFakeTimers({ toFake: ["Date"] });
    for (const wait of expected) {
      const scheduledTime = Number(await alarmAt(session));
      await crash(await userObject("test", session.uid));
      await breakDirectory(session, lost);
      const object = await userObject("test", session.uid);
      await runInDurableObject(object, (instance) => instance.alarm({ isRetry: false, retryCount: 0, scheduledTime }));
      const at = Number(await alarmAt(session)) - Date.now();
      expect(at).toBeGreaterThan(wait - 1000);
      expect(at).toBeLessThan(wait + 2 * NEAR_ALARM_MS);
    }
  });
});
