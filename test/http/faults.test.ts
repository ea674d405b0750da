import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, it, vi } from "vitest";
import { tokenHash, tokenOwnersName } from "../../src/durable/names.ts";
import {
  ALARM_LATE_MS,
  DAY_MS,
  OBJECT_TIMEOUT_MS,
  OVERLOAD_RETRY_AFTER_SECONDS,
  RELEASE_TIMEOUT_MS,
  RETRY_AFTER_SECONDS,
} from "../../src/limits.ts";
import { login, uniqueToken } from "../support/client.ts";
import {
  breakOwnersFor,
  breakUsersFor,
  callWith,
  type Fault,
  failAfter,
  failBefore,
  first,
  on,
  outlasting,
  platformErrors,
  silent,
  userObject,
  withFault,
} from "../support/faults.ts";
import { arrivalOf } from "../support/objects.ts";

const { connectionLost, overloaded, reset, ownCode } = platformErrors;

function broken(fault: Parameters<typeof withFault>[1]) {
  const faulty = withFault(env.USER_TOKENS, fault);
  return { ...faulty, bindings: { USER_TOKENS: faulty.namespace } };
}

async function ownerObject(app: string, token: string) {
  return env.TOKEN_OWNERS.getByName(tokenOwnersName(app, await tokenHash("fcm", token)));
}

/** Who owns the token on record: how many users. */
async function ownersOf(token: string) {
  return (await ownerObject("test", token)).owners(await tokenHash("fcm", token));
}

/** Ends the object's instance as a crash does: its memory is gone, calls under way fail. */
async function abort(object: DurableObjectStub) {
  await runInDurableObject(object, (_, state) => state.abort("a crash"));
}

describe("a call of a user's object that fails", () => {
  // By the clock, repeats have an end: a stall of this machine is not to bring it.
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
  afterEach(() => void vi.useRealTimers());

  it("says 503 with Retry-After when the connection was lost before the effect, and a repeat registers", async ({
    expect,
  }) => {
    const session = await login();
    const token = uniqueToken();
    const { bindings, calls } = broken(first(1, failBefore(connectionLost)));
    const failed = await callWith(bindings, session, "POST", "/v2/tokens", { fcmToken: token });
    expect(failed).toMatchObject({ status: 503, body: { error: { code: "ERR_OPERATION_FAILED", details: {} } } });
    expect(failed.headers.get("retry-after")).toBe(String(RETRY_AFTER_SECONDS));
    expect(failed.headers.get("access-control-allow-origin")).toBe("*");
    expect(calls).toEqual(["register"]);
    expect(await session.tokens()).toEqual([]);
    expect((await callWith(bindings, session, "POST", "/v2/tokens", { fcmToken: token })).status).toBe(200);
    expect(await session.tokens()).toEqual([token]);
  });

  it("does not say that nothing changed when the reply was lost after the effect; a repeat changes nothing more", async ({
    expect,
  }) => {
    const session = await login();
    const token = uniqueToken();
    const { bindings } = broken(first(1, failAfter(connectionLost)));
    const failed = await callWith(bindings, session, "POST", "/v2/tokens", { fcmToken: token });
    expect(failed.status).toBe(503);
    expect(failed.body.error.message).not.toMatch(/nothing/);
    expect(await session.tokens()).toEqual([token]);
    expect((await session.register({ fcmToken: token })).status).toBe(200);
    expect(await session.tokens()).toEqual([token]);
  });

  it("is not repeated on top of the runtime's own repeats", async ({ expect }) => {
    const session = await login();
    const { bindings, calls } = broken(failBefore(connectionLost));
    expect((await callWith(bindings, session, "GET", "/v2/tokens")).status).toBe(503);
    expect(calls).toEqual(["tokens"]);
  });

  it("is repeated on a fresh stub when a read met a reset object", async ({ expect }) => {
    const session = await login();
    const { bindings, calls, stubs } = broken(first(2, failBefore(reset)));
    expect(await callWith(bindings, session, "GET", "/v2/tokens")).toMatchObject({ status: 200 });
    expect(calls).toEqual(["tokens", "tokens", "tokens"]);
    expect(stubs()).toBe(3);
  });

  it("is repeated at most twice when resets go on", async ({ expect }) => {
    const session = await login();
    const { bindings, calls } = broken(failBefore(reset));
    expect((await callWith(bindings, session, "GET", "/v2/tokens")).status).toBe(503);
    expect(calls).toHaveLength(3);
  });

  it.for([
    [1, 1_900],
    [2, 1_899],
    [2, 950],
    [3, 799],
  ] as const)(
    "is made %i times where each takes %i ms: no repeat begins after two seconds",
    async ([times, ms], { expect }) => {
      const session = await login();
      const { bindings, calls } = broken((call, method, args) => {
        vi.setSystemTime(Date.now() + ms);
        return failBefore(reset)(call, method, args);
      });
      expect((await callWith(bindings, session, "GET", "/v2/tokens")).status).toBe(503);
      expect(calls).toHaveLength(times);
    },
  );

  it("is repeated for a logout whose object was reset: the session has ended", async ({ expect }) => {
    const session = await login();
    await session.register({ fcmToken: uniqueToken() });
    const { bindings, calls } = broken(first(1, failAfter(reset)));
    expect((await callWith(bindings, session, "DELETE", "/v3.0/me")).status).toBe(200);
    expect(calls).toEqual(["endSession", "endSession"]);
    expect((await session.register({ fcmToken: uniqueToken() })).status).toBe(401);
  });

  it.for([
    ["register", "POST", { fcmToken: "token-of-a-reset-object" }],
    ["remove", "DELETE", { all: true }],
  ] as const)(
    "is not repeated for %s, whose second run could undo what came between",
    async ([rpc, method, body], { expect }) => {
      const session = await login();
      const { bindings, calls } = broken(failBefore(reset));
      expect((await callWith(bindings, session, method, "/v2/tokens", body)).status).toBe(503);
      expect(calls).toEqual([rpc]);
    },
  );

  it("is shed when the object is overloaded: one attempt, and a longer wait", async ({ expect }) => {
    const session = await login();
    const { bindings, calls } = broken(failBefore(overloaded));
    const failed = await callWith(bindings, session, "GET", "/v2/tokens");
    expect(failed.status).toBe(503);
    const wait = Number(failed.headers.get("retry-after"));
    expect(wait).toBeGreaterThanOrEqual(OVERLOAD_RETRY_AFTER_SECONDS);
    expect(wait).toBeLessThanOrEqual(2 * OVERLOAD_RETRY_AFTER_SECONDS);
    expect(calls).toEqual(["tokens"]);
  });

  it("is given up when the object stays silent", async ({ expect }) => {
    const session = await login();
    const { bindings } = broken(silent);
    const register = () => callWith(bindings, session, "POST", "/v2/tokens", { fcmToken: uniqueToken() });
    expect(await outlasting(OBJECT_TIMEOUT_MS, register)).toMatchObject({ outcome: { status: 503 }, waits: 1 });
  });

  it("says 500, with no word of the error, when it is a mistake of our own", async ({ expect }) => {
    const session = await login();
    const { bindings, calls } = broken(failBefore(ownCode));
    const failed = await callWith(bindings, session, "GET", "/v2/tokens");
    expect(failed).toMatchObject({ status: 500, body: { error: { code: "ERR_OPERATION_FAILED" } } });
    expect(JSON.stringify(failed.body)).not.toMatch(/secrets|0123|stack/);
    expect(calls).toEqual(["tokens"]);
  });

  it("says 503 when an object that really was aborted fails under way, and what was acknowledged stays", async ({
    expect,
  }) => {
    const session = await login();
    const [kept, lost] = [uniqueToken(), uniqueToken()];
    await session.register({ fcmToken: kept });
    const object = await userObject("test", session.uid);
    await breakOwnersFor("test", session.uid, silent);
    const { bindings } = broken(async (call) => {
      const [reply] = await Promise.allSettled([call(), abort(object)]);
      if (reply.status === "rejected") throw reply.reason;
      return reply.value;
    });
    expect((await callWith(bindings, session, "POST", "/v2/tokens", { fcmToken: lost })).status).toBe(503);
    expect(await session.tokens()).toEqual([kept]);
  });
});

describe("a token that is removed while it is being registered", () => {
  it.for([
    ["v2", "/v2/tokens", (token: string) => ["/v2/tokens", { fcmToken: token }] as const],
    ["the successor", "/v2/tokens", (token: string) => [`/v3/notifications/push/v1/tokens/${token}`] as const],
  ] as const)("is not stored afterwards, by %s, and the other one is", async ([, path, removal], { expect }) => {
    const session = await login();
    const [removed, other] = [uniqueToken(), "0a".repeat(32).replace(/^.{12}/, crypto.randomUUID().slice(-12))];
    const gate = Promise.withResolvers<void>();
    const claims: string[] = [];
    await breakOwnersFor("test", session.uid, async (call) => {
      claims.push("called");
      await gate.promise;
      return await call();
    });
    const registered = session.call("POST", path, { body: { fcmToken: removed, apnsToken: other } });
    await expect.poll(() => claims).not.toEqual([]);
    const { bindings, calls } = broken((call) => call());
    const [target, body] = removal(removed);
    const gone = callWith(bindings, session, "DELETE", target, body);
    await expect.poll(() => calls).toContain("unregister");
    gate.resolve();
    expect((await gone).status).toBe(200);
    expect((await registered).status).toBe(200);
    expect(await session.tokens()).toEqual([other]);
    await expect.poll(() => ownersOf(removed)).toEqual([]);
  });
});

describe("a claim that fails", () => {
  it("changes nothing when it never reached the owner object", async ({ expect }) => {
    const session = await login();
    const [earlier, second] = [uniqueToken(), uniqueToken()];
    await session.register({ fcmToken: earlier });
    const { calls } = await breakOwnersFor("test", session.uid, first(1, failBefore(connectionLost)));
    expect(await session.register({ fcmToken: second })).toMatchObject({ status: 503 });
    expect(calls.filter((method) => method === "claim")).toEqual(["claim"]);
    expect(await session.tokens()).toEqual([earlier]);
    expect((await session.register({ fcmToken: second })).status).toBe(200);
    expect(await session.tokens()).toEqual([second]);
  });

  it("stores nothing when the reply was lost after the effect, and the next launch takes the token", async ({
    expect,
  }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    await breakOwnersFor("test", bob.uid, first(1, failAfter(connectionLost)));
    expect((await bob.register({ fcmToken: token })).status).toBe(503);
    // Begun and not acknowledged: nobody holds it, and never two.
    expect([...(await alice.tokens()), ...(await bob.tokens())]).toEqual([]);
    expect((await alice.register({ fcmToken: token })).status).toBe(200);
    expect([await alice.tokens(), await bob.tokens()]).toEqual([[token], []]);
  });

  it("costs no other token of the request, and the reply asks for a repeat", async ({ expect }) => {
    const session = await login();
    await breakOwnersFor("test", session.uid, (call) => call());
    let claims = 0;
    await breakOwnersFor(
      "test",
      session.uid,
      on("claim", (call) => {
        claims += 1;
        return claims === 2 ? Promise.reject(connectionLost()) : call();
      }),
    );
    const [apns, voip] = [uniqueToken(), uniqueToken()];
    expect((await session.register({ apnsToken: apns, voipToken: voip })).status).toBe(503);
    expect(claims).toBe(2);
    expect(await session.tokens()).toEqual([apns]);
    expect((await session.register({ apnsToken: apns, voipToken: voip })).status).toBe(200);
    expect((await session.tokens()).sort()).toEqual([apns, voip].sort());
  });

  it("takes every token from its owner, also when a removal comes in between", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const [apns, voip] = [uniqueToken(), uniqueToken()];
    await alice.register({ apnsToken: apns, voipToken: voip });
    const claims = { first: false, goOn: false };
    await breakOwnersFor(
      "test",
      bob.uid,
      first(1, async (call) => {
        const answer = await call();
        claims.first = true;
        while (!claims.goOn) await scheduler.wait(5);
        return answer;
      }),
    );
    const registration = bob.register({ apnsToken: apns, voipToken: voip });
    while (!claims.first) await scheduler.wait(5);
    const arrival = arrivalOf("remove");
    const removal = bob.delete({ all: true });
    await arrival();
    claims.goOn = true;
    expect((await registration).status).toBe(200);
    await removal;
    expect(await bob.tokens()).toEqual([]);
    // Acknowledged and then removed: in no case still with the owner before.
    expect(await alice.tokens()).toEqual([]);
  });

  it.for([
    ["the present owner's object cannot be reached", failBefore(connectionLost), true],
    ["the present owner's object is overloaded", failBefore(overloaded), true],
    ["the present owner's object was reset", failBefore(reset), true],
    ["the owner released, and its reply was lost", failAfter(connectionLost), false],
  ] as const)("is refused, and the owner on record unchanged, when %s", async ([, fault, kept], { expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    const recorded = await ownersOf(token);
    await breakUsersFor(await ownerObject("test", token), first(1, fault));
    const refused = await bob.register({ fcmToken: token });
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe(String(RETRY_AFTER_SECONDS));
    expect(await ownersOf(token)).toEqual(recorded);
    expect([await alice.tokens(), await bob.tokens()]).toEqual([kept ? [token] : [], []]);
    expect((await bob.register({ fcmToken: token })).status).toBe(200);
    expect([await alice.tokens(), await bob.tokens()]).toEqual([[], [token]]);
  });

  it("is refused after two seconds when the present owner's object stays silent", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    await breakUsersFor(await ownerObject("test", token), silent);
    const refused = await outlasting(RELEASE_TIMEOUT_MS, () => bob.register({ fcmToken: token }));
    expect(refused).toMatchObject({ outcome: { status: 503 }, waits: 1 });
    expect([await alice.tokens(), await bob.tokens()]).toEqual([[token], []]);
    await breakUsersFor(await ownerObject("test", token), (call) => call());
  });

  it("leaves an entry that costs one release when the forget after a removal is lost", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    await breakOwnersFor("test", alice.uid, on("forget", failBefore(connectionLost)));
    expect((await alice.delete()).status).toBe(200);
    expect(await ownersOf(token)).toHaveLength(1);
    expect((await bob.register({ fcmToken: token })).status).toBe(200);
    expect([await alice.tokens(), await bob.tokens()]).toEqual([[], [token]]);
  });
});

describe("storage that fails", () => {
  it("stores none of a request's tokens, and all of them on the repeat", async ({ expect }) => {
    const session = await login();
    const old = uniqueToken();
    await session.register({ apnsToken: old });
    const object = await userObject("test", session.uid);
    await failNextWrite(object);
    const [apns, voip] = [uniqueToken(), uniqueToken()];
    expect((await session.register({ apnsToken: apns, voipToken: voip })).status).toBe(500);
    expect(await session.tokens()).toEqual([old]);
    expect((await session.register({ apnsToken: apns, voipToken: voip })).status).toBe(200);
    expect((await session.tokens()).sort()).toEqual([apns, voip].sort());
  });

  it("leaves a user's very first registration without half a schema", async ({ expect }) => {
    const session = await login();
    const object = await userObject("test", session.uid);
    await failNextWrite(object);
    const token = uniqueToken();
    expect((await session.register({ fcmToken: token })).status).toBe(500);
    expect(await session.tokens()).toEqual([]);
    expect((await session.register({ fcmToken: token })).status).toBe(200);
    expect(await session.tokens()).toEqual([token]);
  });

  it("keeps a token with its owner when the owner object cannot record another", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    await failNextWrite(await ownerObject("test", token));
    expect((await bob.register({ fcmToken: token })).status).toBe(503);
    // Begun and not acknowledged: at most one of them holds it.
    expect([...(await alice.tokens()), ...(await bob.tokens())].length).toBeLessThanOrEqual(1);
    expect((await bob.register({ fcmToken: token })).status).toBe(200);
    expect([await alice.tokens(), await bob.tokens()]).toEqual([[], [token]]);
  });
});

/** The object's next write fails when all of it is done, as on a full disk. */
async function failNextWrite(object: DurableObjectStub) {
  await runInDurableObject(object, (_, state) => {
    const { storage } = state;
    const transactionSync = storage.transactionSync.bind(storage);
    Object.defineProperty(storage, "transactionSync", {
      configurable: true,
      value: (write: () => unknown) => {
        Reflect.deleteProperty(storage, "transactionSync");
        return transactionSync(() => {
          write();
          throw new Error("database or disk is full: SQLITE_FULL");
        });
      },
    });
  });
}

describe("an alarm", () => {
  it("that fires twice does nothing the second time", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const object = await userObject("test", session.uid);
    const before = await object.export();
    await runInDurableObject(object, (instance) => instance.alarm());
    await runInDurableObject(object, (instance) => instance.alarm());
    expect(await object.export()).toEqual(before);
  });

  it("that fires twice records an expired registration once, and leaves an empty object when the record has expired", async ({
    expect,
  }) => {
    const session = await login();
    await session.register({ fcmToken: uniqueToken() });
    const object = await userObject("test", session.uid);
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      vi.setSystemTime(Date.now() + 400 * DAY_MS);
      await runInDurableObject(object, async (instance, state) => {
        await instance.alarm();
        await instance.alarm();
        expect(instance.export().changes.map(({ change }) => change)).toEqual(["expired"]);
        vi.setSystemTime(Date.now() + 31 * DAY_MS);
        await instance.alarm();
        await instance.alarm();
        expect(state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'facts'").toArray()).toEqual([]);
        expect(await state.storage.getAlarm()).toBeNull();
      });
    } finally {
      vi.useRealTimers();
    }
  });

  it("that never fires does not make an expired registration served", async ({ expect }) => {
    const session = await login();
    await session.register({ fcmToken: uniqueToken() });
    const object = await userObject("test", session.uid);
    await runInDurableObject(object, (_, state) => state.storage.deleteAlarm());
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      vi.setSystemTime(Date.now() + 271 * DAY_MS);
      expect(await object.list({ session: null, retentionMs: 270 * DAY_MS })).toEqual({ ok: true, registrations: [] });
    } finally {
      vi.useRealTimers();
    }
  });

  it("that was lost is set again by the next registration", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const object = await userObject("test", session.uid);
    await runInDurableObject(object, (_, state) => state.storage.deleteAlarm());
    await evictDurableObject(object);
    await session.register({ fcmToken: token });
    const alarm = await runInDurableObject(object, (_, state) => state.storage.getAlarm());
    expect(alarm).toBeGreaterThan(Date.now());
  });

  it("that is late is set again by the next registration", async ({ expect }) => {
    const session = await login(undefined, { lifetimeSeconds: 80 * 86_400 });
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const object = await userObject("test", session.uid);
    const earlier = await runInDurableObject(object, (_, state) => state.storage.getAlarm());
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      vi.setSystemTime(Number(earlier) + ALARM_LATE_MS + 1);
      await session.register({ fcmToken: token });
      const again = await runInDurableObject(object, (_, state) => state.storage.getAlarm());
      expect(again).toBeGreaterThan(Number(earlier));
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a deploy in which old and new code run side by side", () => {
  it("says 503 with Retry-After while an object lacks the method that the new Worker calls", async ({ expect }) => {
    const session = await login();
    const { bindings } = broken(async () => {
      const object = await userObject("test", session.uid);
      return await (object as unknown as { methodOfALaterRelease(): Promise<void> }).methodOfALaterRelease();
    });
    const failed = await callWith(bindings, session, "GET", "/v2/tokens");
    expect(failed).toMatchObject({ status: 503, body: { error: { code: "ERR_OPERATION_FAILED" } } });
    expect(failed.headers.get("retry-after")).toBe(String(RETRY_AFTER_SECONDS));
  });

  it("goes on when the caller, or the called, speaks with fields of a later release", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    const { bindings } = broken(later);
    for (const session of [alice, bob]) {
      await breakOwnersFor("test", session.uid, later);
      await breakUsersFor(await ownerObject("test", token), later);
      expect((await callWith(bindings, session, "POST", "/v2/tokens", { fcmToken: token })).status).toBe(200);
    }
    expect([await alice.tokens(), await bob.tokens()]).toEqual([[], [token]]);
    expect((await callWith(bindings, bob, "DELETE", "/v2/tokens", { all: true })).status).toBe(200);
    expect(await bob.tokens()).toEqual([]);
  });

  it("refuses to touch an object that a later release wrote, until that one is deployed again", async ({ expect }) => {
    const session = await login();
    await session.register({ fcmToken: uniqueToken() });
    const object = await userObject("test", session.uid);
    await runInDurableObject(object, (_, state) => {
      state.storage.sql.exec("UPDATE facts SET value = '999_of_a_later_release' WHERE fact = 'schema'");
    });
    await evictDurableObject(object);
    expect((await session.call("GET", "/v2/tokens")).status).toBe(500);
    expect((await session.register({ fcmToken: uniqueToken() })).status).toBe(500);
  });
});

/** Adds to every object in a call, and in its answer, a field that this release does not know. */
const later: Fault = async (call, _, args) => {
  const answer = await call(...args.map(withLaterField));
  return withLaterField(answer);
};

function withLaterField(value: unknown): unknown {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return isRecord ? { ...value, ofALaterRelease: { nested: [1] } } : value;
}
