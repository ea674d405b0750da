// Everything held about a user, and its erasure. test/system/erasure.test.ts looks at the files.

import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, it, onTestFinished, vi } from "vitest";
import { tokenHash, tokenOwnersName, userHash } from "../../src/durable/names.ts";
import { CHANGES_KEPT_MS } from "../../src/limits.ts";
import { JWT_SECRETS } from "../support/apps.ts";
import { login, serverCall, uniqueToken, uniqueUid } from "../support/client.ts";
import { chatSession } from "../support/cometchat.ts";
import { breakOwnersFor, crash, failBefore, platformErrors, userObject } from "../support/faults.ts";
import { jwtLogin, secretKey } from "../support/issuer.ts";

const SECRET = secretKey(JWT_SECRETS[0]?.secret ?? "", "now");

function exportOf(uid: string, app = "test") {
  return serverCall("GET", `/v3/users/${uid}/export`, {}, app);
}

function erase(uid: string, app = "test") {
  return serverCall("DELETE", `/v3/users/${uid}`, {}, app);
}

async function ownersOf(token: string, app = "test") {
  const hash = await tokenHash("fcm", token);
  return env.TOKEN_OWNERS.getByName(tokenOwnersName(app, hash)).owners(hash);
}

/** What a user's object holds, table by table. */
async function rowsOf(uid: string, app = "test") {
  return runInDurableObject(await userObject(app, uid), (_, { storage }) => ({
    registrations: storage.sql.exec("SELECT * FROM registrations").toArray(),
    facts: storage.sql.exec("SELECT fact FROM facts WHERE fact <> 'schema'").toArray(),
  }));
}

/** Every time that the whole database is deleted from now on, and the statements after it that change something. */
async function spyOnDeleteAll(object: DurableObjectStub): Promise<{ deleted: string[]; writtenAfter: string[] }> {
  const deleted: string[] = [];
  const writtenAfter: string[] = [];
  await runInDurableObject(object, (_, { storage }) => {
    const deleteAll = storage.deleteAll.bind(storage);
    const exec = storage.sql.exec.bind(storage.sql);
    Object.defineProperty(storage, "deleteAll", {
      value: () => {
        deleted.push("deleteAll");
        return deleteAll();
      },
    });
    Object.defineProperty(storage.sql, "exec", {
      value: (statement: string, ...bindings: SqlStorageValue[]) => {
        if (deleted.length > 0 && !/^\s*SELECT/i.test(statement)) writtenAfter.push(statement);
        return exec(statement, ...bindings);
      },
    });
  });
  return { deleted, writtenAfter };
}

/** A user with a registration, an ended session, a token taken from someone, and a record of all that. */
async function userWithHistory() {
  const someone = await login();
  const token = uniqueToken();
  await someone.register({ fcmToken: token });
  const session = await login();
  await session.register({ fcmToken: token });
  const ended = await login(session.uid);
  await ended.register({ apnsToken: uniqueToken() });
  await ended.logout();
  return { session, ended, token };
}

describe("GET /v3/users/{uid}/export", () => {
  it("holds registrations, fences, takeovers, the record of changes and the owner entries", async ({ expect }) => {
    const { session, ended, token } = await userWithHistory();
    const { status, body } = await exportOf(session.uid);
    const hash = await tokenHash("fcm", token);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      uid: session.uid,
      validFrom: 0,
      registrations: [{ session: session.id, kind: "fcm", token, hash, platform: "android" }],
      fences: [{ session: ended.id, until: expect.any(Number) }],
      takeovers: { count: 1 },
      owners: [{ tokenHash: hash, user: await userHash("test", session.uid) }],
    });
    expect(body.data.owners[0].version).toBe(body.data.registrations[0].version);
    const changes = body.data.changes.map((entry: { change: string; session: string }) => [
      entry.change,
      entry.session,
    ]);
    expect(changes).toEqual([
      ["taken_from_another_user", session.id],
      ["registered", ended.id],
      ["logged_out", ended.id],
    ]);
    expect(body.data.fences[0].until).toBeGreaterThan(Date.now() + 89 * 86_400_000);
  });

  it("says nothing of the other users that share a token", async ({ expect }) => {
    const [one, other] = [await login(uniqueUid(), { app: "shared" }), await login(uniqueUid(), { app: "shared" })];
    const token = uniqueToken();
    for (const session of [one, other]) await session.register({ fcmToken: token });
    const { body } = await exportOf(one.uid, "shared");
    expect(await ownersOf(token, "shared")).toHaveLength(2);
    expect(body.data.owners).toMatchObject([{ user: await userHash("shared", one.uid) }]);
    expect(JSON.stringify(body)).not.toContain(await userHash("shared", other.uid));
  });

  it("answers 404 for a user of whom nothing is held, also in another app", async ({ expect }) => {
    const { session } = await userWithHistory();
    for (const reply of [await exportOf(uniqueUid()), await exportOf(session.uid, "other")]) {
      expect(reply).toMatchObject({ status: 404, body: { error: { code: "ERR_UID_NOT_FOUND" } } });
    }
  });
});

describe("DELETE /v3/users/{uid}", () => {
  it("leaves one timestamp, and no owner entry", async ({ expect }) => {
    const { session, token } = await userWithHistory();
    const before = Date.now();
    expect(await ownersOf(token)).toHaveLength(1);
    expect(await erase(session.uid)).toMatchObject({ status: 200, body: { data: { success: true } } });
    expect(await rowsOf(session.uid)).toEqual({ registrations: [], facts: [{ fact: "valid_from" }] });
    expect(await ownersOf(token)).toEqual([]);
    const { body } = await exportOf(session.uid);
    expect(body.data).toMatchObject({ registrations: [], fences: [], takeovers: null, changes: [], owners: [] });
    expect(body.data.validFrom).toBeGreaterThanOrEqual(before);
  });

  it("makes every auth token of before dead, and none of after", async ({ expect }) => {
    const session = await login();
    const idle = await login(session.uid);
    await session.register({ fcmToken: uniqueToken() });
    await erase(session.uid);
    for (const dead of [session, idle]) {
      expect(await dead.register({ fcmToken: uniqueToken() })).toMatchObject({
        status: 401,
        body: { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } },
      });
    }
    expect((await rowsOf(session.uid)).registrations).toEqual([]);
    const back = await login(session.uid);
    const token = uniqueToken();
    expect((await back.register({ fcmToken: token })).status).toBe(200);
    expect(await back.tokens()).toEqual([token]);
  });

  it.for([
    ["minted auth tokens", "test", async (uid: string) => await login(uid)],
    [
      "an own login",
      "jwt-secret",
      async (uid: string) => await jwtLogin("SECRET", { key: SECRET, claims: { sub: uid } }),
    ],
    ["CometChat's auth tokens", "chat", async (uid: string) => await chatSession({ uid })],
  ] as const)(
    "with %s never empties the database while something keeps older auth tokens out",
    async ([, app, loginAs], { expect }) => {
      const uid = uniqueUid();
      const [held, ended] = [await loginAs(uid), await loginAs(uid)];
      const token = uniqueToken();
      await held.register({ fcmToken: token });
      await ended.register({ apnsToken: uniqueToken() });
      await ended.logout();
      const object = await userObject(app, uid);
      const { deleted } = await spyOnDeleteAll(object);
      expect((await erase(uid, app)).status).toBe(200);
      // Again, and by the alarm: what the first one left is still there.
      expect((await erase(uid, app)).status).toBe(200);
      await runDurableObjectAlarm(object);
      expect(deleted).toEqual([]);
      const { fences, validFrom } = await object.marks();
      expect(fences.length + (validFrom === null ? 0 : 1)).toBeGreaterThan(0);
      await crash(object);
      for (const session of [held, ended]) {
        expect((await session.register({ fcmToken: uniqueToken() })).status).toBe(401);
      }
      expect(await rowsOf(uid, app)).toMatchObject({ registrations: [] });
    },
  );

  it("writes nothing into the database after it was emptied", async ({ expect }) => {
    // CometChat's auth tokens have no time: after a DELETE nothing has to stay, once the record of it is over.
    const session = await chatSession();
    await session.register({ fcmToken: uniqueToken() });
    await session.delete();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + CHANGES_KEPT_MS });
    onTestFinished(() => void vi.useRealTimers());
    const object = await userObject("chat", session.uid);
    const { deleted, writtenAfter } = await spyOnDeleteAll(object);
    expect((await erase(session.uid, "chat")).status).toBe(200);
    expect(deleted).toHaveLength(1);
    expect(writtenAfter).toEqual([]);
    expect(await runInDurableObject(object, (_, { storage }) => storage.getAlarm())).toBeNull();
  });

  it("that waits for an owner object goes on by the alarm, and keeps what must stay at every moment", async ({
    expect,
  }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    await breakOwnersFor("test", session.uid, failBefore(platformErrors.connectionLost));
    const object = await userObject("test", session.uid);
    const { deleted } = await spyOnDeleteAll(object);
    expect((await erase(session.uid)).status).toBe(503);
    await runDurableObjectAlarm(object);
    expect(await ownersOf(token)).toHaveLength(1);
    await runInDurableObject(object, (instance) => void Object.assign(instance, { env }));
    await runDurableObjectAlarm(object);
    expect(await ownersOf(token)).toEqual([]);
    expect(deleted).toEqual([]);
    expect((await rowsOf(session.uid)).facts).toEqual([{ fact: "valid_from" }]);
    expect((await session.register({ fcmToken: token })).status).toBe(401);
  });

  it("leaves no trace of a user whose token was taken in the owner object that remembers it", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    await bob.register({ fcmToken: token });
    const owners = env.TOKEN_OWNERS.getByName(tokenOwnersName("test", await tokenHash("fcm", token)));
    const windows = async () =>
      JSON.stringify(
        await runInDurableObject(owners, (_, { storage }) => storage.sql.exec("SELECT * FROM facts").toArray()),
      );
    const me = await userHash("test", alice.uid);
    expect(await windows()).toContain(me);
    expect((await erase(alice.uid)).status).toBe(200);
    expect(await windows()).not.toContain(me);
    expect(await bob.tokens()).toEqual([token]);
  });

  it("is safe to repeat, and leaves other users and apps alone", async ({ expect }) => {
    const session = await login();
    const twin = await login(session.uid, { app: "other" });
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    await twin.register({ fcmToken: token });
    expect((await erase(session.uid)).status).toBe(200);
    expect((await erase(session.uid)).status).toBe(200);
    expect((await erase(uniqueUid())).status).toBe(200);
    expect(await twin.tokens()).toEqual([token]);
    expect(await ownersOf(token, "other")).toHaveLength(1);
  });

  it("answers 503 until the owner objects have answered, and keeps no token meanwhile", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    await breakOwnersFor("test", session.uid, failBefore(platformErrors.connectionLost));
    const refused = await erase(session.uid);
    expect(refused).toMatchObject({ status: 503, body: { error: { code: "ERR_OPERATION_FAILED" } } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await rowsOf(session.uid)).registrations).toEqual([]);
    expect(await ownersOf(token)).toHaveLength(1);
    await runInDurableObject(await userObject("test", session.uid), (instance) => {
      Object.assign(instance, { env });
    });
    expect((await erase(session.uid)).status).toBe(200);
    expect(await ownersOf(token)).toEqual([]);
    expect((await rowsOf(session.uid)).facts).toEqual([{ fact: "valid_from" }]);
  });

  it("keeps no muted session meanwhile, also where sessions outlive their auth tokens", async ({ expect }) => {
    const session = await jwtLogin("SECRET", { key: SECRET });
    const { app, uid, id } = session;
    const facts = async () => (await rowsOf(uid, app)).facts.map(({ fact }) => fact);
    await session.register({ fcmToken: uniqueToken() });
    await session.call("PATCH", `/v3.0/me/devices/${id}`, { body: { muted: true } });
    await session.delete();
    await (await jwtLogin("SECRET", { key: SECRET, claims: { sub: uid } })).register({ fcmToken: uniqueToken() });
    expect(await facts()).toContain("muted");
    await breakOwnersFor(app, uid, failBefore(platformErrors.connectionLost));
    expect((await erase(uid, app)).status).toBe(503);
    expect(await facts()).not.toContain("muted");
  });
});
