// One owner per token: what happens to a token when the next user of a phone registers it.
import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, it, vi } from "vitest";
import type { Policy } from "../../src/domain/registration.ts";
import type { ClaimRequest } from "../../src/durable/claims.ts";
import { tokenHash, tokenOwnersName, userHash } from "../../src/durable/names.ts";
import type { UserTokens } from "../../src/user-tokens/user-tokens.do.ts";
import { login, serverCall, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import {
  breakOwnersFor,
  breakUsersFor,
  failAfter,
  failBefore,
  first,
  holdBack,
  on,
  platformErrors,
  userObject,
} from "../support/faults.ts";
import { alarmOf, arrivalOf, pushToken, rulesOf } from "../support/objects.ts";

const HOUR_MS = 3_600_000;

/** The owner object of an FCM token. */
async function ownerObject(token: string, app = "test") {
  return env.TOKEN_OWNERS.getByName(tokenOwnersName(app, await tokenHash("fcm", token)));
}

/** The users on record as owners of an FCM token, as hashes. */
async function ownersOnRecord(token: string, app = "test"): Promise<string[]> {
  const object = await ownerObject(token, app);
  return (await object.owners(await tokenHash("fcm", token))).map(({ user }: { user: string }) => user);
}

/** Who holds a token, as senders are told. */
async function holders(token: string, app = "test"): Promise<string[]> {
  const { body } = await serverCall("POST", "/v3/push_tokens/owner", { body: { token } }, app);
  return body.data.owners.map(({ uid }: { uid: string }) => uid);
}

async function changes(session: TestSession): Promise<{ change: string; session: string; token: string }[]> {
  const { body } = await serverCall("GET", `/v3/users/${session.uid}/export`, {}, session.app);
  return body.data.changes;
}

const isMine = async (session: TestSession) => userHash(session.app, session.uid);

afterEach(() => {
  vi.useRealTimers();
});

describe("a token that another user held", () => {
  it("promise 3: is gone from the previous user before the next one's registration is acknowledged", async ({
    expect,
  }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    let acknowledged = false;
    const seenAfter: string[][] = [];
    const reading = (async () => {
      while (seenAfter.length < 5) {
        const isAfter = acknowledged;
        const tokens = await alice.tokens();
        if (isAfter) seenAfter.push(tokens);
      }
    })();
    expect((await bob.register({ fcmToken: token })).status).toBe(200);
    acknowledged = true;
    await reading;
    expect(seenAfter.flat()).toEqual([]);
    expect(await bob.tokens()).toEqual([token]);
    expect(await ownersOnRecord(token)).toEqual([await isMine(bob)]);
    expect(await holders(token)).toEqual([bob.uid]);
  });

  it("moves while the previous user is offline, and takes only this token", async ({ expect }) => {
    const [alice, tablet] = [await login(), await login()];
    const other = await login(alice.uid);
    const [token, stays] = [uniqueToken(), uniqueToken()];
    await alice.register({ fcmToken: token });
    await other.register({ fcmToken: stays });
    await evictDurableObject(await userObject("test", alice.uid));
    await tablet.register({ fcmToken: token });
    expect(await alice.tokens()).toEqual([stays]);
  });

  it("comes back with the previous user's next launch", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    for (const user of [alice, bob, alice, bob, alice]) await user.register({ fcmToken: token });
    expect(await alice.tokens()).toEqual([token]);
    expect(await bob.tokens()).toEqual([]);
  });

  it("shows in both users' records, with the session and never the token", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    await bob.register({ fcmToken: token });
    const short = (await tokenHash("fcm", token)).slice(0, 8);
    expect((await changes(alice)).at(-1)).toMatchObject({
      change: "taken_by_another_user",
      session: alice.id,
      token: short,
      kind: "fcm",
      platform: "android",
    });
    expect((await changes(bob)).at(-1)).toMatchObject({
      change: "taken_from_another_user",
      session: bob.id,
      token: short,
    });
    expect(JSON.stringify([await changes(alice), await changes(bob)])).not.toContain(token);
  });

  it("is held by one of two users who register it at the same moment, and both are acknowledged", async ({
    expect,
  }) => {
    for (let round = 0; round < 10; round++) {
      const [alice, bob] = [await login(), await login()];
      const token = uniqueToken();
      const replies = await Promise.all([alice.register({ fcmToken: token }), bob.register({ fcmToken: token })]);
      expect(replies.map(({ status }) => status)).toEqual([200, 200]);
      const held = [await alice.tokens(), await bob.tokens()].flat();
      expect(held).toEqual([token]);
      expect(await holders(token)).toHaveLength(1);
    }
  });

  it("moves between three sessions of two users, and is always in one slot", async ({ expect }) => {
    const alice = await login();
    const alicesTablet = await login(alice.uid);
    const bob = await login();
    const token = uniqueToken();
    for (const session of [alice, alicesTablet, bob, alicesTablet, alice, bob, alice]) {
      await session.register({ fcmToken: token });
      expect([...(await alice.tokens()), ...(await bob.tokens())]).toEqual([token]);
      expect(await holders(token)).toEqual([session.uid]);
    }
    const { body } = await serverCall("GET", `/v3/users/${alice.uid}/sessions`);
    expect(body.data.sessions.map(({ id }: { id: string }) => id)).toEqual([alice.id]);
  });

  it("is swapped for another by two users at once, without a deadlock", async ({ expect }) => {
    for (let round = 0; round < 10; round++) {
      const [alice, bob] = [await login(), await login()];
      const [a, b] = [uniqueToken(), uniqueToken()];
      await Promise.all([alice.register({ fcmToken: a }), bob.register({ fcmToken: b })]);
      const replies = await Promise.all([alice.register({ fcmToken: b }), bob.register({ fcmToken: a })]);
      expect(replies.map(({ status }) => status)).toEqual([200, 200]);
      const [alices, bobs] = [await alice.tokens(), await bob.tokens()];
      expect(new Set([...alices, ...bobs]).size).toBe(alices.length + bobs.length);
      expect(alices).not.toContain(a);
      expect(bobs).not.toContain(b);
    }
  });
});

describe("a handover that is interrupted", () => {
  async function handedOver() {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    return { alice, bob, token };
  }

  it("changes nothing and says 503 when the previous user's object cannot be reached; the repeat succeeds", async ({
    expect,
  }) => {
    const { alice, bob, token } = await handedOver();
    const object = await ownerObject(token);
    await breakUsersFor(object, on("release", failBefore(platformErrors.connectionLost)));
    const refused = await bob.register({ fcmToken: token });
    expect(refused).toMatchObject({ status: 503, body: { error: { code: "ERR_OPERATION_FAILED", details: {} } } });
    expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(await alice.tokens()).toEqual([token]);
    expect(await bob.tokens()).toEqual([]);
    expect(await ownersOnRecord(token)).toEqual([await isMine(alice)]);
    await evictDurableObject(object);
    expect((await bob.register({ fcmToken: token })).status).toBe(200);
    expect(await alice.tokens()).toEqual([]);
    expect(await bob.tokens()).toEqual([token]);
  });

  it("after the previous user let go leaves the token with nobody, until the next launch of either", async ({
    expect,
  }) => {
    const { alice, bob, token } = await handedOver();
    const object = await ownerObject(token);
    await breakUsersFor(object, on("release", failAfter(platformErrors.reset)));
    expect((await bob.register({ fcmToken: token })).status).toBe(503);
    expect([...(await alice.tokens()), ...(await bob.tokens())]).toEqual([]);
    await evictDurableObject(object);
    await alice.register({ fcmToken: token });
    expect(await holders(token)).toEqual([alice.uid]);
    await bob.register({ fcmToken: token });
    expect(await holders(token)).toEqual([bob.uid]);
  });

  it("after the claim was granted is not acknowledged, and either user's next launch gets the token", async ({
    expect,
  }) => {
    const { alice, bob, token } = await handedOver();
    await bob.register({ apnsToken: uniqueToken() });
    await breakOwnersFor("test", bob.uid, on("claim", failAfter(platformErrors.connectionLost)));
    expect((await bob.register({ fcmToken: token })).status).toBe(503);
    expect(await alice.tokens()).toEqual([]);
    await evictDurableObject(await userObject("test", bob.uid));
    await bob.register({ fcmToken: token });
    expect(await holders(token)).toEqual([bob.uid]);
  });

  it("by a crash of every object in the middle of it leaves at most one holder, who is the owner on record", async ({
    expect,
  }) => {
    for (let round = 0; round < 10; round++) {
      const { alice, bob, token } = await handedOver();
      const registering = bob.register({ fcmToken: token });
      await scheduler.wait(round);
      await abortAllDurableObjects();
      const { status } = await registering;
      const held = [...(await alice.tokens()), ...(await bob.tokens())];
      expect(held.length).toBeLessThanOrEqual(1);
      if (status === 200) expect(await bob.tokens()).toEqual([token]);
      const [owner] = await ownersOnRecord(token);
      if (held.length === 1) expect(await holders(token)).toHaveLength(1);
      expect([await isMine(alice), await isMine(bob)]).toContain(owner);
      await bob.register({ fcmToken: token });
      expect(await holders(token)).toEqual([bob.uid]);
    }
  });

  it("by the new user's logout is refused, and nobody holds the token", async ({ expect }) => {
    const { alice, bob, token } = await handedOver();
    await bob.register({ apnsToken: uniqueToken() });
    const gate = Promise.withResolvers<void>();
    const granted = Promise.withResolvers<void>();
    await breakOwnersFor(
      "test",
      bob.uid,
      on("claim", async (call) => {
        const outcome = await call();
        granted.resolve();
        await gate.promise;
        return outcome;
      }),
    );
    const registering = bob.register({ fcmToken: token });
    await granted.promise;
    const arrival = arrivalOf("endSession");
    const loggingOut = bob.logout();
    await arrival();
    gate.resolve();
    expect((await registering).body.error.code).toBe("AUTH_ERR_AUTH_TOKEN_NOT_FOUND");
    expect((await loggingOut).status).toBe(200);
    expect(await holders(token)).toEqual([]);
    expect(await alice.tokens()).toEqual([]);
    expect((await bob.register({ fcmToken: token })).status).toBe(401);
    await alice.register({ fcmToken: token });
    expect(await alice.tokens()).toEqual([token]);
  });

  it("by a logout while a registration of the held token waits for its turn leaves no owner entry", async ({
    expect,
  }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token, platform: "android" });
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    await breakOwnersFor(
      "test",
      session.uid,
      on("claim", async (call) => {
        asked.resolve();
        await gate.promise;
        return call();
      }),
    );
    const first = session.register({ apnsToken: uniqueToken() });
    await asked.promise;
    const [second, end] = [arrivalOf("register"), arrivalOf("endSession")];
    const waiting = session.register({ fcmToken: token, platform: "ios" });
    await second();
    const loggingOut = session.logout();
    await end();
    gate.resolve();
    await loggingOut;
    expect((await Promise.all([first, waiting])).map(({ status }) => status)).toEqual([401, 401]);
    await expect.poll(() => ownersOnRecord(token)).toEqual([]);
  });

  it("by the new user's delete of this session is acknowledged, and stores nothing", async ({ expect }) => {
    const { bob, token } = await handedOver();
    await bob.register({ apnsToken: uniqueToken() });
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    await breakOwnersFor(
      "test",
      bob.uid,
      on("claim", async (call) => {
        asked.resolve();
        await gate.promise;
        return call();
      }),
    );
    const registering = bob.register({ fcmToken: token });
    await asked.promise;
    const arrival = arrivalOf("remove");
    const deleting = bob.delete({ all: false });
    await arrival();
    gate.resolve();
    expect((await registering).status).toBe(200);
    expect((await deleting).status).toBe(200);
    expect(await bob.tokens()).toEqual([]);
    expect(await holders(token)).toEqual([]);
  });

  it("does no harm by a release that arrives after the previous user's return", async ({ expect }) => {
    const { alice, bob, token } = await handedOver();
    const releases: unknown[][] = [];
    const object = await ownerObject(token);
    await breakUsersFor(object, async (call, _method, args) => {
      releases.push(args);
      return call();
    });
    await bob.register({ fcmToken: token });
    await alice.register({ fcmToken: token });
    const [released, version] = releases[0] ?? [];
    const user = await userObject("test", alice.uid);
    await runInDurableObject(user, (instance: UserTokens) => instance.release(String(released), Number(version)));
    expect(await alice.tokens()).toEqual([token]);
  });
});

describe("the takeover limit", () => {
  const limited = (uid = uniqueUid()) => login(uid, { app: "limited" });

  /** The user takes one token each from so many others. */
  async function takes(taker: TestSession, count: number): Promise<number[]> {
    const statuses: number[] = [];
    for (let i = 0; i < count; i++) {
      const token = uniqueToken();
      await (await limited()).register({ fcmToken: token });
      statuses.push((await taker.register({ fcmToken: token })).status);
    }
    return statuses;
  }
  const tenTimes200 = Array.from({ length: 10 }, () => 200);

  it("lets a user take ten tokens an hour from other users, and then says 429 and when to come back", async ({
    expect,
  }) => {
    const [taker, victim] = [await limited(), await limited()];
    const token = uniqueToken();
    await victim.register({ fcmToken: token });
    expect(await takes(taker, 10)).toEqual(tenTimes200);
    const [mine] = await taker.tokens();
    const refused = await taker.register({ fcmToken: token });
    expect(refused).toMatchObject({ status: 429, body: { error: { code: "ERR_TOO_MANY_REQUESTS", details: {} } } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(3500);
    expect(await victim.tokens()).toEqual([token]);
    expect(await taker.tokens()).toEqual([mine]);
    // A token that is nobody's is no takeover, and after an hour the user may take again.
    expect((await taker.register({ apnsToken: uniqueToken() })).status).toBe(200);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + HOUR_MS + 1000 });
    expect((await taker.register({ fcmToken: token })).status).toBe(200);
  });

  it("is the user's: no logout, no removal, no new login and no eviction resets it", async ({ expect }) => {
    const uid = uniqueUid();
    const [taker, victim] = [await limited(uid), await limited()];
    const token = uniqueToken();
    await victim.register({ fcmToken: token });
    expect(await takes(taker, 10)).toEqual(tenTimes200);
    await taker.delete();
    expect((await taker.register({ fcmToken: token })).status).toBe(429);
    await taker.delete({ all: true });
    await taker.logout();
    await evictDurableObject(await userObject("limited", uid));
    expect((await (await limited(uid)).register({ fcmToken: token })).status).toBe(429);
    await serverCall("DELETE", `/v3/users/${uid}/sessions`, {}, "limited");
    expect((await (await limited(uid)).register({ fcmToken: token })).status).toBe(429);
    expect(await victim.tokens()).toEqual([token]);
    const { body } = await serverCall("GET", `/v3/users/${uid}/export`, {}, "limited");
    expect(body.data.takeovers).toEqual({ count: 10, until: expect.any(Number) });
  });

  it("is not reset by deletes in between: what was taken and let go of counts", async ({ expect }) => {
    const victim = await limited();
    const taker = await limited();
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) {
      const token = uniqueToken();
      await victim.register({ fcmToken: token });
      statuses.push((await taker.register({ fcmToken: token })).status);
      await taker.delete();
    }
    expect(statuses).toEqual([...tenTimes200, 429, 429]);
  });

  it("never locks the owner out: two accounts in turn, and the owner's every launch takes the token back", async ({
    expect,
  }) => {
    const [victim, mallory, trudy] = [await limited(), await limited(), await limited()];
    const token = uniqueToken();
    // The owner's own limit is used up too.
    expect(await takes(victim, 10)).toEqual(tenTimes200);
    await victim.register({ fcmToken: token });
    const attacks: number[] = [];
    for (let i = 0; i < 30; i++) {
      attacks.push((await (i % 2 === 0 ? mallory : trudy).register({ fcmToken: token })).status);
      if (i % 3 === 2) expect((await victim.register({ fcmToken: token })).status).toBe(200);
    }
    expect(new Set(attacks)).toEqual(new Set([200]));
    expect((await victim.register({ fcmToken: token })).status).toBe(200);
    expect(await victim.tokens()).toEqual([token]);
    expect([...(await mallory.tokens()), ...(await trudy.tokens())]).toEqual([]);
    // Taking back is no takeover, and the one installation is one of the ten that each of the others may take.
    const counts = [victim, mallory, trudy].map(async ({ uid }) => {
      const { body } = await serverCall("GET", `/v3/users/${uid}/export`, {}, "limited");
      return body.data.takeovers.count;
    });
    expect(await Promise.all(counts)).toEqual([10, 1, 1]);
  });

  it("counts an installation once: who comes back after the hour is not kept out by whoever takes it again and again", async ({
    expect,
  }) => {
    const [victim, mallory] = [await limited(), await limited()];
    const token = uniqueToken();
    await victim.register({ fcmToken: token });
    await mallory.register({ fcmToken: token });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + HOUR_MS });
    for (let i = 0; i < 15; i++) {
      expect((await victim.register({ fcmToken: token })).status).toBe(200);
      expect(await holders(token, "limited")).toEqual([victim.uid]);
      if (i === 7) await evictDurableObject(await userObject("limited", victim.uid));
      expect((await mallory.register({ fcmToken: token })).status).toBe(200);
    }
    const { body } = await serverCall("GET", `/v3/users/${victim.uid}/export`, {}, "limited");
    expect(body.data.takeovers).toEqual({ count: 1, until: expect.any(Number) });
    // The others that the victim may take are as many as before.
    expect(await takes(victim, 10)).toEqual([...Array.from({ length: 9 }, () => 200), 429]);
    expect((await victim.register({ fcmToken: token })).status).toBe(200);
  });

  it("is none of the token's: one that goes round many users is refused to nobody", async ({ expect }) => {
    const token = uniqueToken();
    for (let i = 0; i < 15; i++) {
      const next = await limited();
      expect((await next.register({ fcmToken: token })).status).toBe(200);
      expect(await holders(token, "limited")).toEqual([next.uid]);
    }
  });
});

describe("a takeover that keeps nothing in the end", () => {
  async function taking() {
    const [alice, mallory] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    const { fault, reached, open } = holdBack({ after: true });
    await breakOwnersFor("test", mallory.uid, on("claim", fault));
    const registering = mallory.register({ fcmToken: token });
    await reached();
    return { alice, mallory, token, registering, open };
  }

  const endings: [string, number, (mallory: TestSession) => Promise<unknown>][] = [
    ["is deleted by the taker", 200, (mallory) => mallory.delete()],
    ["is deleted with all of the taker's", 200, (mallory) => mallory.delete({ all: true })],
    ["ends with the taker's logout", 401, (mallory) => mallory.logout()],
    ["ends by a back end", 401, ({ uid, id }) => serverCall("DELETE", `/v3/users/${uid}/sessions/${id}`)],
    ["ends with all of the taker's sessions", 401, ({ uid }) => serverCall("DELETE", `/v3/users/${uid}/sessions`)],
  ];
  it.for(endings)(
    "because it %s while the claim is on its way back shows in both users' records",
    async ([, status, end], { expect }) => {
      const { alice, mallory, token, registering, open } = await taking();
      const arrival = arrivalOf("remove", "endSession", "endAllSessions");
      const ending = end(mallory);
      await arrival();
      open();
      await ending;
      expect((await registering).status).toBe(status);
      expect([await alice.tokens(), await holders(token)]).toEqual([[], []]);
      const short = (await tokenHash("fcm", token)).slice(0, 8);
      expect((await changes(alice)).at(-1)).toMatchObject({ change: "taken_by_another_user", token: short });
      const exported = await serverCall("GET", `/v3/users/${mallory.uid}/export`);
      expect(exported).toMatchObject({ status: 200, body: { data: { takeovers: { count: 1 } } } });
      const taken = { change: "taken_from_another_user", token: short, session: mallory.id };
      expect(exported.body.data.changes).toMatchObject([taken]);
      // And the owner's next launch takes it back.
      await alice.register({ fcmToken: token });
      expect(await alice.tokens()).toEqual([token]);
    },
  );

  /** A takeover of whose claim the answer comes too late, once `then` has happened: the taker is told 503, and holds nothing. */
  async function takenTooLate(then: (mallory: TestSession) => Promise<unknown>) {
    const [alice, mallory] = [await login(), await login()];
    const token = uniqueToken();
    const hash = await tokenHash("apns", token);
    await alice.register({ apnsToken: token });
    const { fault, open } = holdBack({ after: true });
    const late = on("claim", async (call, method, args) => {
      const request = args[0] as ClaimRequest;
      if (request.hash === hash) return fault(call, method, args);
      // The claim before it fails, and takes all the time that both have.
      vi.useFakeTimers({ toFake: ["Date"], now: request.until });
      throw platformErrors.overloaded();
    });
    await breakOwnersFor("test", mallory.uid, late);
    const status = (await mallory.register({ fcmToken: uniqueToken(), apnsToken: token })).status;
    await then(mallory);
    const lines = vi.spyOn(console, "log").mockImplementation(() => {});
    open();
    while (!lines.mock.calls.some(([line]) => line.includes("taken from another user"))) await scheduler.wait(2);
    lines.mockRestore();
    const { body } = await serverCall("GET", `/v3/users/${mallory.uid}/export`);
    return { alice, mallory, token, status, exported: body.data };
  }

  const meanwhile: [string, (mallory: TestSession) => Promise<unknown>][] = [
    ["is told 503", async () => undefined],
    ["is told 503 and logs out", (mallory) => mallory.logout()],
  ];
  it.for(meanwhile)(
    "because the taker %s before the claim is answered shows in both users' records, and counts",
    async ([, then], { expect }) => {
      const { alice, mallory, token, status, exported } = await takenTooLate(then);
      expect(status).toBe(503);
      const taken = { change: "taken_from_another_user", session: mallory.id };
      expect(exported).toMatchObject({ takeovers: { count: 1 }, changes: [taken] });
      expect((await changes(alice)).at(-1)).toMatchObject({ change: "taken_by_another_user" });
      expect(await holders(token)).toEqual([]);
      await expect.poll(async () => alarmOf(await userObject("test", mallory.uid))).toBeGreaterThan(Date.now());
    },
  );

  it("because the taker is erased before the claim is answered leaves nothing of the taker", async ({ expect }) => {
    const { alice, status, exported } = await takenTooLate(({ uid }) => serverCall("DELETE", `/v3/users/${uid}`));
    expect(status).toBe(503);
    expect(exported).toMatchObject({ takeovers: null, changes: [] });
    expect((await changes(alice)).at(-1)).toMatchObject({ change: "taken_by_another_user" });
  });

  it("because the taker is erased meanwhile, and is back before the erasure has ended, is in no record of the taker", async ({
    expect,
  }) => {
    const { alice, mallory, registering, open } = await taking();
    const erasing = serverCall("DELETE", `/v3/users/${mallory.uid}`);
    await expect.poll(async () => (await mallory.call("GET", "/v2/tokens")).status).toBe(401);
    const back = await login(mallory.uid);
    const arrival = arrivalOf("register");
    const again = back.register({ apnsToken: uniqueToken() });
    await arrival();
    open();
    expect([(await registering).status, (await erasing).status, (await again).status]).toEqual([401, 200, 200]);
    expect((await changes(back)).map(({ change, session }) => [change, session])).toEqual([["registered", back.id]]);
    expect((await changes(alice)).at(-1)).toMatchObject({ change: "taken_by_another_user" });
  });

  it("because the owner took it back meanwhile shows in both users' records", async ({ expect }) => {
    const { alice, mallory, token, registering, open } = await taking();
    expect((await alice.register({ fcmToken: token })).status).toBe(200);
    open();
    expect((await registering).status).toBe(200);
    expect(await holders(token)).toEqual([alice.uid]);
    expect((await changes(alice)).map(({ change }) => change)).toEqual([
      "registered",
      "taken_by_another_user",
      "taken_from_another_user",
    ]);
    expect((await changes(mallory)).map(({ change }) => change)).toEqual(["taken_from_another_user"]);
  });
});

describe("a registration of several tokens of which one cannot be had", () => {
  it("stores the others and is a success, where another user keeps one for good", async ({ expect }) => {
    const taker = await login(undefined, { app: "limited" });
    for (let i = 0; i < 10; i++) {
      const token = uniqueToken();
      await (await login(undefined, { app: "limited" })).register({ fcmToken: token });
      await taker.register({ fcmToken: token });
    }
    const victim = await login(undefined, { app: "limited" });
    const [contested, mine] = [uniqueToken(), uniqueToken()];
    await victim.register({ fcmToken: contested });
    const [before] = await taker.tokens();
    expect((await taker.register({ fcmToken: contested, apnsToken: mine })).status).toBe(200);
    expect((await taker.tokens()).sort()).toEqual([before, mine].sort());
    expect(await victim.tokens()).toEqual([contested]);
    // Nothing else in the call: then it is refused.
    expect((await taker.register({ fcmToken: contested })).status).toBe(429);
  });

  it.for([
    ["first", "fcmToken", "apnsToken"],
    ["last", "voipToken", "fcmToken"],
  ] as const)(
    "stores the others and says 503 where the %s may be had by a repeat",
    async ([, unavailable, fine], { expect }) => {
      const [alice, bob] = [await login(), await login()];
      const [token, mine] = [uniqueToken(), uniqueToken()];
      const kind = unavailable === "fcmToken" ? "fcm" : "voip";
      await alice.register({ [unavailable]: token });
      const owners = env.TOKEN_OWNERS.getByName(tokenOwnersName("test", await tokenHash(kind, token)));
      await breakUsersFor(owners, on("release", failBefore(platformErrors.connectionLost)));
      const refused = await bob.register({ [unavailable]: token, [fine]: mine });
      expect(refused).toMatchObject({ status: 503, body: { error: { code: "ERR_OPERATION_FAILED" } } });
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(await bob.tokens()).toEqual([mine]);
      expect(await alice.tokens()).toEqual([token]);
      await evictDurableObject(owners);
      expect((await bob.register({ [unavailable]: token, [fine]: mine })).status).toBe(200);
      expect((await bob.tokens()).sort()).toEqual([token, mine].sort());
    },
  );

  it("says 503 though another is kept for good: a repeat can store what is missing", async ({ expect }) => {
    const uid = uniqueUid();
    const object = await userObject("limited", uid);
    const taker = await login(uid, { app: "limited" });
    const [victim, neighbour] = [
      await login(undefined, { app: "limited" }),
      await login(undefined, { app: "limited" }),
    ];
    const [contested, silent] = [uniqueToken(), uniqueToken()];
    await victim.register({ fcmToken: contested });
    await neighbour.register({ apnsToken: silent });
    for (let i = 0; i < 10; i++) {
      const token = uniqueToken();
      await (await login(undefined, { app: "limited" })).register({ voipToken: token });
      await taker.register({ voipToken: token });
    }
    const refusedClaim = async (call: () => Promise<unknown>, _: string, args: unknown[]) => {
      const { hash } = args[0] as { hash: string };
      if (hash === (await tokenHash("apns", silent))) throw platformErrors.connectionLost();
      return call();
    };
    await breakOwnersFor("limited", uid, on("claim", refusedClaim));
    expect((await taker.register({ fcmToken: contested, apnsToken: silent })).status).toBe(503);
    expect((await object.export()).registrations).toHaveLength(1);
  });
});

describe("policy shared", () => {
  it("lets several users hold one token, and names them all", async ({ expect }) => {
    const [alice, bob] = [await login(undefined, { app: "shared" }), await login(undefined, { app: "shared" })];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    await bob.register({ fcmToken: token });
    expect(await alice.tokens()).toEqual([token]);
    expect(await bob.tokens()).toEqual([token]);
    expect(new Set(await holders(token, "shared"))).toEqual(new Set([alice.uid, bob.uid]));
    await alice.logout();
    expect(await holders(token, "shared")).toEqual([bob.uid]);
  });

  it("stores rows that count as not held once the policy is exclusive, until their next registration", async ({
    expect,
  }) => {
    const [alice, bob] = [uniqueUid(), uniqueUid()];
    const token = uniqueToken();
    const hash = await tokenHash("fcm", token);
    const rules = rulesOf("test");
    const request = (uid: string, policy: "shared" | "exclusive") => ({
      uid,
      session: { id: `${uid}-phone`, issuedAt: null, usableUntil: null },
      tokens: [{ kind: "fcm" as const, token, hash, platform: "android" as const, labels: {} }],
      rules: { ...rules, policy },
    });
    const [alices, bobs] = [await userObject("test", alice), await userObject("test", bob)];
    await alices.register(request(alice, "shared"));
    await bobs.register(request(bob, "shared"));
    await alices.register(request(alice, "exclusive"));
    const list = async (object: typeof alices) => {
      const outcome = await object.list({ session: null, retentionMs: rules.retentionMs });
      return outcome.ok ? outcome.registrations.map((row: { token: string }) => row.token) : [];
    };
    expect(await list(alices)).toEqual([token]);
    expect(await list(bobs)).toEqual([]);
  });
});

describe("a policy that changes", () => {
  /** Users of one token, who register it under whatever policy. */
  async function users() {
    const token = uniqueToken();
    const hash = await tokenHash("fcm", token);
    const user = async () => {
      const uid = uniqueUid();
      const object = await userObject("test", uid);
      const request = (policy: Policy) => ({
        uid,
        session: { id: `${uid}-phone`, issuedAt: null, usableUntil: null },
        tokens: [{ kind: "fcm" as const, token, hash, platform: "android" as const, labels: {} }],
        rules: { ...rulesOf("test"), policy },
      });
      return {
        uid,
        register: async (policy: Policy) => object.register(request(policy)),
        holds: async () => (await object.export()).registrations.length === 1,
      };
    };
    return { token, alice: await user(), dave: await user(), erin: await user() };
  }

  it("exclusive, shared, exclusive: the next exclusive registration is the only one left", async ({ expect }) => {
    const { token, alice, dave } = await users();
    await alice.register("exclusive");
    await dave.register("shared");
    expect([await alice.holds(), await dave.holds()]).toEqual([true, true]);
    expect(await alice.register("exclusive")).toMatchObject({ ok: true, changed: true });
    expect([await alice.holds(), await dave.holds()]).toEqual([true, false]);
    expect(await ownersOnRecord(token)).toEqual([await userHash("test", alice.uid)]);
    // Now the claim is the only one again: the next launch is free.
    expect(await alice.register("exclusive")).toMatchObject({ ok: true, changed: false });
  });

  it("back and forth in any order leaves one holder after an exclusive registration", async ({ expect }) => {
    const { token, alice, dave, erin } = await users();
    const steps: [typeof alice, Policy][] = [
      [alice, "shared"],
      [dave, "exclusive"],
      [erin, "shared"],
      [alice, "shared"],
      [dave, "shared"],
      [dave, "exclusive"],
      [alice, "shared"],
      [dave, "shared"],
      [alice, "exclusive"],
      [dave, "exclusive"],
      [alice, "shared"],
      [dave, "exclusive"],
    ];
    for (const [user, policy] of steps) {
      expect(await user.register(policy)).toMatchObject({ ok: true, contested: [] });
      expect(await user.holds()).toBe(true);
      if (policy === "shared") continue;
      const held = await Promise.all([alice, dave, erin].map((each) => each.holds()));
      expect(held.filter(Boolean)).toHaveLength(1);
      expect(await ownersOnRecord(token)).toEqual([await userHash("test", user.uid)]);
    }
  });

  it("to shared while an exclusive registration is on its way: it counts as shared from the start", async ({
    expect,
  }) => {
    const { alice, dave } = await users();
    const { fault, reached, open } = holdBack({ after: true });
    await breakOwnersFor("test", alice.uid, on("claim", fault));
    const registering = alice.register("exclusive");
    await reached();
    expect(await dave.register("shared")).toMatchObject({ ok: true });
    open();
    expect(await registering).toMatchObject({ ok: true });
    expect([await alice.holds(), await dave.holds()]).toEqual([true, true]);
    await breakOwnersFor("test", alice.uid, (call) => call());
    expect(await alice.register("exclusive")).toMatchObject({ ok: true, changed: true });
    expect([await alice.holds(), await dave.holds()]).toEqual([true, false]);
  });

  it("to shared while an exclusive registration moves a held token: it counts as shared too", async ({ expect }) => {
    const phone = await login();
    const tablet = await login(phone.uid);
    const token = uniqueToken();
    await phone.register({ fcmToken: token });
    const { fault, reached, open } = holdBack();
    await breakOwnersFor("test", phone.uid, on("claim", first(1, fault)));
    const moving = tablet.register({ fcmToken: token, apnsToken: uniqueToken() });
    await reached();
    const dave = uniqueUid();
    const object = await userObject("test", dave);
    const tokens = [await pushToken(token)];
    const session = { id: "dave's", issuedAt: null, usableUntil: null };
    await object.register({ uid: dave, session, tokens, rules: { ...rulesOf("test"), policy: "shared" } });
    open();
    expect((await moving).status).toBe(200);
    expect((await holders(token)).sort()).toEqual([dave, phone.uid].sort());
    expect((await tablet.register({ fcmToken: token })).status).toBe(200);
    expect(await holders(token)).toEqual([phone.uid]);
  });

  it("to exclusive with a hundred users of one token: 503 until they have let go, in bounded steps", async ({
    expect,
  }) => {
    const token = uniqueToken();
    for (let i = 0; i < 100; i++) await (await login(undefined, { app: "shared" })).register({ fcmToken: token });
    const owner = await login(undefined, { app: "shared" });
    const object = await userObject("shared", owner.uid);
    const request = {
      uid: owner.uid,
      session: { id: owner.id, issuedAt: null, usableUntil: null },
      tokens: [await pushToken(token)],
      rules: { ...rulesOf("shared"), policy: "exclusive" as const },
    };
    const outcomes: string[] = [];
    for (let i = 0; i < 5 && outcomes.at(-1) !== "held"; i++) {
      const outcome = await object.register(request);
      if (outcome.ok) outcomes.push(outcome.held.length === 1 ? "held" : String(outcome.contested[0]?.reason));
    }
    expect(outcomes).toEqual(["unavailable", "unavailable", "held"]);
    expect(await holders(token, "shared")).toEqual([owner.uid]);
    expect(await ownersOnRecord(token, "shared")).toHaveLength(1);
  });
});

describe("the number of calls and rows", () => {
  it("is one call of the user's object and none of an owner object for an unchanged launch", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const { calls } = await breakOwnersFor("test", session.uid, (call) => call());
    await session.register({ fcmToken: token });
    expect(calls).toEqual([]);
  });

  it("is one claim for a new token of a known user", async ({ expect }) => {
    const session = await login();
    await session.register({ fcmToken: uniqueToken() });
    const { calls } = await breakOwnersFor("test", session.uid, (call) => call());
    await session.register({ apnsToken: uniqueToken() });
    expect(calls).toEqual(["claim"]);
  });
});
