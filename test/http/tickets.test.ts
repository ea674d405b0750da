import { exports } from "cloudflare:workers";
import { decodeJwt, decodeProtectedHeader, type JWTHeaderParameters, SignJWT, UnsecuredJWT } from "jose";
import { describe, it, vi } from "vitest";
import { createRegistration } from "../../public/client.js";
import { signTicket, verifyTicket } from "../../src/auth/tickets.ts";
import { type App, ConfigError, parseConfig } from "../../src/config/apps.ts";
import { call, login, type Reply, type TestSession, uniqueToken } from "../support/client.ts";

/** A device with the client for apps: what it stored, and its requests that never leave while it is offline. */
class Device {
  isOnline = true;
  readonly #stored = new Map<string, string>();
  readonly client;
  readonly #key: string;

  constructor({ app, authToken }: Pick<TestSession, "app" | "authToken">) {
    this.#key = `push-token-registry:${app}`;
    this.client = createRegistration({
      url: "https://push-notification-us.registry.test",
      appId: app,
      getAuthToken: () => authToken,
      storage: {
        getItem: (key) => this.#stored.get(key),
        setItem: (key, text) => this.#stored.set(key, text),
        removeItem: (key) => this.#stored.delete(key),
      },
      fetch: async (to, init) => {
        if (!this.isOnline) throw new TypeError("no network");
        return await exports.default.fetch(to, init);
      },
    });
  }

  /** Registers what the platform gave; answers the ticket that the client keeps now. */
  async register(wanted: { fcmToken?: string; apnsToken?: string }): Promise<string> {
    const result = await this.client.register(wanted);
    if (!result.ok) throw new Error(JSON.stringify(result));
    return JSON.parse(this.#stored.get(this.#key) ?? "{}").state.ticket;
  }
}

/** As `navigator.sendBeacon(url, ticket)`: text, and no header of the SDK. */
function unregister(ticket: string): Promise<Reply> {
  return call("POST", "/v2/tokens/unregister", {
    headers: { "content-type": "text/plain;charset=UTF-8" },
    body: ticket,
  });
}

async function registered(app = "test") {
  const session = await login(undefined, { app });
  const device = new Device(session);
  const token = uniqueToken();
  return { session, device, token, ticket: await device.register({ fcmToken: token }) };
}

describe("an unregister ticket", () => {
  it("removes the registration that it was given for, without any header", async ({ expect }) => {
    const { session, ticket } = await registered();
    expect(await unregister(ticket)).toMatchObject({ status: 200, body: { data: { success: true } } });
    expect(await session.tokens()).toEqual([]);
  });

  it("is what a logout sends once the network is back, and takes nothing from the next user of the phone", async ({
    expect,
  }) => {
    const { session, device, token } = await registered();
    device.isOnline = false;
    expect(await device.client.logout()).toMatchObject({ ok: false, reason: "queued", pending: 1 });
    expect(await session.tokens()).toEqual([token]);
    const next = await login();
    await next.register({ fcmToken: token });
    device.isOnline = true;
    expect(await device.client.refresh()).toEqual({ ok: true, pending: 0 });
    expect(await next.tokens()).toEqual([token]);
    expect((await session.register({ fcmToken: token })).status).toBe(401);
  });

  it("works after the session has ended and a second time", async ({ expect }) => {
    const { session, ticket } = await registered();
    await session.logout();
    expect((await unregister(ticket)).status).toBe(200);
    expect((await unregister(ticket)).status).toBe(200);
  });

  it("leaves a later registration of the same token in the same session alone", async ({ expect }) => {
    const { session, device, token, ticket } = await registered();
    await session.delete();
    await device.register({ fcmToken: token });
    expect((await unregister(ticket)).status).toBe(200);
    expect(await session.tokens()).toEqual([token]);
  });

  it("leaves the next user of the phone alone", async ({ expect }) => {
    const { token, ticket } = await registered();
    const next = await login();
    await new Device(next).register({ fcmToken: token });
    await unregister(ticket);
    expect(await next.tokens()).toEqual([token]);
  });

  it("leaves the session's other tokens alone", async ({ expect }) => {
    const session = await login();
    const first = await session.register({ fcmToken: uniqueToken() });
    const apnsToken = uniqueToken();
    await session.register({ apnsToken });
    await unregister(first.body.data.unregisterTicket);
    expect(await session.tokens()).toEqual([apnsToken]);
  });

  it("is given again for an unchanged launch, and can do the same", async ({ expect }) => {
    const { session, device, token } = await registered();
    await unregister(await device.register({ fcmToken: token }));
    expect(await session.tokens()).toEqual([]);
  });

  it("is refused if it was tampered with, is empty, or is an auth token", async ({ expect }) => {
    const { session, token, ticket } = await registered();
    const [head, payload, signature] = ticket.split(".");
    const forged = btoa(atob(payload ?? "").replace(session.uid, "another-user")).replaceAll("=", "");
    for (const text of [
      "",
      "nonsense",
      "a.b.c",
      session.authToken,
      `${head}.${forged}.${signature}`,
      ticket.slice(0, -4),
    ]) {
      const reply = await unregister(text);
      expect(reply).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST", details: {} } } });
      expect(reply.headers.get("access-control-allow-origin")).toBe("*");
    }
    expect(await session.tokens()).toEqual([token]);
  });

  it("is no auth token", async ({ expect }) => {
    const { session, ticket } = await registered();
    const reply = await session.call("GET", "/v2/tokens", { headers: { authToken: ticket } });
    expect(reply).toMatchObject({ status: 401, body: { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } } });
  });

  it("of one app does nothing in another with the same user", async ({ expect }) => {
    const { session, token, ticket } = await registered();
    const twin = await login(session.uid, { app: "other" });
    await twin.register({ fcmToken: token });
    await unregister(ticket);
    expect(await twin.tokens()).toEqual([token]);
  });
});

describe("signing and verifying", () => {
  const SLOT = { kind: "fcm" as const, hash: "h".repeat(43), registeredAt: 1_999_999_000_000 };
  const TICKET = { uid: "alice", session: "a-session", slots: [SLOT] };
  const key = (kid: string) => ({ kid, secret: `signing-key-with-the-name-${kid}-and-more` });

  function appWith(kids: string[], settings: object = {}, appId = "one"): App {
    const secrets = { signingKeys: kids.map(key), apiKeys: [] };
    const app = parseConfig({ APP_ONE: { appId, ...settings }, SECRETS_ONE: secrets }).apps.get(appId);
    if (app === undefined || app instanceof ConfigError) throw new Error(`refused: ${app?.message}`);
    return app;
  }

  async function signed(app: App): Promise<string> {
    const ticket = await signTicket(app, TICKET);
    if (ticket === null) throw new Error("no ticket");
    return ticket;
  }

  it("gives no ticket without a signing key, or for nothing", async ({ expect }) => {
    expect(await signTicket(appWith([]), TICKET)).toBeNull();
    expect(await signTicket(appWith(["k"]), { ...TICKET, slots: [] })).toBeNull();
  });

  it("binds a ticket to app, user, session, kind, token hash and time, and holds no token", async ({ expect }) => {
    const ticket = await signed(appWith(["k"]));
    expect(await verifyTicket(appWith(["k"]), ticket)).toEqual(TICKET);
    expect(decodeProtectedHeader(ticket)).toEqual({ alg: "HS256", typ: "unregister+jwt", kid: "k" });
    expect(decodeJwt(ticket)).toEqual({
      app: "one",
      sub: "alice",
      sid: "a-session",
      slots: [SLOT],
      exp: expect.any(Number),
    });
  });

  it("goes on through a rotation, until the old key is taken out", async ({ expect }) => {
    const ticket = await signed(appWith(["old"]));
    expect(await verifyTicket(appWith(["new", "old"]), ticket)).toEqual(TICKET);
    expect(await verifyTicket(appWith(["new"]), ticket)).toBeNull();
  });

  it("refuses another app's ticket, even where both have the same key", async ({ expect }) => {
    const ticket = await signed(appWith(["k"], {}, "one"));
    expect(await verifyTicket(appWith(["k"], {}, "two"), ticket)).toBeNull();
  });

  it("lives as long as a registration is kept without a launch", async ({ expect }) => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const app = appWith(["k"], { retentionDays: 10 });
      vi.setSystemTime(1_999_999_000_000);
      const ticket = await signed(app);
      vi.setSystemTime(1_999_999_000_000 + 10 * 86_400_000 - 1_000);
      expect(await verifyTicket(app, ticket)).toEqual(TICKET);
      vi.setSystemTime(1_999_999_000_000 + 10 * 86_400_000 + 1_000);
      expect(await verifyTicket(app, ticket)).toBeNull();
    } finally {
      vi.useRealTimers();
    }
  });

  it("refuses a ticket without signature, with another algorithm, or with an auth token's type", async ({ expect }) => {
    const app = appWith(["k"]);
    const { secret } = key("k");
    const claims = { app: "one", sid: "a-session", slots: [SLOT] };
    const sign = (header: JWTHeaderParameters) =>
      new SignJWT(claims)
        .setProtectedHeader(header)
        .setSubject("alice")
        .setExpirationTime("1h")
        .sign(new TextEncoder().encode(secret));
    const unsigned = new UnsecuredJWT(claims).setSubject("alice").setExpirationTime("1h").encode();
    const wrong = [
      unsigned,
      await sign({ alg: "HS512", typ: "unregister+jwt", kid: "k" }),
      await sign({ alg: "HS256", typ: "auth+jwt", kid: "k" }),
      await sign({ alg: "HS256", kid: "k" }),
    ];
    for (const ticket of wrong) expect(await verifyTicket(app, ticket)).toBeNull();
  });
});
