// Lookups where the directory does not answer, or does not know: users' own objects are asked.
import { env } from "cloudflare:workers";
import { afterEach, describe, it, vi } from "vitest";
import { userHash, userTokensName } from "../../src/durable/names.ts";
import {
  DAY_MS,
  FALLBACK_CALLS_MAX,
  LOOKUP_BYTES_MAX,
  LOOKUP_TIMEOUT_MS,
  TOKEN_BYTES_PER_USER_MAX,
} from "../../src/limits.ts";
import { login, uniqueToken, uniqueUid } from "../support/client.ts";
import { directoryOf, faultyFor, serverCallWith, show } from "../support/directory.ts";
import { type Fault, failBefore, platformErrors, silent, withFault } from "../support/faults.ts";
import { envWith } from "../support/settings.ts";

interface Lookup {
  users: { uid: string; pushTokens: { token: string; refreshedAt: number }[] }[];
  errors: { uid: string; code: string; message: string }[];
}

async function lookup(bindings: object, uids: readonly string[]): Promise<Lookup> {
  const { body } = await serverCallWith(bindings, "POST", "/v3/push_tokens/lookup", { body: { uids } });
  return body.data;
}

/** As {@link lookup}, with the users whose own objects were asked. */
async function counted(bindings: object, uids: readonly string[]) {
  const { namespace, calls } = faultyFor(env.USER_TOKENS, () => false, silent);
  const data = await lookup({ ...bindings, USER_TOKENS: namespace }, uids);
  const names = await Promise.all(uids.map(async (uid) => userTokensName("test", await userHash("test", uid))));
  return { ...data, asked: uids.filter((_, i) => calls.some(({ name }) => name === names[i])) };
}

const all = () => true;
const directory = (fault: Fault, names: (name: string) => boolean = all) => ({
  DIRECTORY: faultyFor(env.DIRECTORY, names, fault).namespace,
});
const lost = failBefore(platformErrors.connectionLost);

async function registered(uid = uniqueUid()) {
  const token = uniqueToken();
  const session = await login(uid);
  await session.register({ fcmToken: token });
  return { uid, token, session };
}

/** Uids of users known to the same directory object, or to any other. */
function uidsBeside(uid: string, count: number, same: boolean): string[] {
  const uids: string[] = [];
  while (uids.length < count) {
    const each = uniqueUid();
    if ((directoryOf("test", each) === directoryOf("test", uid)) === same) uids.push(each);
  }
  return uids;
}

afterEach(() => {
  vi.useRealTimers();
});

describe("a directory object", () => {
  it.for([
    ["that is silent", silent],
    ["whose connection is lost", lost],
    ["that fails by a mistake of its own", failBefore(platformErrors.ownCode)],
    [
      "that lacks the method, of an older release",
      failBefore(() => new TypeError("The RPC receiver does not implement")),
    ],
  ] as const)("%s has its users' own objects asked, and no other's", async ([, fault], { expect }) => {
    const { uid, token } = await registered();
    const [other = ""] = uidsBeside(uid, 1, false);
    const { token: others } = await registered(other);
    const broken = faultyFor(env.DIRECTORY, (name) => name === directoryOf("test", uid), fault);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const reply = counted({ DIRECTORY: broken.namespace }, [other, uid]);
    if (fault === silent) {
      // Both directory objects were asked, and the other one has answered.
      await expect.poll(() => [broken.calls.length, vi.getTimerCount()]).toEqual([2, 1]);
      await vi.advanceTimersByTimeAsync(LOOKUP_TIMEOUT_MS);
    }
    const { users, errors, asked } = await reply;
    expect(users).toMatchObject([
      { uid: other, pushTokens: [{ token: others }] },
      { uid, pushTokens: [{ token }] },
    ]);
    expect([errors, asked]).toEqual([[], [uid]]);
  });

  it("that fails has at most 40 objects asked, the first of the list; the rest is named", async ({ expect }) => {
    const uids = Array.from({ length: FALLBACK_CALLS_MAX + 8 }, uniqueUid);
    const { users, errors, asked } = await counted(directory(lost), uids);
    expect(asked).toEqual(uids.slice(0, FALLBACK_CALLS_MAX));
    expect(users).toEqual(asked.map((uid) => ({ uid, pushTokens: [] })));
    const failed = { code: "ERR_OPERATION_FAILED", message: expect.stringContaining("Repeat it.") };
    expect(errors).toEqual(uids.slice(FALLBACK_CALLS_MAX).map((uid) => ({ uid, ...failed })));
  });

  it("that fails costs 48 calls of objects at most, which the free plan allows", async ({ expect }) => {
    const uids = Array.from({ length: 200 }, uniqueUid);
    const shards = faultyFor(env.DIRECTORY, all, lost);
    const users = faultyFor(env.USER_TOKENS, () => false, silent);
    await lookup({ DIRECTORY: shards.namespace, USER_TOKENS: users.namespace }, uids);
    expect(shards.calls).toHaveLength(8);
    expect(users.calls).toHaveLength(40);
  });

  it("that fails with a user's own object costs that user, and no other", async ({ expect }) => {
    const [a, b] = [await registered(), await registered()];
    const name = userTokensName("test", await userHash("test", b.uid));
    const { namespace } = faultyFor(env.USER_TOKENS, (each) => each === name, silent);
    const data = await lookup({ ...directory(lost), USER_TOKENS: namespace }, [b.uid, a.uid]);
    expect(data).toMatchObject({
      users: [{ uid: a.uid, pushTokens: [{ token: a.token }] }],
      errors: [{ uid: b.uid, code: "ERR_OPERATION_FAILED" }],
    });
  });
});

describe("a user", () => {
  it("shown in a form that this release does not know is asked for", async ({ expect }) => {
    const [a, b] = [await registered(), await registered()];
    await show("test", a.uid, { format: 99, tokens: "what a later release wrote" });
    const { users, asked } = await counted({}, [a.uid, b.uid]);
    expect(users).toMatchObject([{ pushTokens: [{ token: a.token }] }, { pushTokens: [{ token: b.token }] }]);
    expect(asked).toEqual([a.uid]);
  });

  it("whose row has another form of lines never gets another user's tokens, nor costs them", async ({ expect }) => {
    const a = await registered();
    const b = await registered(uidsBeside(a.uid, 1, true)[0]);
    await show("test", a.uid, { format: 99, tokens: "two\nlines" });
    const { users, errors } = await lookup({}, [a.uid, b.uid]);
    expect(users).toMatchObject([{ pushTokens: [{ token: a.token }] }, { pushTokens: [{ token: b.token }] }]);
    expect(errors).toEqual([]);
  });

  it("who is not in a directory that is not complete is asked for", async ({ expect }) => {
    const { uid, token } = await registered();
    const incomplete = (epoch: number) => envWith("test", { directory: { objects: 8, epoch, complete: false } });
    const nobody = uniqueUid();
    expect(await counted(incomplete(1), [uid, nobody])).toMatchObject({
      users: [{ pushTokens: [{ token }] }, { pushTokens: [] }],
      asked: [nobody],
    });
    // Another epoch is another directory, in which nobody is yet.
    expect(await counted(incomplete(2), [uid, nobody])).toMatchObject({
      users: [{ pushTokens: [{ token }] }, { pushTokens: [] }],
      asked: [uid, nobody],
    });
  });
});

describe("retention", () => {
  const setClock = (now: number) => vi.useFakeTimers({ toFake: ["Date"], now });

  it("is exact: what was refreshed and not shown so is asked for, and what expired is gone", async ({ expect }) => {
    const start = Date.now();
    setClock(start);
    const { uid, token, session } = await registered();
    setClock(start + 20 * DAY_MS);
    await session.register({ fcmToken: token });
    const at = async (days: number) => {
      setClock(start + days * DAY_MS - 1);
      const { users, asked } = await counted({}, [uid]);
      return { tokens: users[0]?.pushTokens.length, asked: asked.length };
    };
    expect(await at(270)).toEqual({ tokens: 1, asked: 0 });
    // It may have expired, by what the directory shows.
    expect(await at(271)).toEqual({ tokens: 1, asked: 1 });
    expect(await at(290)).toEqual({ tokens: 1, asked: 1 });
    setClock(start + 290 * DAY_MS);
    expect((await counted({}, [uid])).users).toEqual([{ uid, pushTokens: [] }]);
  });

  it("is the app's of now", async ({ expect }) => {
    const start = Date.now();
    setClock(start);
    const { uid } = await registered();
    setClock(start + 30 * DAY_MS);
    const under = async (retentionDays: number) => {
      const { users, asked } = await counted(envWith("test", { retentionDays }), [uid]);
      return { tokens: users[0]?.pushTokens.length, asked: asked.length };
    };
    expect(await under(31)).toEqual({ tokens: 1, asked: 0 });
    expect(await under(30)).toEqual({ tokens: 0, asked: 1 });
    setClock(start + 300 * DAY_MS);
    expect(await under(400)).toEqual({ tokens: 1, asked: 0 });
  });

  it("lets a lookup show an older time than the single read, never a later one", async ({ expect }) => {
    const start = Date.now();
    setClock(start);
    const { uid, token, session } = await registered();
    const shown = async () => (await lookup({}, [uid])).users[0]?.pushTokens[0]?.refreshedAt;
    setClock(start + 60 * DAY_MS);
    await session.register({ fcmToken: token });
    expect(await shown()).toBe(start);
  });
});

describe("a reply", () => {
  /** As many tokens as one user can have; in labels a character is up to three bytes. */
  const large = (text: string) => JSON.stringify([{ token: text.repeat(TOKEN_BYTES_PER_USER_MAX) }]);

  it.for([
    ["ASCII", "x", 40],
    ["three bytes a character", "字", 15],
  ] as const)("has 8 MiB at most, and names who did not fit: %s", async ([, text, fitting], { expect }) => {
    const uids = Array.from({ length: 120 }, uniqueUid);
    const tokens = large(text);
    for (const uid of uids) await show("test", uid, { tokens });
    const reply = await serverCallWith({}, "POST", "/v3/push_tokens/lookup", { body: { uids } });
    expect(new TextEncoder().encode(reply.text).byteLength).toBeLessThan(LOOKUP_BYTES_MAX + 100);
    const { users, errors }: Lookup = reply.body.data;
    expect(users.length).toBeGreaterThan(fitting);
    expect(users.length + errors.length).toBe(uids.length);
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(["ERR_RESPONSE_TOO_LARGE"]));
  });

  it("of one object has 8 MiB at most too, and no user is asked for what is too large", async ({ expect }) => {
    const uids = uidsBeside("anybody", 70, true);
    for (const uid of uids) await show("test", uid, { tokens: large("x") });
    const { users, errors, asked } = await counted({}, uids);
    expect(users.map(({ uid }) => uid)).toEqual(uids.slice(0, users.length));
    expect(users.length).toBeGreaterThan(60);
    expect(errors.map(({ uid }) => uid)).toEqual(uids.slice(users.length));
    expect(asked).toEqual([]);
  });

  it("names who was asked for in a reply that is full", async ({ expect }) => {
    const uids = Array.from({ length: 70 }, uniqueUid);
    for (const uid of uids) await show("test", uid, { tokens: large("x") });
    const nobody = uniqueUid();
    const { users, errors } = await lookup({}, [...uids, nobody]);
    expect(users.at(-1)).toEqual({ uid: nobody, pushTokens: [] });
    expect(errors.length).toBeGreaterThan(0);
  });
});

it("calls each directory object once, all at the same time", async ({ expect }) => {
  let [underWay, most] = [0, 0];
  const { namespace, calls } = withFault(env.DIRECTORY, async (call) => {
    underWay += 1;
    most = Math.max(most, underWay);
    await scheduler.wait(5);
    underWay -= 1;
    return call();
  });
  await lookup({ DIRECTORY: namespace }, Array.from({ length: 500 }, uniqueUid));
  expect([calls.length, most]).toEqual([8, 8]);
});
