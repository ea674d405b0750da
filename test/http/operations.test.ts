import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, it, vi } from "vitest";
import { createApp } from "../../src/app.ts";
import { userTokensName } from "../../src/durable/names.ts";
import { DAY_MS } from "../../src/limits.ts";
import { API_KEYS } from "../support/apps.ts";
import { call, login, serverCall, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import { breakOwnersFor, callWith, failBefore, platformErrors, userObject, withFault } from "../support/faults.ts";

afterEach(() => {
  vi.useRealTimers();
});

describe("GET /health", () => {
  it("answers without any header, and asks no object", async ({ expect }) => {
    const faulty = withFault(env.USER_TOKENS, failBefore(platformErrors.connectionLost));
    const response = await createApp().request(
      "https://registry.test/health",
      {},
      { ...env, ...{ USER_TOKENS: faulty.namespace } },
    );
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ data: { status: "ok" } });
    expect(faulty.calls).toEqual([]);
  });
});

describe("GET /health/deep", () => {
  it.for(["test", "shared", "limited"])("writes and reads an object of each kind (app %s)", async (app, { expect }) => {
    expect(await serverCall("GET", "/health/deep", {}, app)).toMatchObject({
      status: 200,
      body: { data: { status: "ok", ms: expect.any(Number) } },
    });
  });

  it("leaves nothing behind that grows, however many run at once", async ({ expect }) => {
    const object = env.USER_TOKENS.getByName(userTokensName("test", "health"));
    for (let round = 0; round < 12; round += 1) {
      const replies = await Promise.all(Array.from({ length: 6 }, () => serverCall("GET", "/health/deep")));
      expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    }
    const held = await object.export();
    expect(held).toMatchObject({ registrations: [], fences: [], takeovers: null });
    expect(held.changes).toHaveLength(50);
  });

  it("answers 503 when the objects cannot be reached", async ({ expect }) => {
    const { namespace } = withFault(env.TOKEN_OWNERS, failBefore(platformErrors.connectionLost));
    const headers = { appId: "test", apikey: API_KEYS.fullAccess };
    const response = await createApp().request(
      "https://registry.test/health/deep",
      { headers },
      { ...env, ...{ TOKEN_OWNERS: namespace } },
    );
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).not.toBeNull();
  });

  it.for([
    ["no key", {}, 401],
    ["a sender's key", { apikey: API_KEYS.sender }, 403],
    ["a key that only mints", { apikey: API_KEYS.authOnly }, 403],
  ] as const)("refuses %s", async ([, headers, status], { expect }) => {
    expect((await call("GET", "/health/deep", { headers: { appId: "test", ...headers } })).status).toBe(status);
  });
});

describe("a request id", () => {
  it("is in every reply, a preflight's and an error's included, and never twice the same", async ({ expect }) => {
    const session = await login();
    const replies = await Promise.all([
      session.call("GET", "/v2/tokens"),
      call("OPTIONS", "/v2/tokens", {
        headers: { origin: "https://a.example", "access-control-request-method": "POST" },
      }),
      call("GET", "/nowhere"),
      call("PATCH", "/v2/tokens"),
      call("POST", "/v2/tokens"),
      call("GET", "/health"),
    ]);
    const ids = replies.map(({ headers }) => headers.get("x-request-id"));
    expect(new Set(ids).size).toBe(replies.length);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("POST /v3/users/{uid}/reconcile", () => {
  /** Puts a registration back as it was before it was let go: what a restore does. */
  async function revive(session: TestSession, act: () => Promise<unknown>) {
    const object = await userObject(session.app, session.uid);
    const rows = await runInDurableObject(object, (_, state) =>
      state.storage.sql.exec("SELECT * FROM registrations").toArray(),
    );
    await act();
    await runInDurableObject(object, (_, state) => {
      state.storage.sql.exec("DELETE FROM registrations");
      for (const row of rows) {
        const columns = Object.keys(row);
        state.storage.sql.exec(
          `INSERT INTO registrations (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
          ...Object.values(row),
        );
      }
    });
    // A restore begins with another instance.
    await evictDurableObject(object);
  }

  it("drops a token that moved to another user since, and the other keeps it", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const [moved, kept] = [uniqueToken(), uniqueToken()];
    await alice.register({ fcmToken: moved, apnsToken: kept });
    await revive(alice, () => bob.register({ fcmToken: moved }));
    expect(await pushTokens(alice.uid)).toHaveLength(2);
    expect((await serverCall("POST", `/v3/users/${alice.uid}/reconcile`)).body).toEqual({
      data: { kept: 1, dropped: 1 },
    });
    expect(await pushTokens(alice.uid)).toEqual([kept]);
    expect(await bob.tokens()).toEqual([moved]);
  });

  it("drops a token that was removed since", async ({ expect }) => {
    const alice = await login();
    await alice.register({ fcmToken: uniqueToken() });
    await revive(alice, () => alice.delete());
    expect((await serverCall("POST", `/v3/users/${alice.uid}/reconcile`)).body).toEqual({
      data: { kept: 0, dropped: 1 },
    });
    expect(await pushTokens(alice.uid)).toEqual([]);
  });

  it("lets no session act that began before, and keeps what a later claim still can take", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    await revive(alice, async () => {
      await bob.register({ fcmToken: token });
      await (await login(alice.uid)).register({ fcmToken: token });
    });
    expect((await serverCall("POST", `/v3/users/${alice.uid}/reconcile`)).body).toEqual({
      data: { kept: 1, dropped: 0 },
    });
    expect((await alice.register({ fcmToken: uniqueToken() })).status).toBe(401);
    const again = await login(alice.uid);
    expect(await again.tokens()).toEqual([token]);
    await bob.register({ fcmToken: token });
    expect(await again.tokens()).toEqual([]);
  });

  it("drops nothing while an owner object does not answer", async ({ expect }) => {
    const alice = await login();
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    await breakOwnersFor("test", alice.uid, failBefore(platformErrors.connectionLost));
    expect((await serverCall("POST", `/v3/users/${alice.uid}/reconcile`)).status).toBe(503);
    expect(await pushTokens(alice.uid)).toEqual([token]);
  });

  it("leaves nothing at a user who has nothing", async ({ expect }) => {
    const uid = uniqueUid();
    expect((await serverCall("POST", `/v3/users/${uid}/reconcile`)).body).toEqual({ data: { kept: 0, dropped: 0 } });
    const tables = await runInDurableObject(await userObject("test", uid), (_, state) =>
      state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
    );
    expect(tables).toEqual([]);
  });

  async function pushTokens(uid: string): Promise<string[]> {
    const { body } = await serverCall("GET", `/v3/users/${uid}/push_tokens`);
    return body.data.pushTokens.map(({ token }: { token: string }) => token);
  }
});

describe("POST /v3/users/{uid}/restore", () => {
  it("restores to the bookmark of the time, restarts the object and reconciles it", async ({ expect }) => {
    const alice = await login();
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    const object = await userObject("test", alice.uid);
    const asked: unknown[] = [];
    await runInDurableObject(object, (_, { storage }) => {
      const restores = {
        getBookmarkForTime: async (at: number): Promise<string> => `bookmark-of-${at}`,
        onNextSessionRestoreBookmark: async (bookmark: string) => {
          asked.push(bookmark);
          return "undo";
        },
      };
      for (const [name, value] of Object.entries(restores)) Object.defineProperty(storage, name, { value });
    });
    const at = Date.now() - 60_000;
    expect(await serverCall("POST", `/v3/users/${alice.uid}/restore`, { body: { at } })).toMatchObject({
      status: 200,
      body: { data: { restoredTo: at, kept: 1, dropped: 0 } },
    });
    expect(asked).toEqual([`bookmark-of-${at}`]);
    expect((await alice.call("GET", "/v2/tokens")).status).toBe(401);
  });

  it.for([
    ["a time in the future", (): number => Date.now() + 60_000],
    ["a time that recovery does not reach", (): number => Date.now() - 31 * 86_400_000],
    ["seconds", (): number => Math.floor(Date.now() / 1000)],
    ["text", (): string => "yesterday"],
  ] as const)("refuses %s", async ([, at], { expect }) => {
    const reply = await serverCall("POST", `/v3/users/${uniqueUid()}/restore`, { body: { at: at() } });
    expect(reply).toMatchObject({ status: 400, body: { error: { details: { at: [expect.any(String)] } } } });
  });
});

describe("counters", () => {
  interface Point {
    indexes: string[];
    blobs: string[];
    doubles: number[];
  }

  /** What the user's object counts from now on. */
  async function countsOf(session: TestSession): Promise<Point[]> {
    const points: Point[] = [];
    await runInDurableObject(await userObject(session.app, session.uid), (instance) => {
      const METRICS = { writeDataPoint: (point: Point) => void points.push(point) };
      Object.assign(instance, { env: { ...env, METRICS } });
    });
    return points;
  }

  it("count what changed, by kind of change, and never a launch that changes nothing", async ({ expect }) => {
    const session = await login();
    const points = await countsOf(session);
    const token = uniqueToken();
    await session.register({ apnsToken: token, voipToken: uniqueToken() });
    const first = { indexes: ["test"], blobs: ["change", "registered"], doubles: [2] };
    expect(points).toEqual([first]);
    await session.register({ apnsToken: token });
    await session.tokens();
    expect(points).toEqual([first]);
    await session.logout();
    expect(points.slice(1)).toEqual([{ indexes: ["test"], blobs: ["change", "logged_out"], doubles: [2] }]);
  });

  it("count handovers on both sides, and prunes", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    const [lost, won] = [await countsOf(alice), await countsOf(bob)];
    await bob.register({ fcmToken: token });
    expect(lost.map(({ blobs }) => blobs[1])).toEqual(["taken_by_another_user"]);
    expect(won.map(({ blobs }) => blobs[1])).toEqual(["takeover", "taken_from_another_user"]);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 8 * DAY_MS });
    const items = [{ token, kind: "fcm", code: "UNREGISTERED" }];
    await serverCall("POST", "/v3/push_tokens/feedback", { body: { items } });
    expect(won.map(({ blobs }) => blobs[1])).toEqual(["takeover", "taken_from_another_user", "pruned"]);
  });

  it("count refusals by code", async ({ expect }) => {
    const points: Point[] = [];
    const bindings = { METRICS: { writeDataPoint: (point: Point) => points.push(point) } };
    await callWith(bindings, { app: "test", authToken: "forged" }, "GET", "/v2/tokens");
    await callWith(bindings, { app: "nobody", authToken: "forged" }, "GET", "/v2/tokens");
    await callWith(bindings, await login(), "GET", "/v2/tokens");
    expect(points).toEqual([
      { indexes: ["test"], blobs: ["refusal", "AUTH_ERR_AUTH_TOKEN_NOT_FOUND"], doubles: [1] },
      { indexes: [""], blobs: ["refusal", "AUTH_ERR_INVALID_APPID"], doubles: [1] },
    ]);
  });
});
