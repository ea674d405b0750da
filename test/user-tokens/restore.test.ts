// A restore of one user to an earlier moment, played through: workerd keeps no history, so the tables are put back as they
// were. What ended since then must stay so.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, it, vi } from "vitest";
import { userHash, userTokensName } from "../../src/durable/names.ts";
import { DAY_MS, HOUR_MS } from "../../src/limits.ts";
import { JWT_SECRETS } from "../support/apps.ts";
import { login, type Reply, serverCall, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import { chatSession } from "../support/cometchat.ts";
import {
  breakDirectoryFor,
  breakOwnersFor,
  crash,
  type Fault,
  failBefore,
  holdBack,
  on,
  platformErrors,
} from "../support/faults.ts";
import { jwtLogin, secretKey } from "../support/issuer.ts";
import { arrivalOf, tablesOf, userObject } from "../support/objects.ts";

const SECRET = secretKey(JWT_SECRETS[0]?.secret ?? "", "now");

const IDENTITIES = [
  ["issued", "test", async (uid: string) => await login(uid)],
  ["jwt", "jwt-secret", async (uid: string) => await jwtLogin("SECRET", { key: SECRET, claims: { sub: uid } })],
  ["cometchat", "chat", async (uid: string) => await chatSession({ uid })],
] as const;

type Rows = Record<"registrations" | "facts", Record<string, SqlStorageValue>[]>;

/** The rows of the object as they are now. */
function snapshot(object: DurableObjectStub): Promise<Rows> {
  return runInDurableObject(object, (_, { storage }) => ({
    registrations: storage.sql.exec("SELECT * FROM registrations").toArray(),
    facts: storage.sql.exec("SELECT * FROM facts").toArray(),
  }));
}

function putBack({ sql }: DurableObjectStorage, rows: Rows | null): void {
  if (rows === null) {
    for (const table of ["registrations", "facts"]) sql.exec(`DROP TABLE IF EXISTS ${table}`);
    return;
  }
  for (const table of ["registrations", "facts"] as const) {
    sql.exec(`DELETE FROM ${table}`);
    for (const row of rows[table]) {
      const columns = Object.keys(row);
      const places = columns.map(() => "?").join(", ");
      sql.exec(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${places})`, ...Object.values(row));
    }
  }
}

/** From now on a restore of the object leads to these rows; `null`: to the time before its first. */
function remember(object: DurableObjectStub, rows: Rows | null): Promise<void> {
  return runInDurableObject(object, (_, { storage }) => {
    const recovery = {
      getBookmarkForTime: async (at: number): Promise<string> => `bookmark-of-${at}`,
      onNextSessionRestoreBookmark: async (): Promise<string> => {
        putBack(storage, rows);
        return "undo";
      },
    };
    for (const [name, value] of Object.entries(recovery)) Object.defineProperty(storage, name, { value });
  });
}

function restore({ app, uid }: { app: string; uid: string }, at: number): Promise<Reply> {
  return serverCall("POST", `/v3/users/${uid}/restore`, { body: { at } }, app);
}

function reconcile({ app, uid }: { app: string; uid: string }): Promise<Reply> {
  return serverCall("POST", `/v3/users/${uid}/reconcile`, {}, app);
}

async function keeperOf(app: string, uid: string) {
  return env.USER_TOKENS.getByName(userTokensName(app, `${await userHash(app, uid)}:restore`));
}

async function tokensOf(app: string, uid: string): Promise<string[]> {
  const { body } = await serverCall("GET", `/v3/users/${uid}/push_tokens`, {}, app);
  return body.data.pushTokens.map(({ token }: { token: string }) => token);
}

function setClock(now: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now });
}

afterEach(() => {
  vi.useRealTimers();
});

describe.for(IDENTITIES)("after a restore, with identity %s,", ([identity, app, loginAs]) => {
  /** A user who held a token at `moment`, to which the object is restored later. */
  async function heldThen() {
    const uid = uniqueUid();
    const held = await loginAs(uid);
    await held.register({ fcmToken: uniqueToken() });
    const object = await userObject(app, uid);
    const rows = await snapshot(object);
    const moment = Date.now();
    return { uid, held, object, rows, moment };
  }

  it("sessions that came and ended since then stay out, by their fences of before", async ({ expect }) => {
    const { uid, held, object, rows, moment } = await heldThen();
    const came = await loginAs(uid);
    await came.register({ apnsToken: uniqueToken() });
    await came.logout();
    const idle = await loginAs(uid);
    await idle.tokens();
    await idle.logout();
    const fences = (await object.marks()).fences;
    expect(fences).toHaveLength(2);
    await remember(object, rows);
    expect(await restore({ app, uid }, moment)).toMatchObject({ status: 200, body: { data: { kept: 1, dropped: 0 } } });
    const kept = (await (await userObject(app, uid)).marks()).fences;
    for (const fence of fences) {
      const now = kept.find(({ session }) => session === fence.session);
      expect(now?.until).toBeGreaterThanOrEqual(fence.until);
    }
    for (const session of [came, idle]) {
      expect((await session.register({ voipToken: uniqueToken() })).status).toBe(401);
    }
    // Those of before end too: the devices log in anew.
    expect((await held.register({ voipToken: uniqueToken() })).status).toBe(401);
    // Tokens of an own login that were issued in this very second are refused.
    setClock(Date.now() + 2000);
    const next = await loginAs(uid);
    expect((await next.register({ fcmToken: uniqueToken() })).status).toBe(200);
  });

  it("a session that logged out since then does not come back with its registration", async ({ expect }) => {
    const { uid, held, object, rows, moment } = await heldThen();
    await held.logout();
    await remember(object, rows);
    expect(await restore({ app, uid }, moment)).toMatchObject({ status: 200, body: { data: { kept: 0, dropped: 1 } } });
    expect(await tokensOf(app, uid)).toEqual([]);
    expect((await held.register({ fcmToken: uniqueToken() })).status).toBe(401);
  });

  it("to the time before the user's first call, no lookup shows the user", async ({ expect }) => {
    const { uid, object, moment } = await heldThen();
    await remember(object, null);
    expect(await restore({ app, uid }, moment)).toMatchObject({ status: 200, body: { data: { kept: 0, dropped: 0 } } });
    const { body } = await serverCall("POST", "/v3/push_tokens/lookup", { body: { uids: [uid] } }, app);
    expect(body.data).toEqual({ users: [{ uid, pushTokens: [] }], errors: [] });
    setClock(Date.now() + 2000);
    const next = await loginAs(uid);
    expect((await next.register({ fcmToken: uniqueToken() })).status).toBe(200);
  });

  it("an order to end all sessions, and an erasure, of since then still holds", async ({ expect }) => {
    for (const path of ["/sessions", ""]) {
      const { uid, held, object, rows, moment } = await heldThen();
      await scheduler.wait(2);
      expect((await serverCall("DELETE", `/v3/users/${uid}${path}`, {}, app)).status).toBe(200);
      await remember(object, rows);
      expect((await restore({ app, uid }, moment)).status).toBe(200);
      expect(await tokensOf(app, uid)).toEqual([]);
      expect((await held.register({ fcmToken: uniqueToken() })).status).toBe(401);
    }
  });

  it("what kept the marks meanwhile keeps nothing more", async ({ expect }) => {
    const { uid, object, rows, moment } = await heldThen();
    await (await loginAs(uid)).logout();
    await remember(object, rows);
    expect((await restore({ app, uid }, moment)).status).toBe(200);
    const keeper = await keeperOf(app, uid);
    expect(await tablesOf(keeper)).toEqual([]);
    expect(await runInDurableObject(keeper, (_, { storage }) => storage.getAlarm())).toBeNull();
  });

  it("the marks are put back by a later call if the Worker ended in between, and by a repeated restore", async ({
    expect,
  }) => {
    for (const goOn of [reconcile, (user: { app: string; uid: string }) => restore(user, Date.now() - 1000)]) {
      const { uid, object, rows, moment } = await heldThen();
      const ended = await loginAs(uid);
      await ended.register({ apnsToken: uniqueToken() });
      await ended.logout();
      await remember(object, rows);
      // All that the Worker did before it ended.
      expect(await object.prepareRestore({ at: moment, askedAt: Date.now() })).toEqual({ ok: true });
      await crash(object);
      await remember(await userObject(app, uid), rows);
      const again = await goOn({ app, uid });
      expect(again).toMatchObject({ status: 200, body: { data: { kept: 1, dropped: 0 } } });
      expect((await ended.register({ apnsToken: uniqueToken() })).status).toBe(401);
      expect(await tablesOf(await keeperOf(app, uid))).toEqual([]);
    }
  });

  it("the marks are kept while an owner object does not answer", async ({ expect }) => {
    const { uid, object, rows, moment } = await heldThen();
    const ended = await loginAs(uid);
    await ended.register({ apnsToken: uniqueToken() });
    await ended.logout();
    await remember(object, rows);
    expect(await object.prepareRestore({ at: moment, askedAt: Date.now() })).toEqual({ ok: true });
    await crash(object);
    await breakOwnersFor(app, uid, failBefore(platformErrors.connectionLost));
    expect((await reconcile({ app, uid })).status).toBe(503);
    expect((await ended.register({ apnsToken: uniqueToken() })).status).toBe(401);
    await crash(await userObject(app, uid));
    expect((await reconcile({ app, uid })).status).toBe(200);
    expect((await ended.register({ apnsToken: uniqueToken() })).status).toBe(401);
  });

  it("the kept marks end when they would have ended, if nobody ever goes on", async ({ expect }) => {
    const start = Date.now();
    setClock(start);
    const { uid, object, moment, rows } = await heldThen();
    await (await loginAs(uid)).logout();
    await remember(object, rows);
    expect(await object.prepareRestore({ at: moment, askedAt: Date.now() })).toEqual({ ok: true });
    const keeper = await keeperOf(app, uid);
    const { fences } = await keeper.marks();
    expect(fences).toHaveLength(1);
    for (let runs = 0; runs < 10; runs++) {
      const at = await runInDurableObject(keeper, (_, { storage }) => storage.getAlarm());
      if (at === null) break;
      setClock(at);
      await runInDurableObject(keeper, (instance) => instance.alarm());
    }
    expect(await tablesOf(keeper)).toEqual([]);
    expect(Date.now()).toBeGreaterThanOrEqual(fences[0]?.until ?? 0);
    // CometChat had confirmed the end: that fence stands for hours only.
    if (identity === "cometchat") expect(Date.now()).toBeLessThan(start + 40 * DAY_MS + HOUR_MS);
  });
});

describe("a restore that is prepared while an operator reconciles", () => {
  it("is told by a 503, for what was reconciled is about to go", async ({ expect }) => {
    const session: TestSession = await login();
    await session.register({ fcmToken: uniqueToken() });
    const object = await userObject("test", session.uid);
    await remember(object, await snapshot(object));
    const { fault, reached, open } = holdBack();
    await breakDirectoryFor("test", session.uid, on("put", fault));
    const reconciling = reconcile({ app: "test", uid: session.uid });
    await reached();
    // Asked after the reconciliation, which counts in milliseconds: else it is a late one, whose restore is over.
    const askedAt = Date.now() + 1;
    expect(await object.prepareRestore({ at: Date.now(), askedAt })).toEqual({ ok: true });
    open();
    expect((await reconciling).status).toBe(503);
  });

  it("is told of a user who holds nothing, too", async ({ expect }) => {
    const uid = uniqueUid();
    const [session, rival] = [await login(uid), await login()];
    const token = uniqueToken();
    await rival.register({ fcmToken: token });
    const object = await userObject("test", uid);
    const { fault, reached, open } = holdBack();
    const refused: Fault = async (_, method, args) => {
      await fault(async () => undefined, method, args);
      throw platformErrors.overloaded();
    };
    await breakOwnersFor("test", uid, refused);
    const registering = session.register({ fcmToken: token });
    await reached();
    const arrival = arrivalOf("marks");
    const reconciling = reconcile({ app: "test", uid });
    await arrival();
    // Nothing to go back to: the user never held anything.
    await remember(object, null);
    expect(await object.prepareRestore({ at: Date.now(), askedAt: Date.now() })).toEqual({ ok: true });
    open();
    expect([(await registering).status, (await reconciling).status]).toEqual([503, 503]);
  });
});

describe("a restore that the platform refuses", () => {
  /** From now on the platform fails at that step. */
  function refuse(object: DurableObjectStub, step: "getBookmarkForTime" | "onNextSessionRestoreBookmark") {
    return runInDurableObject(object, (_, { storage }) => {
      const recovery = { getBookmarkForTime: async () => "a bookmark", [step]: () => Promise.reject(new Error("no")) };
      for (const [name, value] of Object.entries(recovery)) {
        Object.defineProperty(storage, name, { value, configurable: true });
      }
    });
  }

  it.for(["getBookmarkForTime", "onNextSessionRestoreBookmark"] as const)(
    "by %s changes nothing, and the next one counts from its own beginning",
    async (step, { expect }) => {
      const session: TestSession = await login();
      await session.register({ fcmToken: uniqueToken() });
      const object = await userObject("test", session.uid);
      const moment = Date.now();
      await refuse(object, step);
      expect((await restore(session, moment)).status).toBe(500);
      await expect.poll(async () => tablesOf(await keeperOf("test", session.uid))).toEqual([]);
      // What was registered since then is no part of a restore, and the object ends sessions as before.
      const other = await login(session.uid);
      await other.register({ apnsToken: uniqueToken() });
      expect((await other.logout()).status).toBe(200);
      const third = await login(session.uid);
      await third.register({ apnsToken: uniqueToken() });
      await scheduler.wait(2);
      await remember(object, await snapshot(object));
      expect(await restore(session, moment)).toMatchObject({ status: 200, body: { data: { kept: 2, dropped: 0 } } });
    },
  );

  it("drops its marks late, if at all, and then not those of another restore", async ({ expect }) => {
    const keeper = await keeperOf("test", uniqueUid());
    const marks = { fences: [], validFrom: null, kept: null };
    const first = await keeper.keepMarks(marks, 0);
    if (first === null) throw new Error("it kept nothing before");
    await keeper.dropMarks(first);
    await scheduler.wait(2);
    const second = await keeper.keepMarks(marks, 0);
    await keeper.dropMarks(first);
    expect((await keeper.marks()).kept).toEqual(second);
  });

  it("leaves the marks that an earlier attempt needs", async ({ expect }) => {
    const session: TestSession = await login();
    await session.register({ fcmToken: uniqueToken() });
    const object = await userObject("test", session.uid);
    const rows = await snapshot(object);
    const ended = await login(session.uid);
    await ended.logout();
    await remember(object, rows);
    expect(await object.prepareRestore({ at: Date.now(), askedAt: Date.now() })).toEqual({ ok: true });
    await crash(object);
    await refuse(await userObject("test", session.uid), "onNextSessionRestoreBookmark");
    expect((await restore(session, Date.now())).status).toBe(500);
    const kept = await (await keeperOf("test", session.uid)).marks();
    expect(kept.fences.map((fence) => fence.session)).toContain(ended.id);
  });
});

describe("a restore that cannot keep the marks", () => {
  it("changes nothing and says 503", async ({ expect }) => {
    const session: TestSession = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const object = await userObject("test", session.uid);
    await remember(object, await snapshot(object));
    const users = new Proxy(env.USER_TOKENS, {
      get: (target, property) =>
        property === "getByName"
          ? () => ({ keepMarks: () => Promise.reject(platformErrors.connectionLost()) })
          : Reflect.get(target, property),
    });
    await runInDurableObject(
      object,
      (instance) => void Object.assign(instance, { env: { ...env, USER_TOKENS: users } }),
    );
    expect((await restore(session, Date.now() - 1000)).status).toBe(503);
    expect(await session.tokens()).toEqual([token]);
    expect((await session.register({ fcmToken: token })).status).toBe(200);
  });
});
