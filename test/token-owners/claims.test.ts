// The owner object by itself: versions, turns, limits, and what it forgets.
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, it, vi } from "vitest";
import type { ClaimRequest } from "../../src/durable/claims.ts";
import { tokenHash, userHash } from "../../src/durable/names.ts";
import {
  CHANGES_OF_OWNER_LOUD,
  RELEASE_TIMEOUT_MS,
  RELEASES_PER_CLAIM_MAX,
  TAKEOVER_WINDOW_MS,
} from "../../src/limits.ts";
import { uniqueToken, uniqueUid } from "../support/client.ts";
import {
  breakUsersFor,
  type Fault,
  failBefore,
  holdBack,
  on,
  outlasting,
  platformErrors,
  silent,
} from "../support/faults.ts";

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

/** The windows of tokens that were taken: changes of owner, and the users who owned the token before the first. */
async function windows(owners: DurableObjectStub): Promise<Record<string, unknown>[]> {
  return await runInDurableObject(owners, (_, { storage }) =>
    storage.sql.exec("SELECT key, value, until FROM facts WHERE fact = 'window' ORDER BY until").toArray(),
  );
}

async function alarmOf(owners: DurableObjectStub): Promise<number | null> {
  return await runInDurableObject(owners, (_, { storage }) => storage.getAlarm());
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
    expect(await claim(alice)).toEqual({ ok: true, version: NOW, taken: "nothing" });
    expect(await owners.owners(hash)).toEqual([{ user: alice, version: NOW }]);
  });

  it("takes a new version every time, also of the present owner, in the same millisecond and by a clock set back", async ({
    expect,
  }) => {
    setClock(NOW);
    const { claim, alice, bob } = await claims();
    expect(await claim(alice)).toMatchObject({ version: NOW });
    expect(await claim(alice)).toMatchObject({ version: NOW + 1, taken: "nothing" });
    expect(await claim(bob)).toMatchObject({ version: NOW + 2, taken: "another_users" });
    setClock(NOW - 60_000);
    expect(await claim(alice)).toMatchObject({ version: NOW + 3, taken: "own_back" });
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
    expect(await claim(carol, { hash: otherHash })).toMatchObject({ ok: true, taken: "nothing" });
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
      const refused = [claim(bob), claim(bob)];
      expect(await Promise.all(refused)).toEqual(refused.map(() => ({ ok: false, reason: "unavailable" })));
      expect(await owners.owners(hash)).toEqual(before);
      await breakUsersFor(owners, (call) => call());
      expect(await claim(bob)).toMatchObject({ ok: true, taken: "another_users" });
      // A claim that was refused is no change of owner.
      expect(await windows(owners)).toMatchObject([{ value: JSON.stringify([1, alice]) }]);
    },
  );

  it("gives up on an owner's object that is silent, and lets the next claim have its turn", async ({ expect }) => {
    const { owners, hash, claim, alice, bob } = await claims();
    await claim(alice);
    await breakUsersFor(owners, silent);
    const { outcome, waits } = await outlasting(RELEASE_TIMEOUT_MS, () => Promise.all([claim(bob), claim(alice)]));
    const [refused, mine] = outcome;
    expect(waits).toBe(1);
    expect(refused).toEqual({ ok: false, reason: "unavailable" });
    expect(mine).toMatchObject({ ok: true, taken: "nothing" });
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

describe("a user who may take no more", () => {
  it("is refused another user's token, and gets every other", async ({ expect }) => {
    const { owners, hash, claim, alice, bob } = await claims();
    expect(await claim(alice, { mayTake: false })).toMatchObject({ ok: true });
    expect(await claim(alice, { mayTake: false })).toMatchObject({ ok: true });
    const { calls } = await breakUsersFor(owners, (call) => call());
    expect(await claim(bob, { mayTake: false })).toEqual({ ok: false, reason: "too_many_takeovers" });
    expect(calls).toEqual([]);
    expect(await owners.owners(hash)).toMatchObject([{ user: alice }]);
    expect(await windows(owners)).toEqual([]);
  });
});

describe("the owner before a takeover", () => {
  const refused = { ok: false, reason: "too_many_takeovers" };

  it("always may take the token back within the hour, whoever had it since and however often", async ({ expect }) => {
    setClock(NOW);
    const { owners, hash, claim, alice, bob, carol } = await claims();
    await claim(alice);
    for (let i = 0; i < 20; i++) {
      setClock(NOW + i * 60_000);
      const taker = i % 2 === 0 ? bob : carol;
      expect(await claim(taker)).toMatchObject({ ok: true, taken: "another_users" });
      if (i % 4 === 3) await evictDurableObject(owners);
      expect(await claim(alice, { mayTake: false })).toMatchObject({ ok: true, taken: "own_back" });
      expect(await claim(taker, { mayTake: false })).toEqual(refused);
    }
    expect(await owners.owners(hash)).toMatchObject([{ user: alice }]);
  });

  it("is the owner of before the first takeover, and none of the takers", async ({ expect }) => {
    const { claim, alice, bob, carol } = await claims();
    await claim(alice);
    await claim(bob);
    await claim(carol);
    expect(await claim(bob, { mayTake: false })).toEqual(refused);
    expect(await claim(bob)).toMatchObject({ taken: "another_users" });
    expect(await claim(alice, { mayTake: false })).toMatchObject({ ok: true, taken: "own_back" });
  });

  it("is known for an hour from the first takeover, and no later one makes that longer", async ({ expect }) => {
    setClock(NOW);
    const { owners, claim, alice, bob, carol } = await claims();
    await claim(alice);
    await claim(bob);
    setClock(NOW + TAKEOVER_WINDOW_MS - 1);
    await claim(carol);
    expect(await windows(owners)).toMatchObject([
      { value: JSON.stringify([2, alice]), until: NOW + TAKEOVER_WINDOW_MS },
    ]);
    setClock(NOW + TAKEOVER_WINDOW_MS);
    expect(await claim(alice, { mayTake: false })).toEqual(refused);
    // A new window, with the owner of now.
    expect(await claim(alice)).toMatchObject({ ok: true, taken: "another_users" });
    expect(await claim(carol, { mayTake: false })).toMatchObject({ ok: true, taken: "own_back" });
  });

  it("is not forgotten with the taker's entry", async ({ expect }) => {
    const { owners, hash, claim, alice, bob, carol } = await claims();
    await claim(alice);
    const taken = await claim(bob);
    await owners.forget(hash, bob, taken.ok ? taken.version : 0);
    expect(await owners.owners(hash)).toEqual([]);
    await evictDurableObject(owners);
    expect(await claim(carol)).toMatchObject({ ok: true, taken: "nothing" });
    expect(await claim(alice, { mayTake: false })).toMatchObject({ ok: true, taken: "own_back" });
  });

  it("leaves no trace when the hour has ended: the alarm overwrites it, and then deletes it", async ({ expect }) => {
    setClock(NOW);
    const { owners, claim, alice, bob } = await claims();
    await claim(alice);
    await claim(bob);
    const later = await tokenHash("fcm", uniqueToken());
    setClock(NOW + 60_000);
    await claim(alice, { hash: later });
    await claim(bob, { hash: later });
    expect(await alarmOf(owners)).toBe(NOW + TAKEOVER_WINDOW_MS);
    // What stood in the row when it was deleted is what stays in its page.
    await runInDurableObject(owners, (_, { storage }) => {
      storage.sql.exec("CREATE TABLE deleted (value TEXT NOT NULL) STRICT");
      storage.sql.exec(
        "CREATE TRIGGER on_delete AFTER DELETE ON facts BEGIN INSERT INTO deleted (value) VALUES (old.value); END",
      );
    });
    setClock(NOW + TAKEOVER_WINDOW_MS);
    await runDurableObjectAlarm(owners);
    expect(await windows(owners)).toMatchObject([{ key: later }]);
    expect(await alarmOf(owners)).toBe(NOW + TAKEOVER_WINDOW_MS + 60_000);
    setClock(NOW + TAKEOVER_WINDOW_MS + 60_000);
    await runDurableObjectAlarm(owners);
    expect(await windows(owners)).toEqual([]);
    expect(await alarmOf(owners)).toBeNull();
    const deleted = await runInDurableObject(owners, (_, { storage }) =>
      storage.sql.exec("SELECT value FROM deleted").toArray(),
    );
    expect(deleted).toHaveLength(2);
    expect(JSON.stringify(deleted)).not.toMatch(new RegExp(`${alice}|${bob}`));
  });

  it("is collected on time though the object was evicted and other tokens were taken since", async ({ expect }) => {
    setClock(NOW);
    const { owners, claim, alice, bob } = await claims();
    await claim(alice);
    await claim(bob);
    for (let i = 1; i <= 3; i++) {
      await evictDurableObject(owners);
      setClock(NOW + (i * TAKEOVER_WINDOW_MS) / 4);
      const hash = await tokenHash("fcm", uniqueToken());
      await claim(alice, { hash });
      await claim(bob, { hash });
    }
    expect(await alarmOf(owners)).toBe(NOW + TAKEOVER_WINDOW_MS);
  });

  it("is nobody after an erasure, in every window of the object", async ({ expect }) => {
    const { owners, hash, claim, alice, bob } = await claims();
    await claim(alice);
    await claim(bob);
    // An erased user's object knows a token that it lost by the beginning of its hash.
    await owners.erase(hash.slice(0, 8), alice, null);
    expect(JSON.stringify(await windows(owners))).not.toContain(alice);
    expect(await owners.owners(hash)).toMatchObject([{ user: bob }]);
    expect(await claim(alice, { mayTake: false })).toEqual(refused);
  });
});

describe("a token that changes its owner more than ten times an hour", () => {
  it("leaves one log line and one count, and no change is refused", async ({ expect }) => {
    setClock(NOW);
    const lines = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    try {
      const { owners, hash, claim, alice, bob } = await claims();
      const points: { blobs: string[] }[] = [];
      await runInDurableObject(owners, (instance) => {
        const METRICS = { writeDataPoint: (point: { blobs: string[] }) => void points.push(point) };
        Object.assign(instance, { env: { ...env, METRICS } });
      });
      const said = () => lines.mock.calls.map(([line]) => String(line)).filter((line) => line.includes("very often"));
      await claim(alice);
      for (let i = 0; i < CHANGES_OF_OWNER_LOUD; i++) {
        expect(await claim(i % 2 === 0 ? bob : alice)).toMatchObject({ ok: true });
      }
      expect(said()).toEqual([]);
      for (let i = 0; i < 3; i++) expect(await claim(i % 2 === 0 ? bob : alice)).toMatchObject({ ok: true });
      expect(said()).toHaveLength(1);
      expect(said()[0]).toContain(hash.slice(0, 8));
      expect(said()[0]).not.toMatch(new RegExp(`${alice}|${bob}|${hash}`));
      expect(points).toEqual([{ indexes: ["test"], blobs: ["event", "contested_token"], doubles: [1] }]);
    } finally {
      lines.mockRestore();
    }
  });
});

describe("policy shared", () => {
  it("adds an owner and asks nobody to let go; exclusive makes all the others", async ({ expect }) => {
    const { owners, hash, claim, alice, bob, carol } = await claims();
    const { calls } = await breakUsersFor(owners, (call) => call());
    for (const user of [alice, bob, bob]) {
      expect(await claim(user, { policy: "shared" })).toMatchObject({ ok: true, taken: "nothing" });
    }
    const users = (await owners.owners(hash)).map(({ user }: { user: string }) => user);
    expect(users.sort()).toEqual([alice, bob].sort());
    expect(calls).toEqual([]);
    expect(await claim(carol)).toMatchObject({ ok: true, taken: "another_users" });
    expect(calls).toEqual(["release", "release"]);
    expect(await owners.owners(hash)).toMatchObject([{ user: carol }]);
  });

  it("tells the one whose claim was exclusive that it is so no more, once, and before another is on record", async ({
    expect,
  }) => {
    const { owners, hash, claim, alice, bob, carol } = await claims();
    await claim(alice);
    const { fault, reached, open } = holdBack();
    const told: unknown[][] = [];
    await breakUsersFor(owners, (call, method, args) => {
      told.push([method, ...args]);
      return fault(call, method, args);
    });
    const sharing = claim(bob, { policy: "shared" });
    await reached();
    expect(await owners.owners(hash)).toMatchObject([{ user: alice }]);
    open();
    const bobs = await sharing;
    await claim(carol, { policy: "shared" });
    expect(told).toEqual([["share", hash, bobs.ok ? bobs.version : 0]]);
    expect(await owners.owners(hash)).toHaveLength(3);
  });

  it("lets nobody share a token whose owner's object does not answer", async ({ expect }) => {
    const { owners, hash, claim, alice, bob } = await claims();
    await claim(alice);
    await breakUsersFor(owners, on("share", failBefore(platformErrors.connectionLost)));
    expect(await claim(bob, { policy: "shared" })).toEqual({ ok: false, reason: "unavailable" });
    expect(await owners.owners(hash)).toMatchObject([{ user: alice }]);
  });

  it("with a hundred owners becomes exclusive in steps that each ask a bounded number of them", async ({ expect }) => {
    const { owners, hash, claim, carol } = await claims();
    for (let i = 0; i < 100; i++) await claim(await newUser(), { policy: "shared" });
    const { calls } = await breakUsersFor(owners, (call) => call());
    const left: number[] = [];
    const outcomes: unknown[] = [];
    for (let i = 0; i < 10 && left.at(-1) !== 1; i++) {
      const before = calls.length;
      outcomes.push(await claim(carol));
      expect(calls.length - before).toBeLessThanOrEqual(RELEASES_PER_CLAIM_MAX);
      left.push((await owners.owners(hash)).length);
    }
    expect(left).toEqual([60, 20, 1]);
    const unavailable = { ok: false, reason: "unavailable" };
    expect(outcomes).toMatchObject([unavailable, unavailable, { ok: true, taken: "another_users" }]);
    expect(calls).toEqual(Array.from({ length: 100 }, () => "release"));
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
    const [user, before] = [await userHash("test", uid), await newUser()];
    await claim(before);
    await claim(user);
    const rows = await runInDurableObject(owners, (_, state) => [
      ...state.storage.sql.exec("SELECT hash, user, version, claimed FROM owners"),
      ...state.storage.sql.exec("SELECT key, value FROM facts WHERE fact = 'window'"),
    ]);
    const value = JSON.stringify([1, before]);
    expect(rows).toEqual([
      { hash, user, version: expect.any(Number), claimed: 1 },
      { key: hash, value },
    ]);
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
