// The race of design.md through HTTP on workerd itself: rounds of users who fight for a few tokens. Lookups watch them all the time,
// and so does whoever reads the directory's files, while the process stands still.
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { inStep, shownTwice } from "../../scripts/crash/in-step.ts";
import { type Server, serve } from "../../scripts/lib/workerd.ts";
import { API_KEYS, testBindings } from "../support/apps.ts";

const ROUNDS = 50;
const USERS = 20;
const TOKENS = 10;

let server: Server;

beforeAll(async () => {
  server = await serve({ bundle: inject("bundle"), bindings: testBindings });
});

afterAll(async () => {
  await server?.stop();
});

async function send(method: string, path: string, headers: Record<string, string>, body?: object) {
  const response = await fetch(server.url + path, {
    method,
    headers: { appId: "test", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const { data } = (await response.json()) as { data: Record<string, unknown> };
  return { status: response.status, data };
}

const asServer = { apikey: API_KEYS.fullAccess };

type Listed = { uid: string; token: string }[];

async function lookUp(uids: readonly string[]): Promise<Listed> {
  const { data } = await send("POST", "/v3/push_tokens/lookup", asServer, { uids });
  const users = data.users as { uid: string; pushTokens: { token: string }[] }[];
  return users.flatMap(({ uid, pushTokens }) => pushTokens.map(({ token }) => ({ uid, token })));
}

/** What each user's own object holds. */
async function readEach(uids: readonly string[]): Promise<Listed> {
  const all = uids.map(async (uid) => {
    const { data } = await send("GET", `/v3/users/${uid}/push_tokens`, asServer);
    return (data.pushTokens as { token: string }[]).map(({ token }) => ({ uid, token }));
  });
  return (await Promise.all(all)).flat();
}

/**
 * Lookups one after the other, for as long as users fight. One lookup asks many objects, each at a moment of its own, so a token on
 * its way may be in it twice. But whoever registers a token once has it from one moment to another: no two users are shown with
 * it before a lookup and after it.
 */
class Watch {
  #lookups = 0;
  /** token → user → the first and the last lookup with both. */
  readonly #spans = new Map<string, Map<string, [number, number]>>();

  async during(uids: readonly string[], work: Promise<unknown>): Promise<void> {
    let isOver = false;
    const over = work.finally(() => {
      isOver = true;
    });
    while (!isOver) this.#see(await lookUp(uids));
    await over;
    this.#see(await lookUp(uids));
  }

  #see(listed: Listed): void {
    for (const { uid, token } of listed) {
      const spans = this.#spans.get(token) ?? new Map<string, [number, number]>();
      spans.set(uid, [spans.get(uid)?.[0] ?? this.#lookups, this.#lookups]);
      this.#spans.set(token, spans);
    }
    this.#lookups += 1;
  }

  /** Handovers that were seen: tokens of which more than one user was shown. */
  get handovers(): number {
    return [...this.#spans.values()].filter((spans) => spans.size > 1).length;
  }

  get overlaps(): string[] {
    return [...this.#spans].flatMap(([token, spans]) => {
      const [[one, [from, to]] = ["", [0, 0]], ...others] = [...spans].sort(([, [a]], [, [b]]) => a - b);
      const second = others.find(([, [first, last]]) => Math.min(to, last) > first || (from < first && last < to));
      return second === undefined ? [] : [`${token} was shown for ${one} and ${second[0]}`];
    });
  }
}

/** What the files of these classes say at one moment. */
async function now<T>(classes: readonly string[], read: (copy: string) => Promise<T>): Promise<T> {
  const copy = await mkdtemp(join(tmpdir(), "push-token-registry-races-"));
  process.kill(server.pid, "SIGSTOP");
  try {
    for (const name of classes) await cp(join(server.data, name), join(copy, name), { recursive: true });
  } finally {
    process.kill(server.pid, "SIGCONT");
  }
  const found = await read(copy);
  await rm(copy, { recursive: true });
  return found;
}

describe("users who fight for tokens", () => {
  it("leave each token with one holder, who is the owner on record and the only one who is shown", async ({
    expect,
  }) => {
    const users = await Promise.all(
      Array.from({ length: USERS }, async (_, i) => {
        const uid = `user-${i}`;
        const { data } = await send("POST", `/v3/users/${uid}/auth_tokens`, asServer);
        return { uid, headers: { authToken: String(data.authToken), sdk: "android@4" } };
      }),
    );
    const uids = users.map(({ uid }) => uid);
    let handovers = 0;
    const register = async (user: (typeof users)[number], fcmToken: string) =>
      (await send("POST", "/v2/tokens", user.headers, { fcmToken })).status;
    for (let round = 0; round < ROUNDS; round++) {
      const token = (i: number) => `token-${round}-${i % TOKENS}`;
      // In every other round two registrations each, at the same moment as everybody's: the one that comes second displaces
      // the first, and its token may be with nobody. In the rounds between, every token must have a holder.
      const isDisplacing = round % 2 === 1;
      const registrations = Promise.all(
        users.flatMap((user, i) => [
          register(user, token(i + round)),
          ...(isDisplacing ? [register(user, token(i * 7 + round))] : []),
        ]),
      );
      const watch = new Watch();
      const watched = watch.during(uids, registrations);
      await sleep(Math.random() * 20);
      expect(await now(["Directory"], shownTwice)).toEqual([]);
      await watched;
      expect(new Set(await registrations)).toEqual(new Set([200]));
      if (!isDisplacing) {
        expect(watch.overlaps).toEqual([]);
        handovers += watch.handovers;
      }

      const held = await lookUp(uids);
      expect(held).toEqual(await readEach(uids));
      expect(new Set(held.map((each) => each.token)).size).toBe(held.length);
      expect(new Set(held.map((each) => each.uid)).size).toBe(held.length);
      if (!isDisplacing) {
        const fought = Array.from({ length: TOKENS }, (_, i) => token(i));
        expect(held.map((each) => each.token)).toEqual(expect.arrayContaining(fought));
      }
      await Promise.all(
        held.map(async (each) => {
          const owner = await send("POST", "/v3/push_tokens/owner", asServer, { token: each.token });
          expect((owner.data.owners as { uid: string }[]).map(({ uid }) => uid)).toEqual([each.uid]);
        }),
      );
    }
    // Else no lookup came between two registrations of one token, and nothing was watched.
    expect(handovers).toBeGreaterThan(0);
    const isAtRest = () => now(["Directory", "UserTokens"], (copy) => inStep(copy, { isAtRest: true }));
    await expect.poll(isAtRest).toMatchObject({ behind: 0 });
    await server.stop();
    expect(await inStep(server.data, { isAtRest: true })).toEqual({ users: USERS, behind: 0, problems: [] });
  }, 300_000);
});
