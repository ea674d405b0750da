// The owner object by itself: versions, turns, limits, and what it forgets.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, it, vi } from "vitest";
import type { ClaimRequest } from "../../src/durable/claims.ts";
import { tokenHash, userHash } from "../../src/durable/names.ts";
import { RELEASE_TIMEOUT_MS, TAKEOVER_WINDOW_MS } from "../../src/limits.ts";
import { uniqueToken, uniqueUid } from "../support/client.ts";
import { breakUsersFor, type Fault, failBefore, holdBack, on, platformErrors } from "../support/faults.ts";

const NOW = 1_900_000_000_000;

/** An owner object of its own, and claims of one token there. */
async function claims(token = uniqueToken()) {
  const owners = env.TOKEN_OWNERS.getByName(`test:owners:${crypto.randomUUID()}`);
  const hash = await tokenHash("fcm", token);
  const users = { alice: await newUser(), bob: await newUser(), carol: await newUser() };
  const request = (user: string, changed: Partial<ClaimRequest> = {}): ClaimRequest => ({
    hash,
    user,
    policy: "exclusive",
    mayTake: true,
    takeoversPerToken: 10,
    until: Number.MAX_SAFE_INTEGER,
    ...changed,
  });
  const claim = (user: string, changed?: Partial<ClaimRequest>) => owners.claim(request(user, changed));
  return { owners, token, hash, claim, ...users };
}

/** What owner objects call a user. */
function newUser(): Promise<string> {
  return userHash("test", uniqueUid());
}

async function tables(owners: DurableObjectStub): Promise<unknown[]> {
  return await runInDurableObject(owners, (_, state) =>
    state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('owners', 'facts')").toArray(),
  );
}

function setClock(now: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now });
}

afterEach(() => {
  vi.useRealTimers();
});

describe("a claim", () => {
  it("of a token that is nobody's is granted, under the time as its version", async ({ expect }) => {
    setClock(NOW);
    const { owners, hash, claim, alice } = await claims();
    expect(await claim(alice)).toEqual({ ok: true, version: NOW, taken: false });
    expect(await owners.owners(hash)).toEqual([{ user: alice, version: NOW }]);
  });

  it("takes a new version every time, also of the present owner, in the same millisecond and by a clock set back", async ({
    expect,
  }) => {
    setClock(NOW);
    const { claim, alice, bob } = await claims();
    expect(await claim(alice)).toMatchObject({ version: NOW });
    expect(await claim(alice)).toMatchObject({ version: NOW + 1, taken: false });
    expect(await claim(bob)).toMatchObject({ version: NOW + 2, taken: true });
    setClock(NOW - 60_000);
    expect(await claim(alice)).toMatchObject({ version: NOW + 3, taken: true });
  });

  it("never gets the version of an entry that was forgotten, not even in its own millisecond", async ({ expect }) => {
    setClock(NOW);
    const { owners, hash, claim, alice } = await claims();
    expect(await claim(alice)).toMatchObject({ version: NOW });
    await owners.forget(hash, alice, NOW);
    expect(await owners.owners(hash)).toEqual([]);
    expect(await claim(alice)).toMatchObject({ version: NOW + 1 });
  });

  it("makes the owner let go under its own version, and only then is on record", async ({ expect }) => {
    const { owners, hash, claim, alice, bob } = await claims();
    await claim(alice);
    const { fault, reached, open } = holdBack();
    const released: unknown[][] = [];
    await breakUsersFor(owners, (call, method, args) => {
      released.push([method, ...args]);
      return fault(call, method, args);
    });
    const claiming = claim(bob);
    await reached();
    expect(await owners.owners(hash)).toMatchObject([{ user: alice }]);
    open();
    const outcome = await claiming;
    const version = outcome.ok ? outcome.version : undefined;
    expect(released).toEqual([["release", hash, version]]);
    expect(await owners.owners(hash)).toEqual([{ user: bob, version }]);
  });

  it("waits for the claims of the same token before it, and for no other token's", async ({ expect }) => {
    const { owners, hash, claim, alice, bob, carol } = await claims();
    await claim(alice);
    const { fault, reached, open } = holdBack();
    const { calls } = await breakUsersFor(owners, fault);
    const granted: string[] = [];
    const first = claim(bob).then(() => granted.push("bob"));
    await reached();
    const second = claim(carol).then(() => granted.push("carol"));
    const otherToken = uniqueToken();
    const otherHash = await tokenHash("fcm", otherToken);
    expect(await claim(carol, { hash: otherHash })).toMatchObject({ ok: true, taken: false });
    expect(granted).toEqual([]);
    expect(calls).toEqual(["release"]);
    open();
    await Promise.all([first, second]);
    expect(granted).toEqual(["bob", "carol"]);
    expect(await owners.owners(hash)).toMatchObject([{ user: carol }]);
  });

  const unreachable: [string, Fault][] = [
    ["cannot be reached", failBefore(platformErrors.connectionLost)],
    ["is overloaded", failBefore(platformErrors.overloaded)],
  ];
  it.for(unreachable)(
    "changes nothing when the owner's object %s, and the next one goes through",
    async ([, fault], { expect }) => {
      const { owners, hash, claim, alice, bob } = await claims();
      await claim(alice);
      const before = await owners.owners(hash);
      await breakUsersFor(owners, on("release", fault));
      const refused = [claim(bob, { takeoversPerToken: 1 }), claim(bob, { takeoversPerToken: 1 })];
      expect(await Promise.all(refused)).toEqual(refused.map(() => ({ ok: false, reason: "unavailable" })));
      expect(await owners.owners(hash)).toEqual(before);
      await breakUsersFor(owners, (call) => call());
      // A claim that was refused is no change of owner: the one that the limit allows is still there.
      expect(await claim(bob, { takeoversPerToken: 1 })).toMatchObject({ ok: true, taken: true });
    },
  );

  it("gives up on an owner's object that is silent, and lets the next claim have its turn", async ({ expect }) => {
    const { owners, hash, claim, alice, bob } = await claims();
    await claim(alice);
    await breakUsersFor(owners, () => new Promise(() => undefined));
    const startedAt = performance.now();
    const [refused, mine] = await Promise.all([claim(bob), claim(alice)]);
    expect(refused).toEqual({ ok: false, reason: "unavailable" });
    expect(mine).toMatchObject({ ok: true, taken: false });
    expect(performance.now() - startedAt).toBeLessThan(2 * RELEASE_TIMEOUT_MS);
    expect(await owners.owners(hash)).toMatchObject([{ user: alice }]);
  });

  it("that cannot be written lets the next claim have its turn", async ({ expect }) => {
    const { owners, hash, claim, alice } = await claims();
    await runInDurableObject(owners, (_, { storage }) => {
      Object.defineProperty(storage, "transactionSync", {
        configurable: true,
        value: () => {
          Reflect.deleteProperty(storage, "transactionSync");
          throw new Error("database or disk is full: SQLITE_FULL");
        },
      });
    });
    const outcomes = await Promise.allSettled([claim(alice), claim(alice)]);
    expect(outcomes).toMatchObject([{ status: "rejected" }, { status: "fulfilled", value: { ok: true } }]);
    expect(await owners.owners(hash)).toMatchObject([{ user: alice }]);
  });
});

describe("forget", () => {
  it("deletes only the very claim that it names", async ({ expect }) => {
    const { owners, hash, claim, alice, bob } = await claims();
    const first = await claim(alice);
    const second = await claim(alice);
    if (!first.ok || !second.ok) throw new Error("both claims are granted");
    await owners.forget(hash, alice, first.version);
    await owners.forget(hash, bob, second.version);
    expect(await owners.owners(hash)).toEqual([{ user: alice, version: second.version }]);
    await owners.forget(hash, alice, second.version);
    await owners.forget(hash, alice, second.version);
    expect(await owners.owners(hash)).toEqual([]);
  });

  it("that arrives after another user took the token deletes nothing", async ({ expect }) => {
    const { owners, hash, claim, alice, bob } = await claims();
    const before = await claim(alice);
    await claim(bob);
    await owners.forget(hash, alice, before.ok ? before.version : 0);
    expect(await owners.owners(hash)).toMatchObject([{ user: bob }]);
  });
});

describe("the limits", () => {
  it("of a session hold for another user's token only", async ({ expect }) => {
    const { owners, hash, claim, alice, bob } = await claims();
    expect(await claim(alice, { mayTake: false })).toMatchObject({ ok: true });
    expect(await claim(alice, { mayTake: false })).toMatchObject({ ok: true });
    const { calls } = await breakUsersFor(owners, (call) => call());
    expect(await claim(bob, { mayTake: false })).toEqual({ ok: false, reason: "session_limit" });
    expect(calls).toEqual([]);
    expect(await owners.owners(hash)).toMatchObject([{ user: alice }]);
  });

  it("of a token count changes of owner in an hour from the first, and no registration of the owner's", async ({
    expect,
  }) => {
    setClock(NOW);
    const { owners, hash, claim, alice, bob } = await claims();
    const limit = { takeoversPerToken: 2 };
    await claim(alice, limit);
    expect(await claim(bob, limit)).toMatchObject({ ok: true, taken: true });
    setClock(NOW + TAKEOVER_WINDOW_MS / 2);
    for (let i = 0; i < 3; i++) expect(await claim(bob, limit)).toMatchObject({ ok: true, taken: false });
    expect(await claim(alice, limit)).toMatchObject({ ok: true, taken: true });
    const { calls } = await breakUsersFor(owners, (call) => call());
    const refused = { ok: false, reason: "token_limit", retryAfterMs: TAKEOVER_WINDOW_MS / 2 };
    expect(await claim(bob, limit)).toEqual(refused);
    await evictDurableObject(owners);
    expect(await claim(bob, limit)).toEqual(refused);
    expect(calls).toEqual([]);
    expect(await owners.owners(hash)).toMatchObject([{ user: alice }]);
    setClock(NOW + TAKEOVER_WINDOW_MS);
    expect(await claim(bob, limit)).toMatchObject({ ok: true, taken: true });
    expect(await claim(alice, limit)).toMatchObject({ ok: true, taken: true });
    expect(await claim(bob, limit)).toMatchObject({ ok: false, retryAfterMs: TAKEOVER_WINDOW_MS });
  });
});

describe("policy shared", () => {
  it("adds an owner and asks nobody to let go; exclusive makes all the others", async ({ expect }) => {
    const { owners, hash, claim, alice, bob, carol } = await claims();
    const { calls } = await breakUsersFor(owners, (call) => call());
    for (const user of [alice, bob, bob]) {
      expect(await claim(user, { policy: "shared" })).toMatchObject({ ok: true, taken: false });
    }
    const users = (await owners.owners(hash)).map(({ user }: { user: string }) => user);
    expect(users.sort()).toEqual([alice, bob].sort());
    expect(calls).toEqual([]);
    expect(await claim(carol)).toMatchObject({ ok: true, taken: true });
    expect(calls).toEqual(["release", "release"]);
    expect(await owners.owners(hash)).toMatchObject([{ user: carol }]);
  });
});

describe("what an owner object stores", () => {
  it("is nothing after a question or a forget about a token that nobody claimed", async ({ expect }) => {
    const { owners, hash, alice } = await claims();
    expect(await owners.owners(hash)).toEqual([]);
    await owners.forget(hash, alice, NOW);
    expect(await tables(owners)).toEqual([]);
  });

  it("holds neither a uid nor a token", async ({ expect }) => {
    const uid = uniqueUid();
    const { owners, token, hash, claim } = await claims();
    const user = await userHash("test", uid);
    await claim(user);
    const rows = await runInDurableObject(owners, (_, state) =>
      state.storage.sql.exec("SELECT hash, user, version, takeovers, takeovers_until FROM owners").toArray(),
    );
    expect(rows).toEqual([{ hash, user, version: expect.any(Number), takeovers: 0, takeovers_until: 0 }]);
    expect(JSON.stringify(rows)).not.toMatch(new RegExp(`${uid}|${token}`));
  });

  it("survives the object", async ({ expect }) => {
    const { owners, hash, claim, alice } = await claims();
    await claim(alice);
    const before = await owners.owners(hash);
    await evictDurableObject(owners);
    expect(await owners.owners(hash)).toEqual(before);
  });

  it("is not touched by a release that does not know its schema", async ({ expect }) => {
    const { owners, hash, claim, alice } = await claims();
    await claim(alice);
    await runInDurableObject(owners, (_, state) => {
      state.storage.sql.exec("UPDATE facts SET value = '999_of_a_later_release' WHERE fact = 'schema'");
    });
    await evictDurableObject(owners);
    await expect(async () => await owners.owners(hash)).rejects.toThrow("999_of_a_later_release");
    await expect(async () => await claim(alice)).rejects.toThrow();
  });
});
