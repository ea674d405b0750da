// The object of a user by itself: its limits, and what it leaves behind.
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, it, vi } from "vitest";
import type { Session } from "../../src/domain/registration.ts";
import {
  CHANGES_KEPT_MS,
  COLLECT_EVERY_MS,
  DAY_MS,
  FENCES_MAX,
  HOUR_MS,
  MINUTE_MS,
  REGISTRATIONS_PER_USER_MAX,
  TOKEN_BYTES_PER_USER_MAX,
  TOKEN_LENGTH_MAX,
  UNDATED_FENCES_MAX,
} from "../../src/limits.ts";
import { forge } from "../support/auth-tokens.ts";
import { login, serverCall, uniqueToken, uniqueUid } from "../support/client.ts";
import { chatSession } from "../support/cometchat.ts";
import { alarmOf, ownerObject, pushToken, rulesOf, tablesIn, tablesOf, userObject } from "../support/objects.ts";

const rules = rulesOf("test");

const session = (id: string, issuedAt: number | null = null): Session => ({ id, issuedAt, usableUntil: null });

function setClock(now: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now });
}

afterEach(() => {
  vi.useRealTimers();
});

describe("the limit of registrations", () => {
  it("makes the session give way that was refreshed longest ago, whole, and may be back at once", async ({
    expect,
  }) => {
    const uid = uniqueUid();
    const object = await userObject("test", uid);
    const start = Date.now();
    const register = async (id: string, ...tokens: string[]) =>
      object.register({
        uid,
        session: session(id),
        tokens: await Promise.all(tokens.map((token, i) => pushToken(token, i === 0 ? "fcm" : "voip"))),
        rules,
      });
    const held = async () => (await object.export()).registrations.map((row) => row.session);

    setClock(start);
    await register("first", `${uid}-first`);
    setClock(start + 1000);
    await register("second", `${uid}-second`, `${uid}-second`);
    for (let i = 3; i < REGISTRATIONS_PER_USER_MAX; i++) {
      setClock(start + i * 1000);
      await register(`${i}`, `${uid}-${i}`);
    }
    expect(await held()).toHaveLength(REGISTRATIONS_PER_USER_MAX);
    // The first session launches again, after the refresh window: now the second is the one refreshed longest ago.
    setClock(start + rules.refreshWindowMs + 1000);
    await register("first", `${uid}-first`);
    await register("new", `${uid}-new`);
    expect(await held()).toHaveLength(REGISTRATIONS_PER_USER_MAX - 1);
    expect(await held()).toEqual(expect.arrayContaining(["first", "new", "3"]));
    expect(await held()).not.toContain("second");
    const { hash } = await pushToken(`${uid}-second`);
    const owners = await ownerObject("test", `${uid}-second`);
    await expect.poll(() => owners.owners(hash)).toEqual([]);

    expect(await register("second", `${uid}-second`, `${uid}-second`)).toMatchObject({ ok: true });
    expect(await held()).toHaveLength(REGISTRATIONS_PER_USER_MAX);
    expect(await held()).toEqual(expect.arrayContaining(["second", "first", "new"]));
    expect(await held()).not.toContain("3");
  });
});

describe("the limit of bytes", () => {
  const long = (name: string) => name.padEnd(TOKEN_LENGTH_MAX, "x");

  it("makes the session give way that was refreshed longest ago, also where registrations are few", async ({
    expect,
  }) => {
    const uid = uniqueUid();
    const object = await userObject("test", uid);
    const start = Date.now();
    const register = async (at: number, id: string, labels: object = {}) => {
      setClock(start + at * 1000);
      const token = { ...(await pushToken(long(`${uid}-${id}-`))), labels };
      return await object.register({ uid, session: session(id), tokens: [token], rules });
    };
    const held = async () => (await object.export()).registrations.map((row) => row.session);
    const fit = Math.floor(TOKEN_BYTES_PER_USER_MAX / (TOKEN_LENGTH_MAX + "{}".length));
    for (let i = 0; i < fit; i++) await register(i, `${i}`);
    expect(await held()).toHaveLength(fit);
    // The first session launches again, after the refresh window: now the second is the one refreshed longest ago.
    const later = rules.refreshWindowMs / 1000 + 10;
    await register(later, "0");
    expect(await register(later + 1, "new")).toMatchObject({ ok: true, held: [{ kind: "fcm" }] });
    expect(await held()).toHaveLength(fit);
    expect(await held()).toEqual(expect.arrayContaining(["0", "new", "2"]));
    expect(await held()).not.toContain("1");
    expect((await object.export()).changes.at(-1)).toMatchObject({ change: "evicted", session: "1" });
    const { hash } = await pushToken(long(`${uid}-1-`));
    const owners = await ownerObject("test", long(`${uid}-1-`));
    await expect.poll(() => owners.owners(hash)).toEqual([]);

    // Labels count too.
    const label = "l".repeat(100);
    await register(later + 2, "labelled", { providerId: label, timezone: label });
    const { registrations } = await object.export();
    const bytes = registrations.map(({ token, labels }) => token.length + JSON.stringify(labels).length);
    expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(TOKEN_BYTES_PER_USER_MAX);
    expect(await held()).toContain("labelled");
  });

  it("takes as many sessions as it needs, whole, and never the one that registers", async ({ expect }) => {
    const uid = uniqueUid();
    const object = await userObject("test", uid);
    const start = Date.now();
    const register = async (at: number, id: string) => {
      setClock(start + at * 1000);
      const kinds = ["fcm", "apns", "voip"] as const;
      const tokens = await Promise.all(kinds.map((kind) => pushToken(long(`${uid}-${id}-${kind}-`), kind)));
      await object.register({ uid, session: session(id), tokens, rules });
    };
    for (let i = 0; i < 40; i++) await register(i, `${i}`);
    const { registrations } = await object.export();
    const sessions = [...new Set(registrations.map((row) => Number(row.session)))].sort((a, b) => a - b);
    const fit = Math.floor(TOKEN_BYTES_PER_USER_MAX / (3 * (TOKEN_LENGTH_MAX + "{}".length)));
    expect(sessions).toEqual(Array.from({ length: fit }, (_, i) => 40 - fit + i));
    expect(registrations).toHaveLength(3 * fit);
  });
});

describe("a registration that is already there", () => {
  async function registered(over: Partial<typeof rules> = {}) {
    const uid = uniqueUid();
    const object = await userObject("test", uid);
    const token = await pushToken(`${uid}-token`);
    const again = async (change: object = {}, changedRules: object = {}) => {
      const request = { uid, session: session("phone"), tokens: [{ ...token, ...change }] };
      const outcome = await object.register({ ...request, rules: { ...rules, ...changedRules } });
      return outcome.ok && outcome.changed;
    };
    await again({}, over);
    return { object, token, again };
  }

  it("is not written again", async ({ expect }) => {
    const { again } = await registered();
    expect(await again()).toBe(false);
  });

  it("is written with another platform, once", async ({ expect }) => {
    const { again } = await registered();
    expect(await again({ platform: "web" })).toBe(true);
    expect(await again({ platform: "web" })).toBe(false);
    expect(await again()).toBe(true);
  });

  it.for([
    ["provider", { providerId: "another" }],
    ["time zone", { timezone: "Asia/Kolkata" }],
    ["text with quotes, escapes and other scripts", { providerId: '"\\\n\u0001é😀\ud800' }],
  ] as const)(
    "is written with another %s, once, and keeps it where a launch does not state it",
    async ([, labels], { expect }) => {
      const { object, again } = await registered();
      const stored = async () => (await object.export()).registrations[0]?.labels;
      expect(await again({ labels })).toBe(true);
      expect(await again({ labels })).toBe(false);
      expect(await again({ labels: {} })).toBe(false);
      expect(await again({ labels: { providerId: undefined } })).toBe(false);
      expect(await stored()).toEqual(labels);
      expect(await again({ labels: Object.fromEntries(Object.keys(labels).map((label) => [label, null])) })).toBe(true);
      expect(await stored()).toEqual({});
    },
  );

  it("is written once a provider reported trouble, and clears that", async ({ expect }) => {
    const { object, token, again } = await registered();
    const report = {
      kind: token.kind,
      hash: token.hash,
      token: token.token,
      code: "UNREGISTERED",
      verdict: "dead",
      at: Date.now(),
    } as const;
    expect(await object.feedback([report], rules.refreshWindowMs)).toMatchObject([{ outcome: "suspect" }]);
    expect(await again()).toBe(true);
    expect(await again()).toBe(false);
  });

  it("is written at the end of the refresh window, and not before", async ({ expect }) => {
    const start = Date.now();
    setClock(start);
    const { again } = await registered();
    setClock(start + rules.refreshWindowMs - 1);
    expect(await again()).toBe(false);
    setClock(start + rules.refreshWindowMs);
    expect(await again()).toBe(true);
  });

  it("of policy shared is claimed under exclusive, and stands under shared", async ({ expect }) => {
    const { again } = await registered({ policy: "shared" });
    expect(await again({}, { policy: "shared" })).toBe(false);
    expect(await again()).toBe(true);
    expect(await again()).toBe(false);
  });
});

describe("the limit of fences", () => {
  it("gives way to tokens_valid_from, so that every session that ended stays out", async ({ expect }) => {
    const object = await userObject("test", uniqueUid());
    const start = Date.now() - 3_600_000;
    const ended = Array.from({ length: FENCES_MAX + 5 }, (_, i) => session(`ended-${i}`, start + i));
    const later = session("never-ended", start + FENCES_MAX + 100);
    await runInDurableObject(object, async (instance) => {
      for (const { id, issuedAt } of ended) {
        const fence = { ms: rules.fenceMs, open: false };
        await instance.endSession({ session: id, issuedAt, fence, trustedTime: true });
      }
    });
    const { fences, validFrom } = await object.export();
    expect(fences).toHaveLength(FENCES_MAX);
    expect(validFrom).toBe(start + 4);
    await evictDurableObject(object);
    await runInDurableObject(object, (instance) => {
      for (const each of ended) expect(instance.check(each).ok).toBe(false);
      expect(instance.check(later)).toEqual({ ok: true });
    });
  });

  it("is not reached by fences that are over, though no alarm has collected them", async ({ expect }) => {
    const object = await userObject("test", uniqueUid());
    const start = Date.now();
    setClock(start);
    const fence = (id: string, ms: number) =>
      object.endSession({ session: id, issuedAt: start, fence: { ms, open: false }, trustedTime: true });
    await fence("for-long", 1000 * DAY_MS);
    for (let i = 1; i < FENCES_MAX; i++) await fence(`short-${i}`, DAY_MS);
    setClock(start + 2 * DAY_MS);
    await fence("later", DAY_MS);
    const { fences, validFrom } = await object.export();
    expect(fences.map((each) => each.session).sort()).toEqual(["for-long", "later"]);
    expect(validFrom).toBe(0);
  });
});

describe("the limit of fences where no time stands in for one", () => {
  /** A user with so many ended sessions, `ended-0` and on; the fence of each ends a second after the one before. */
  async function withFences(count: number, start: number) {
    const uid = uniqueUid();
    const object = await userObject("chat", uid);
    await object.endSession({ session: "ended-0", issuedAt: null, fence: { ms: DAY_MS, open: false } });
    await runInDurableObject(object, (_, { storage }) => {
      storage.sql.exec(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
         INSERT INTO facts SELECT 'fence', 'ended-' || i, json_array(0, ?, json('false')), ? + i * 1000 FROM n`,
        count - 1,
        start,
        start + DAY_MS,
      );
    });
    await evictDurableObject(object);
    const end = (id: string, ms: number, more: object = {}) =>
      object.endSession({ session: id, issuedAt: null, fence: { ms, open: false }, ...more });
    const register = async (id: string, token: string) =>
      object.register({ uid, session: session(id), tokens: [await pushToken(token)], rules: rulesOf("chat") });
    return { uid, object, end, register };
  }
  const SHUT = { ok: false, reason: "unavailable" };
  const ENDED = { ok: false, reason: "ended" };

  const chatRules = rulesOf("chat");
  it.for<[string, { trustedTime?: boolean; sessionsOutliveTokens?: boolean }, typeof chatRules]>([
    ["auth tokens without a time", {}, chatRules],
    [
      "sessions that get new auth tokens",
      { trustedTime: true, sessionsOutliveTokens: true },
      { ...chatRules, fenceMs: DAY_MS, sessionMs: DAY_MS },
    ],
  ])("is bounded for %s too, and no session that ended ever registers", async ([, ending, itsRules], { expect }) => {
    const start = Date.now();
    setClock(start);
    const { uid, object, end, register } = await withFences(UNDATED_FENCES_MAX - 1, start);
    expect(await register("holds", `${uid}-1`)).toMatchObject({ ok: true });
    await end("last", 10 * DAY_MS, ending);
    expect(await register("new", `${uid}-2`)).toMatchObject({ ok: true });
    await object.remove({ session: session("new"), all: false });

    // One too many: the fence that ends soonest gives way, and nobody knows its session any more.
    await end("too-many", 10 * DAY_MS, ending);
    const { fences, validFrom } = await object.export();
    expect(fences).toHaveLength(UNDATED_FENCES_MAX);
    expect(validFrom).toBe(0);
    for (const id of ["ended-1", "last", "too-many"]) expect(await register(id, `${uid}-3`)).toEqual(ENDED);
    expect(await register("ended-0", `${uid}-3`)).toEqual(SHUT);
    expect(await register("new", `${uid}-3`)).toEqual(SHUT);
    expect(await register("holds", `${uid}-4`)).toMatchObject({ ok: true });
    // Not after an eviction or an erasure either.
    await evictDurableObject(object);
    expect(await register("ended-0", `${uid}-3`)).toEqual(SHUT);
    await object.erase({ uid, rules: itsRules, ...ending });
    expect(await register("ended-0", `${uid}-3`)).toEqual(SHUT);
    // Until no auth token of it can live.
    setClock(start + DAY_MS + 60_000);
    expect(await register("newer", `${uid}-5`)).toMatchObject({ ok: true });
  });

  it("leaves nothing to read or to empty for a session that may be one of those that ended", async ({ expect }) => {
    const start = Date.now();
    setClock(start);
    const { uid, object, end, register } = await withFences(UNDATED_FENCES_MAX, start);
    expect(await register("holds", `${uid}-1`)).toMatchObject({ ok: true });
    await end("too-many", 10 * DAY_MS);
    const reading = { session: session("ended-0"), retentionMs: rules.retentionMs };
    expect(await object.tokens(reading)).toEqual(SHUT);
    expect(await object.list(reading)).toEqual(SHUT);
    expect(await object.check(reading.session)).toEqual(SHUT);
    expect(await object.remove({ session: reading.session, all: true })).toEqual(SHUT);
    expect(await object.remove({ session: reading.session, all: false })).toEqual({ ok: true, removed: 0 });
    expect(await object.tokens({ ...reading, session: session("holds") })).toMatchObject({ ok: true, tokens: [{}] });
  });

  it("drops no fence of a session that holds something: a reconciliation may leave that", async ({ expect }) => {
    const start = Date.now();
    setClock(start);
    const { uid, object, end, register } = await withFences(UNDATED_FENCES_MAX - 1, start);
    await register("restored", `${uid}-1`);
    await runInDurableObject(object, (_, { storage }) => {
      const value = JSON.stringify([0, start, false]);
      storage.sql.exec("INSERT INTO facts VALUES ('fence', 'restored', ?, ?)", value, start + DAY_MS - 1000);
    });
    await evictDurableObject(object);
    await end("too-many", 10 * DAY_MS);
    expect(await register("restored", `${uid}-2`)).toEqual(ENDED);
    expect(await register("ended-0", `${uid}-2`)).toEqual(SHUT);
  });

  it("is over once CometChat accepts no auth token of that time any more", async ({ expect }) => {
    const start = Date.now();
    setClock(start);
    const { uid, object } = await withFences(UNDATED_FENCES_MAX, start);
    await object.endSession({ session: "too-many", issuedAt: null, fence: { ms: 10 * DAY_MS, open: false } });
    const sessions = `/v3/users/${uid}/sessions`;
    expect((await serverCall("DELETE", sessions, { body: {} }, "chat")).status).toBe(200);
    const phone = await chatSession({ uid });
    expect((await phone.register({ fcmToken: uniqueToken() })).status).toBe(503);
    const flushed = await serverCall("DELETE", sessions, { body: { authTokensFlushed: true } }, "chat");
    expect(flushed.status).toBe(200);
    setClock(start + 3 * HOUR_MS);
    expect((await (await chatSession({ uid })).register({ fcmToken: uniqueToken() })).status).toBe(200);
    const other = await serverCall("DELETE", sessions, { body: { authTokensFlushed: true } }, "test");
    expect(other.body.error).toMatchObject({
      code: "ERR_BAD_REQUEST",
      details: { authTokensFlushed: [expect.any(String)] },
    });
  });

  it("is counted by the Worker for the sessions of each identity", async ({ expect }) => {
    const start = Date.now();
    const chat = await withFences(UNDATED_FENCES_MAX, start);
    const phone = await chatSession({ uid: chat.uid });
    await phone.register({ fcmToken: uniqueToken() });
    await phone.logout();
    expect((await chat.object.export()).fences).toHaveLength(UNDATED_FENCES_MAX);
    const late = await (await chatSession({ uid: chat.uid })).register({ fcmToken: uniqueToken() });
    expect(late).toMatchObject({ status: 503, body: { error: { code: "ERR_OPERATION_FAILED" } } });
    // Minted auth tokens carry a time.
    const client = await login();
    const object = await userObject("test", client.uid);
    await runInDurableObject(object, async (instance) => {
      for (let i = 0; i < FENCES_MAX; i++) {
        const fence = { ms: rules.fenceMs, open: false };
        await instance.endSession({ session: `${i}`, issuedAt: start - i, fence, trustedTime: true });
      }
    });
    await client.logout();
    expect(await object.export()).toMatchObject({ validFrom: start - FENCES_MAX + 1 });
    expect((await (await login(client.uid)).register({ fcmToken: uniqueToken() })).status).toBe(200);
  });
});

describe("promise 8: a probe leaves nothing", () => {
  it("after reads and removals for 1,000 users who have nothing", { timeout: 240_000 }, async ({ expect }) => {
    const uids = Array.from({ length: 1000 }, uniqueUid);
    const left: string[] = [];
    for (let i = 0; i < uids.length; i += 100) {
      const some = uids.slice(i, i + 100);
      const { body } = await serverCall("POST", "/v3/push_tokens/lookup", { body: { uids: some } });
      expect(body.data.errors).toEqual([]);
      await Promise.all(
        some.map(async (uid, j) => {
          expect((await (await forge({ uid })).delete({ all: j % 2 === 0 })).status).toBe(200);
          await runInDurableObject(await userObject("test", uid), async (_, { storage }) => {
            left.push(...tablesIn(storage));
            if ((await storage.getAlarm()) !== null) left.push(`alarm of ${uid}`);
          });
        }),
      );
    }
    expect(left).toEqual([]);
  });

  it("whatever is asked about the user, and whatever is removed", async ({ expect }) => {
    const uid = uniqueUid();
    const client = await login(uid);
    const calls = [
      await client.call("GET", "/v2/tokens"),
      await client.call("GET", "/v3.0/me"),
      await client.call("GET", "/v3.0/settings"),
      await client.delete(),
      await client.delete({ all: true }),
      await serverCall("GET", `/v3/users/${uid}/push_tokens`),
      await serverCall("GET", `/v3/users/${uid}/sessions`),
      await serverCall("POST", "/v3/push_tokens/feedback", {
        body: { items: [{ token: "unknown", kind: "fcm", code: "UNREGISTERED", uid }] },
      }),
    ];
    expect(calls.map(({ status }) => status)).toEqual(calls.map(() => 200));
    expect((await serverCall("GET", `/v3/users/${uid}/export`)).status).toBe(404);
    const object = await userObject("test", uid);
    expect(await tablesOf(object)).toEqual([]);
    expect(await runInDurableObject(object, (_, state) => state.storage.getAlarm())).toBeNull();
  });

  it("and a user whose last registration, fence and record are over leaves an empty object", async ({ expect }) => {
    const start = Date.now();
    setClock(start);
    const client = await login(undefined, { lifetimeSeconds: 3600 });
    const token = uniqueToken();
    await client.register({ fcmToken: token });
    const sibling = await login(client.uid);
    await sibling.register({ fcmToken: uniqueToken() });
    await sibling.logout();
    const object = await userObject("test", client.uid);
    const state = async () => ({
      tables: await tablesOf(object),
      alarm: await alarmOf(object),
    });
    // Each alarm sleeps until something is over, and the last one leaves nothing.
    let runs = 0;
    for (let at = await state(); at.alarm !== null && runs < 10; at = await state()) {
      expect(at.alarm % MINUTE_MS).toBe(0);
      expect(at.alarm).toBeGreaterThan(Date.now());
      expect(at.tables).toEqual(["facts", "registrations"]);
      setClock(at.alarm);
      await runDurableObjectAlarm(object);
      runs += 1;
    }
    expect(await state()).toEqual({ tables: [], alarm: null });
    const end = start + rules.retentionMs + CHANGES_KEPT_MS;
    expect(Date.now()).toBeGreaterThanOrEqual(end);
    expect(Date.now()).toBeLessThanOrEqual(end + 2 * DAY_MS);
    // The first after the record's time, then one per collection, and one for the record of the last registration's end.
    expect(runs).toBeLessThanOrEqual(2 + Math.ceil(rules.retentionMs / COLLECT_EVERY_MS));

    // And begins anew, as an object that never was.
    setClock(Date.now());
    const again = await login(client.uid);
    expect((await again.register({ fcmToken: token })).status).toBe(200);
    expect(await again.tokens()).toEqual([token]);
  });
});

describe("the alarm", () => {
  it("is set by the first write, to a whole minute within the time that records are kept, and not moved", async ({
    expect,
  }) => {
    const client = await login();
    await client.register({ fcmToken: uniqueToken() });
    const first = await alarmOf(await userObject("test", client.uid));
    expect(Number(first) % MINUTE_MS).toBe(0);
    expect(first).toBeGreaterThan(Date.now());
    expect(first).toBeLessThanOrEqual(Date.now() + CHANGES_KEPT_MS + DAY_MS);
    await client.register({ fcmToken: uniqueToken() });
    await client.logout();
    expect(await alarmOf(await userObject("test", client.uid))).toBe(first);
  });

  it("is not moved by a change with which the object wakes", async ({ expect }) => {
    const client = await login();
    await client.register({ fcmToken: uniqueToken() });
    const object = await userObject("test", client.uid);
    await alarmOf(object);
    await runDurableObjectAlarm(object);
    // Much later than that of an object that was just written to for the first time.
    const before = await alarmOf(object);
    expect(before).toBeGreaterThan(Date.now() + CHANGES_KEPT_MS + 2 * DAY_MS);
    for (const change of [() => client.register({ fcmToken: uniqueToken() }), () => client.delete()]) {
      await evictDurableObject(object);
      expect((await change()).status).toBe(200);
      expect(await alarmOf(object)).toBe(before);
    }
  });

  it("is at another minute of the day for another user, and the same one for the same", async ({ expect }) => {
    const minutes = new Map<string, Set<number>>();
    for (let i = 0; i < 20; i++) {
      const uid = uniqueUid();
      const client = await login(uid);
      await client.register({ fcmToken: uniqueToken() });
      const object = await userObject("test", uid);
      const seen = new Set<number>();
      for (let run = 0; run < 3; run++) {
        const at = Number(await alarmOf(object));
        seen.add((at % DAY_MS) / MINUTE_MS);
        await runDurableObjectAlarm(object);
      }
      minutes.set(uid, seen);
    }
    for (const seen of minutes.values()) expect(seen.size).toBe(1);
    const different = new Set([...minutes.values()].flatMap((seen) => [...seen]));
    for (const minute of different) expect(Number.isInteger(minute)).toBe(true);
    // 20 of 1,440: that 4 or more coincide happens once in 100,000 runs.
    expect(different.size).toBeGreaterThan(16);
  });

  it("that runs early or twice removes nothing that is not over", async ({ expect }) => {
    const client = await login();
    const token = uniqueToken();
    await client.register({ fcmToken: token });
    const ended = await login(client.uid);
    await ended.logout();
    const object = await userObject("test", client.uid);
    const before = await object.export();
    for (let i = 0; i < 3; i++) await runDurableObjectAlarm(object);
    expect(await object.export()).toEqual(before);
    expect((await ended.register({ fcmToken: token })).status).toBe(401);
    expect(await alarmOf(await userObject("test", client.uid))).toBeGreaterThan(Date.now());
  });
});
