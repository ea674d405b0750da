// Clients that do what is allowed, far too often: what they leave behind is bounded.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, it, vi } from "vitest";
import { tokenHash, tokenOwnersName } from "../../src/durable/names.ts";
import { CHANGES_MAX, FENCES_MAX, TAKEOVER_WINDOW_MS } from "../../src/limits.ts";
import { call, login, serverCall, uniqueToken, uniqueUid } from "../support/client.ts";
import { userObject } from "../support/faults.ts";

const HOUR_MS = 3_600_000;

/** What the user's object holds, in rows and bytes. */
async function sizeOf(app: string, uid: string) {
  return runInDurableObject(await userObject(app, uid), (_, { storage }) => {
    const hasTables = storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'facts'").toArray().length > 0;
    const count = (fact: string) =>
      hasTables ? Number(storage.sql.exec("SELECT count(*) AS n FROM facts WHERE fact = ?", fact).one().n) : 0;
    return { hasTables, fences: count("fence"), takeovers: count("takeovers"), bytes: storage.sql.databaseSize };
  });
}

describe("a client that logs in without end", () => {
  it("leaves nothing behind until it registers or logs out", async ({ expect }) => {
    const uid = uniqueUid();
    for (let i = 0; i < 200; i += 1) await login(uid);
    expect(await sizeOf("test", uid)).toMatchObject({ hasTables: false, fences: 0 });
  });

  it("and logs out is bounded in its fences, and no session of it comes back", async ({ expect }) => {
    const uid = uniqueUid();
    const earliest = await login(uid);
    await earliest.logout();
    const object = await userObject("test", uid);
    const now = Date.now();
    // The 100,000 logouts of a very busy client, by a hundredth: beyond FENCES_MAX each one makes room for the next.
    const logouts = FENCES_MAX + 200;
    const largest = await runInDurableObject(object, async (instance, { storage }) => {
      let bytes = 0;
      for (let i = 0; i < logouts; i += 1) {
        const fence = { ms: 90 * 24 * HOUR_MS, open: false };
        await instance.endSession({ session: `session-${i}`, issuedAt: now + i, fence, trustedTime: true });
        if (i < FENCES_MAX) bytes = Math.max(bytes, storage.sql.databaseSize);
      }
      return bytes;
    });
    const size = await sizeOf("test", uid);
    expect(size.fences).toBe(FENCES_MAX);
    expect(size.bytes).toBeLessThan(200 * 1024);
    // The logouts beyond the limit took no more room, but for pages that are not full.
    expect(size.bytes).toBeLessThanOrEqual(largest + 16_384);
    expect((await earliest.register({ fcmToken: uniqueToken() })).status).toBe(401);
    for (const i of [0, 150, logouts - 1]) {
      const session = { id: `session-${i}`, issuedAt: now + i, usableUntil: null };
      expect(await object.check(session)).toMatchObject({ ok: false });
    }
    const later = { id: "later", issuedAt: now + logouts + 1000, usableUntil: null };
    expect(await object.check(later)).toEqual({ ok: true });
  });
});

describe("a client that rotates its token without end", () => {
  it("holds one registration, a bounded record, and no earlier token on record", async ({ expect }) => {
    const session = await login();
    const tokens = Array.from({ length: CHANGES_MAX + 10 }, () => uniqueToken());
    for (const fcmToken of tokens) expect((await session.register({ fcmToken })).status).toBe(200);
    expect(await session.tokens()).toEqual(tokens.slice(-1));
    const { body } = await serverCall("GET", `/v3/users/${session.uid}/export`);
    expect(body.data.changes).toHaveLength(CHANGES_MAX);
    const owned = await Promise.all(
      tokens.map(async (token) => {
        const hash = await tokenHash("fcm", token);
        return env.TOKEN_OWNERS.getByName(tokenOwnersName("test", hash)).owners(hash);
      }),
    );
    expect(owned.flat()).toHaveLength(1);
    expect((await sizeOf("test", session.uid)).bytes).toBeLessThanOrEqual(24 * 1024);
  });
});

describe("a client that takes tokens with ever new sessions", () => {
  it("leaves one counter behind, whatever the number of sessions and hours", async ({ expect }) => {
    const uid = uniqueUid();
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      for (let hour = 0; hour < 3; hour += 1) {
        for (let i = 0; i < 4; i += 1) {
          const victim = await login();
          const token = uniqueToken();
          await victim.register({ fcmToken: token });
          expect((await (await login(uid)).register({ fcmToken: token })).status).toBe(200);
        }
        expect((await sizeOf("test", uid)).takeovers).toBe(1);
        vi.setSystemTime(Date.now() + TAKEOVER_WINDOW_MS + 1);
      }
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a header that is too long", () => {
  it.for(["appId", "authToken", "apikey", "sdk", "user-agent", "resource"])(
    "%s of 8,000 characters changes nothing",
    async (name, { expect }) => {
      const session = await login();
      const headers = { appId: "test", authToken: session.authToken, [name]: "x".repeat(8000) };
      const { status } = await call("POST", "/v2/tokens", { headers, body: { fcmToken: uniqueToken() } });
      const isCredential = name === "appId" || name === "authToken";
      expect(status).toBe(isCredential ? 401 : 200);
      expect(await session.tokens()).toHaveLength(isCredential ? 0 : 1);
    },
  );
});
