// What is in an object's memory may be gone before any call. These tests take it away as an eviction does; they do not show
// when the runtime would.
import { evictAllDurableObjects } from "cloudflare:test";
import { describe, it } from "vitest";
import { login, type Reply, serverCall, type TestSession, uniqueUid } from "../support/client.ts";

/** A whole life of two users' devices; answers every reply, in order. `between` runs before each call. */
async function scenario(between: () => Promise<void>): Promise<unknown[]> {
  const id = crypto.randomUUID();
  const replies: Reply[] = [];
  const sessions: TestSession[] = [];
  const [alice, bob] = [`alice-${id}`, `bob-${id}`];
  const token = (name: string) => `${name}-${id}`;

  async function reply(call: () => Promise<Reply>): Promise<void> {
    await between();
    replies.push(await call());
  }
  async function device(uid: string): Promise<TestSession> {
    await between();
    const session = await login(uid);
    sessions.push(session);
    return session;
  }
  async function seen(): Promise<void> {
    for (const uid of [alice, bob]) {
      await reply(() => serverCall("GET", `/v3/users/${uid}/push_tokens`));
      await reply(() => serverCall("GET", `/v3/users/${uid}/sessions`));
    }
  }
  const report = (name: string, code: string) => () =>
    serverCall("POST", "/v3/push_tokens/feedback", { body: { items: [{ token: token(name), kind: "fcm", code }] } });

  const phone = await device(alice);
  const tablet = await device(alice);
  const handset = await device(bob);
  await reply(() => phone.register({ fcmToken: token("a1") }));
  await reply(() => phone.register({ fcmToken: token("a1") }));
  await reply(() => tablet.register({ apnsToken: token("a2"), voipToken: token("a3") }));
  await reply(() => handset.register({ fcmToken: token("b1") }));
  await seen();
  await reply(() => phone.register({ fcmToken: token("rotated") }));
  await reply(() => tablet.register({ fcmToken: token("rotated") }));
  await reply(report("b1", "SENDER_ID_MISMATCH"));
  await reply(report("rotated", "UNAVAILABLE"));
  await seen();
  await reply(() => handset.register({ fcmToken: token("rotated") }));
  await reply(() => serverCall("POST", "/v3/push_tokens/owner", { body: { token: token("rotated") } }));
  await reply(() => phone.register({ fcmToken: token("a1"), voipToken: token("a4") }));
  await reply(() => tablet.register({ fcmToken: token("rotated") }));
  await seen();
  await reply(() => phone.delete());
  await reply(() => phone.register({ fcmToken: token("a1") }));
  await reply(() => tablet.logout());
  await reply(() => tablet.register({ fcmToken: token("rotated") }));
  await reply(() => tablet.call("GET", "/v3.0/me"));
  await reply(() => tablet.logout());
  await reply(() => serverCall("DELETE", `/v3/users/${bob}/sessions/${handset.id}`));
  await reply(() => handset.register({ fcmToken: token("b1") }));
  await seen();
  const second = await device(bob);
  await reply(() => second.register({ fcmToken: token("a1") }));
  await reply(() => phone.register({ fcmToken: token("b1") }));
  await reply(() => second.delete({ all: true }));
  await reply(() => serverCall("DELETE", `/v3/users/${alice}/sessions`));
  await reply(() => phone.register({ fcmToken: token("b1") }));
  const third = await device(alice);
  await reply(() => third.register({ fcmToken: token("b1"), apnsToken: token("a2") }));
  await reply(() => third.call("GET", "/v2/tokens"));
  await reply(() => serverCall("GET", `/v3/users/${alice}/export`));
  await reply(() => serverCall("DELETE", `/v3/users/${alice}`));
  await reply(() => third.register({ fcmToken: token("b1") }));
  await reply(() => second.register({ fcmToken: token("b1") }));
  await seen();
  return replies.map(({ status, body }) => ({ status, body: comparable(body) }));

  /** Without what differs from run to run: ids, times, tickets, versions and hashes. */
  function comparable(body: unknown): unknown {
    const names = new Map(sessions.map((session, i) => [session.id, `session ${i}`]));
    const text = JSON.stringify(body, (key, value) => {
      if (key === "tokenHash" || key === "hash" || key === "user") return "a hash";
      if (key === "unregisterTicket" || key === "authToken") return "a JWT";
      // The record of changes names a token by the beginning of its hash.
      if (key === "token" && String(value).length === 8) return "a short hash";
      if (typeof value === "number" && value > 1e9) return "a time or version";
      return typeof value === "string" ? (names.get(value) ?? value.replaceAll(id, "ID")) : value;
    });
    return sorted(JSON.parse(text));
  }
}

/** Registrations of the same millisecond have no order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, sorted(field)]));
}

describe("promise 5: nothing acknowledged is lost", () => {
  it("by an eviction of every object before every call of two users' whole lives", { timeout: 240_000 }, async ({
    expect,
  }) => {
    const undisturbed = await scenario(async () => undefined);
    expect(undisturbed.length).toBeGreaterThan(50);
    expect(await scenario(() => evictAllDurableObjects())).toEqual(undisturbed);
  });

  it("by evictions while registrations are under way: what was answered 200 is there, and nothing else is", async ({
    expect,
  }) => {
    const uid = uniqueUid();
    const session = await login(uid);
    for (let round = 0; round < 10; round++) {
      const fcmToken = `${uid}-${round}`;
      const registration = session.register({ fcmToken });
      const evicted = evictAllDurableObjects();
      const { status } = await registration;
      await evicted;
      expect([200, 503]).toContain(status);
      if (status === 200) expect(await session.tokens()).toEqual([fcmToken]);
      else expect((await session.tokens()).length).toBeLessThanOrEqual(1);
    }
  });
});
