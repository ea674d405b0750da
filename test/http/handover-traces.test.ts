// The orders of events that broke earlier drafts of the ownership protocol, played on the real objects. docs/ownership.md
// has the protocol; the search in test/model finds more of them.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, it, vi } from "vitest";
import { tokenHash, tokenOwnersName, userHash } from "../../src/durable/names.ts";
import { DAY_MS } from "../../src/limits.ts";
import { login, serverCall, type TestSession, uniqueToken } from "../support/client.ts";
import {
  breakOwnersFor,
  breakUsersFor,
  crash,
  failBefore,
  first,
  holdBack,
  on,
  platformErrors,
  userObject,
} from "../support/faults.ts";
import { arrivalOf } from "../support/objects.ts";

/** Users on record as owners of an FCM token, as hashes. */
async function ownersOnRecord(token: string): Promise<string[]> {
  const hash = await tokenHash("fcm", token);
  const owners = await env.TOKEN_OWNERS.getByName(tokenOwnersName("test", hash)).owners(hash);
  return owners.map(({ user }: { user: string }) => user);
}

/** The session ids that hold a token, of any user, as senders are told. */
async function slotsOf(token: string): Promise<string[]> {
  const { body } = await serverCall("POST", "/v3/push_tokens/owner", { body: { token } });
  return body.data.owners.map(({ sessionId }: { sessionId: string }) => sessionId);
}

async function changesOf({ app, uid }: TestSession): Promise<string[]> {
  const { body } = await serverCall("GET", `/v3/users/${uid}/export`, {}, app);
  return body.data.changes.map(({ change }: { change: string }) => change);
}

afterEach(() => {
  vi.useRealTimers();
});

describe("a token that is wanted more than once at a time", () => {
  it("ends in one slot when two sessions of one user have it in flight and a rival takes it in between", async ({
    expect,
  }) => {
    const phone = await login();
    const [tablet, rival] = [await login(phone.uid), await login()];
    const token = uniqueToken();
    const { fault, reached, open } = holdBack({ after: true });
    await breakOwnersFor("test", phone.uid, on("claim", first(1, fault)));
    const phones = phone.register({ fcmToken: token });
    await reached();
    const tablets = tablet.register({ fcmToken: token });
    expect((await rival.register({ fcmToken: token })).status).toBe(200);
    expect(await slotsOf(token)).toEqual([rival.id]);
    open();
    // The phone's was taken by the rival before it was stored; the tablet's came later, and took it back.
    expect([(await phones).status, (await tablets).status]).toEqual([200, 200]);
    expect(await slotsOf(token)).toEqual([tablet.id]);
    expect(await rival.tokens()).toEqual([]);
    expect(await ownersOnRecord(token)).toEqual([await userHash("test", phone.uid)]);
  });

  it("is not stored if a rival made a later claim, and the reply is success", async ({ expect }) => {
    const [alice, rival] = [await login(), await login()];
    const token = uniqueToken();
    const { fault, reached, open } = holdBack({ after: true });
    await breakOwnersFor("test", alice.uid, on("claim", fault));
    const registering = alice.register({ fcmToken: token });
    await reached();
    expect((await rival.register({ fcmToken: token })).status).toBe(200);
    open();
    expect((await registering).status).toBe(200);
    expect(await slotsOf(token)).toEqual([rival.id]);
    expect(await alice.tokens()).toEqual([]);
    // The rival is still the owner on record: what the displaced registration forgot was its own claim.
    expect(await ownersOnRecord(token)).toEqual([await userHash("test", rival.uid)]);
  });

  it("moves to a rival while its user moves it to another session together with a new one", async ({ expect }) => {
    const phone = await login();
    const [tablet, rival] = [await login(phone.uid), await login()];
    const [token, apnsToken] = [uniqueToken(), uniqueToken()];
    await phone.register({ fcmToken: token });
    const { fault, reached, open } = holdBack();
    await breakOwnersFor("test", phone.uid, on("claim", fault));
    const moving = tablet.register({ fcmToken: token, apnsToken });
    await reached();
    expect((await rival.register({ fcmToken: token })).status).toBe(200);
    open();
    expect((await moving).status).toBe(200);
    expect(await phone.tokens()).toEqual([apnsToken]);
    expect(await slotsOf(token)).toEqual([rival.id]);
  });

  it("stays its user's on record when the slot that it moves from is emptied in between", async ({ expect }) => {
    const phone = await login();
    const [tablet, rival] = [await login(phone.uid), await login()];
    const [token, apnsToken] = [uniqueToken(), uniqueToken()];
    await phone.register({ fcmToken: token });
    const { fault, reached, open } = holdBack();
    const { calls } = await breakOwnersFor("test", phone.uid, on("claim", fault));
    const moving = tablet.register({ fcmToken: token, apnsToken });
    await reached();
    await phone.logout();
    open();
    expect((await moving).status).toBe(200);
    expect(await slotsOf(token)).toEqual([tablet.id]);
    expect(calls).toEqual(["claim"]);
    // Were it nobody's on record, the rival would get it and the tablet would keep it.
    await rival.register({ fcmToken: token });
    expect(await slotsOf(token)).toEqual([rival.id]);
    expect(await tablet.tokens()).toEqual([apnsToken]);
  });

  it("is in one slot after three sessions of two users registered it at the same moment, ten times", async ({
    expect,
  }) => {
    const phone = await login();
    const sessions = [phone, await login(phone.uid), await login()];
    for (let round = 0; round < 10; round++) {
      const token = uniqueToken();
      const replies = await Promise.all(sessions.map((session) => session.register({ fcmToken: token })));
      expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
      const slots = await slotsOf(token);
      expect(slots).toHaveLength(1);
      const tokens = [...(await phone.tokens()), ...((await sessions[2]?.tokens()) ?? [])];
      expect(tokens.filter((each) => each === token)).toHaveLength(1);
    }
  });

  it("goes round three users at once without a deadlock", async ({ expect }) => {
    const users = [await login(), await login(), await login()];
    const tokens = users.map(() => uniqueToken());
    await Promise.all(users.map((user, i) => user.register({ fcmToken: tokens[i] })));
    const replies = await Promise.all(users.map((user, i) => user.register({ fcmToken: tokens[(i + 1) % 3] })));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
    for (const [i, user] of users.entries()) {
      expect(await user.tokens()).toEqual([tokens[(i + 1) % 3]]);
      expect(await slotsOf(tokens[(i + 1) % 3] ?? "")).toEqual([user.id]);
    }
  });
});

describe("a crash in the middle of a handover", () => {
  type Part = "the new user's object" | "the owner object" | "the previous user's object";
  const steps = {
    "before the claim": { between: "new user and owner", after: false },
    "before the release": { between: "owner and previous user", after: false },
    "after the release, before the owner is on record": { between: "owner and previous user", after: true },
    "after the owner is on record, before the token is stored": { between: "new user and owner", after: true },
  } as const;
  const parts: Part[] = ["the new user's object", "the owner object", "the previous user's object"];
  const cases = Object.keys(steps).flatMap((step) => parts.map((part) => [part, step as keyof typeof steps] as const));

  it.for(cases)(
    "of %s %s leaves at most one holder, the owner on record, and the next launch gets it",
    async ([crashed, step], { expect }) => {
      const [alice, bob] = [await login(), await login()];
      const token = uniqueToken();
      await alice.register({ fcmToken: token });
      const owner = env.TOKEN_OWNERS.getByName(tokenOwnersName("test", await tokenHash("fcm", token)));
      const { between, after } = steps[step];
      const { fault, reached, open } = holdBack({ after });
      if (between === "new user and owner") await breakOwnersFor("test", bob.uid, on("claim", first(1, fault)));
      else await breakUsersFor(owner, on("release", first(1, fault)));
      const registering = bob.register({ fcmToken: token });
      await reached();
      const stubs: Record<Part, DurableObjectStub> = {
        "the new user's object": await userObject("test", bob.uid),
        "the owner object": env.TOKEN_OWNERS.getByName(tokenOwnersName("test", await tokenHash("fcm", token))),
        "the previous user's object": await userObject("test", alice.uid),
      };
      await crash(stubs[crashed]);
      open();
      const { status } = await registering;
      // What crashed while a call of it was under way cannot answer.
      const isLost =
        crashed === "the new user's object" ||
        (crashed === "the owner object" && between === "owner and previous user");
      expect(status).toBe(isLost ? 503 : 200);
      const holders = await slotsOf(token);
      const held = [...(await alice.tokens()), ...(await bob.tokens())];
      expect(held).toHaveLength(holders.length);
      expect(held.length).toBeLessThanOrEqual(1);
      if (status === 200) expect(holders).toEqual([bob.id]);
      else expect(await bob.tokens()).toEqual([]);
      expect((await bob.register({ fcmToken: token })).status).toBe(200);
      expect(await slotsOf(token)).toEqual([bob.id]);
      expect([await alice.tokens(), await bob.tokens()]).toEqual([[], [token]]);
    },
  );
});

describe("a forget that is overtaken", () => {
  it("by the same user's new registration leaves the new claim on record", async ({ expect }) => {
    const [alice, rival] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    const { fault, reached, open } = holdBack();
    let forgotten = false;
    await breakOwnersFor(
      "test",
      alice.uid,
      on("forget", async (call, method, args) => {
        await fault(call, method, args);
        forgotten = true;
      }),
    );
    await alice.delete();
    await reached();
    await alice.register({ fcmToken: token });
    open();
    await expect.poll(() => forgotten).toBe(true);
    expect(await ownersOnRecord(token)).toEqual([await userHash("test", alice.uid)]);
    // Were the entry gone, the rival would get the token and Alice would keep it.
    await rival.register({ fcmToken: token });
    expect(await alice.tokens()).toEqual([]);
    expect(await slotsOf(token)).toEqual([rival.id]);
  });

  it("by an evicted token's return leaves the new claim on record", async ({ expect }) => {
    const oldest = await login();
    const token = uniqueToken();
    await oldest.register({ fcmToken: token });
    const threeTokens = () => ({ fcmToken: uniqueToken(), apnsToken: uniqueToken(), voipToken: uniqueToken() });
    for (let i = 0; i < 33; i++) await (await login(oldest.uid)).register(threeTokens());
    expect(await oldest.tokens()).toHaveLength(100);
    const { fault, reached, open } = holdBack();
    let forgotten = 0;
    await breakOwnersFor(
      "test",
      oldest.uid,
      on("forget", async (call, method, args) => {
        await fault(call, method, args);
        forgotten += 1;
      }),
    );
    await (await login(oldest.uid)).register({ fcmToken: uniqueToken() });
    await reached();
    expect(await slotsOf(token)).toEqual([]);
    expect((await changesOf(oldest)).at(-1)).toBe("evicted");
    await oldest.register({ fcmToken: token });
    open();
    // Its own, and those of the three that gave way to its return.
    await expect.poll(() => forgotten).toBe(4);
    expect(await slotsOf(token)).toEqual([oldest.id]);
    expect(await ownersOnRecord(token)).toEqual([await userHash("test", oldest.uid)]);
    const rival = await login();
    await rival.register({ fcmToken: token });
    expect(await slotsOf(token)).toEqual([rival.id]);
  });

  it("and lost, after the previous user's object became empty, costs the next user one call and leaves it empty", async ({
    expect,
  }) => {
    const [alice, bob] = [await login(undefined, { lifetimeSeconds: 3600 }), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    await breakOwnersFor("test", alice.uid, on("forget", failBefore(platformErrors.connectionLost)));
    await alice.delete();
    const object = await userObject("test", alice.uid);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 40 * DAY_MS });
    await runInDurableObject(object, (instance) => instance.alarm());
    const tables = () =>
      runInDurableObject(object, (_, state) =>
        state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('registrations', 'facts')").toArray(),
      );
    expect(await tables()).toEqual([]);
    vi.useRealTimers();
    expect((await bob.register({ fcmToken: token })).status).toBe(200);
    expect(await slotsOf(token)).toEqual([bob.id]);
    expect(await tables()).toEqual([]);
  });
});

describe("a session that is ended while its registration is under way", () => {
  it("by the server is refused with what waits behind it, and nobody holds the tokens", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const [token, second] = [uniqueToken(), uniqueToken()];
    await alice.register({ fcmToken: token });
    const { fault, reached, open } = holdBack({ after: true });
    const { calls } = await breakOwnersFor("test", bob.uid, on("claim", fault));
    const registrations = [bob.register({ fcmToken: token })];
    await reached();
    const [waiting, end] = [arrivalOf("register"), arrivalOf("endSession")];
    registrations.push(bob.register({ fcmToken: second }));
    await waiting();
    const ending = serverCall("DELETE", `/v3/users/${bob.uid}/sessions/${bob.id}`);
    await end();
    open();
    const replies = await Promise.all(registrations);
    expect(replies.map(({ body }) => body.error?.code)).toEqual([
      "AUTH_ERR_AUTH_TOKEN_NOT_FOUND",
      "AUTH_ERR_AUTH_TOKEN_NOT_FOUND",
    ]);
    expect((await ending).status).toBe(200);
    expect([await slotsOf(token), await slotsOf(second)]).toEqual([[], []]);
    expect(await alice.tokens()).toEqual([]);
    await expect.poll(() => calls).toEqual(["claim", "forget"]);
    await expect.poll(() => ownersOnRecord(token)).toEqual([]);
  });
});

describe("a registration that has expired and is not collected yet", () => {
  it("moves to the next user like any other", async ({ expect }) => {
    const start = Date.now();
    const alice = await login();
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    vi.useFakeTimers({ toFake: ["Date"], now: start + 271 * DAY_MS });
    expect(await slotsOf(token)).toEqual([]);
    const bob = await login();
    expect((await bob.register({ fcmToken: token })).status).toBe(200);
    expect(await slotsOf(token)).toEqual([bob.id]);
    const { body } = await serverCall("GET", `/v3/users/${alice.uid}/export`);
    expect(body.data.registrations).toEqual([]);
  });

  it("comes back with its user's next launch, by one call", async ({ expect }) => {
    const start = Date.now();
    const alice = await login();
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    vi.useFakeTimers({ toFake: ["Date"], now: start + 271 * DAY_MS });
    const next = await login(alice.uid);
    const { calls } = await breakOwnersFor("test", alice.uid, (call) => call());
    expect((await next.register({ fcmToken: token })).status).toBe(200);
    expect(await slotsOf(token)).toEqual([next.id]);
    expect(calls).toEqual([]);
  });
});

describe("a request of several tokens that meets the limit of its user", () => {
  it("stores what it could take, leaves the rest with its owner, and counts what it took", async ({ expect }) => {
    const users = await Promise.all(Array.from({ length: 11 }, () => login(undefined, { app: "limited" })));
    const tokens = users.map(() => uniqueToken());
    const [tenth, eleventh] = [users[9], users[10]];
    if (tenth === undefined || eleventh === undefined) throw new Error("eleven users are logged in");
    for (const [i, user] of users.entries()) await user.register({ [i === 10 ? "apnsToken" : "fcmToken"]: tokens[i] });
    const taker = await login(undefined, { app: "limited" });
    for (const token of tokens.slice(0, 9)) await taker.register({ fcmToken: token });
    expect((await taker.register({ fcmToken: tokens[9], apnsToken: tokens[10] })).status).toBe(200);
    expect(await taker.tokens()).toEqual([tokens[9]]);
    expect(await tenth.tokens()).toEqual([]);
    expect(await eleventh.tokens()).toEqual([tokens[10]]);
    expect((await tenth.register({ fcmToken: tokens[9] })).status).toBe(200);
    expect(await tenth.tokens()).toEqual([tokens[9]]);
    // It counted: the user has taken its ten.
    expect((await taker.register({ apnsToken: tokens[10] })).status).toBe(429);
    expect(await eleventh.tokens()).toEqual([tokens[10]]);
  });
});
