// One owner per token: what happens to a token when the next user of a phone registers it.
import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, it, vi } from "vitest";
import { tokenHash, tokenOwnersName, userHash } from "../../src/durable/names.ts";
import type { UserTokens } from "../../src/user-tokens/user-tokens.do.ts";
import { login, serverCall, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import {
  breakOwnersFor,
  breakUsersFor,
  failAfter,
  failBefore,
  on,
  platformErrors,
  userObject,
} from "../support/faults.ts";

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
      for (let rounds = 0; rounds < 40; rounds++) {
        const isAfter = acknowledged;
        const tokens = await alice.tokens();
        if (isAfter) seenAfter.push(tokens);
      }
    })();
    expect((await bob.register({ fcmToken: token })).status).toBe(200);
    acknowledged = true;
    await reading;
    expect(seenAfter.length).toBeGreaterThan(0);
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
    const loggingOut = bob.logout();
    await scheduler.wait(50);
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
    const waiting = session.register({ fcmToken: token, platform: "ios" });
    await scheduler.wait(50);
    const loggingOut = session.logout();
    await scheduler.wait(50);
    gate.resolve();
    await loggingOut;
    expect((await Promise.all([first, waiting])).map(({ status }) => status)).toEqual([401, 401]);
    await vi.waitFor(async () => expect(await ownersOnRecord(token)).toEqual([]));
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
    const deleting = bob.delete({ all: false });
    await scheduler.wait(50);
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

describe("takeover limits", () => {
  it("let a session take five tokens an hour from other users, and then say 429 and when to come back", async ({
    expect,
  }) => {
    const taker = await login(undefined, { app: "limited" });
    const victims = await Promise.all(Array.from({ length: 6 }, () => login(undefined, { app: "limited" })));
    const tokens = victims.map(() => uniqueToken());
    for (const [i, victim] of victims.entries()) await victim.register({ fcmToken: tokens[i] });
    for (const token of tokens.slice(0, 5)) expect((await taker.register({ fcmToken: token })).status).toBe(200);
    const last = tokens[5] ?? "";
    const refused = await taker.register({ fcmToken: last });
    expect(refused).toMatchObject({ status: 429, body: { error: { code: "ERR_TOO_MANY_REQUESTS", details: {} } } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(3500);
    expect(await victims[5]?.tokens()).toEqual([last]);
    expect(await taker.tokens()).toEqual([tokens[4]]);
    // A token that is nobody's is no takeover, and after an hour the session may take again.
    expect((await taker.register({ apnsToken: uniqueToken() })).status).toBe(200);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + HOUR_MS + 1000 });
    expect((await taker.register({ fcmToken: last })).status).toBe(200);
  });

  it("let a token change its owner ten times an hour", async ({ expect }) => {
    const token = uniqueToken();
    const first = await login(undefined, { app: "limited" });
    await first.register({ fcmToken: token });
    for (let i = 0; i < 10; i++) {
      const next = await login(undefined, { app: "limited" });
      expect((await next.register({ fcmToken: token })).status).toBe(200);
    }
    const [owner] = await holders(token, "limited");
    const eleventh = await login(undefined, { app: "limited" });
    expect((await eleventh.register({ fcmToken: token })).status).toBe(429);
    expect(await holders(token, "limited")).toEqual([owner]);
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
    const rules = {
      refreshWindowMs: 7 * 24 * HOUR_MS,
      retentionMs: 270 * 24 * HOUR_MS,
      fenceMs: HOUR_MS,
      takeoversPerSession: 9,
      takeoversPerToken: 9,
    };
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
