// The calls of the SDKs' init, login and logout: what they are told, and that a logout is for good.
import { exports } from "cloudflare:workers";
import { describe, it } from "vitest";
import { tokenHash } from "../../src/durable/names.ts";
import { DEAD, forge, outcome } from "../support/auth-tokens.ts";
import { login, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import { breakOwnersFor, on } from "../support/faults.ts";
import { arrivalOf, ownerObject, userObject } from "../support/objects.ts";

const SETTINGS = {
  REGION: "us",
  EXTENSION_DOMAIN: "registry.test",
  CHAT_API_VERSION: "v3.0",
  CLIENT_API_HOST: "push-notification-us.registry.test",
  ADMIN_API_HOST: "push-notification-us.registry.test",
  APP_VERSION: 4,
  MODE: "DEFAULT",
  ANALYTICS_PING_DISABLED: true,
  extensions: [{ id: "push-notification" }],
};

describe("login and init", () => {
  it("are told the user, the very auth token that they sent, and our hosts", async ({ expect }) => {
    const session = await login();
    const data = {
      uid: session.uid,
      name: session.uid,
      authToken: session.authToken,
      wsChannel: {},
      settings: SETTINGS,
    };
    const body = { platform: "WEB", deviceId: "test_x_1", appInfo: { version: "v4.2.0", apiVersion: "v3.0" } };
    for (const path of ["/v3.0/me", "/v3/me", "//v3.0//me/"]) {
      expect(await session.call("PUT", path, { body })).toMatchObject({ status: 200, body: { data } });
      expect((await session.call("PUT", path)).body).toEqual({ data });
      expect((await session.call("GET", path)).body).toEqual({ data });
    }
  });

  it("are told the settings alone, and may send their telemetry", async ({ expect }) => {
    const session = await login();
    for (const prefix of ["/v3", "/v3.0"]) {
      expect((await session.call("GET", `${prefix}/settings`)).body).toEqual({ data: SETTINGS });
      const telemetry = await session.call("POST", `${prefix}/user_sessions`, { body: "not even JSON" });
      expect(telemetry).toMatchObject({ status: 200, body: { data: {} } });
    }
  });
});

/** Where an SDK sends callExtension and the rest, by the settings that it got at `url`. */
async function hostsBy(url: string, { app = "test" } = {}) {
  const { authToken } = await login(uniqueUid(), { app });
  const response = await exports.default.fetch(`${url}/v3.0/settings`, { headers: { appId: app, authToken } });
  const { data } = (await response.json()) as { data: typeof SETTINGS };
  return [`push-notification-${data.REGION}.${data.EXTENSION_DOMAIN}`, data.CLIENT_API_HOST, data.ADMIN_API_HOST];
}

describe("the hosts in settings", () => {
  it.for([
    ["https://push-notification-us.acme.workers.dev", "push-notification-us.acme.workers.dev"],
    ["https://push-notification-eu.example.com", "push-notification-eu.example.com"],
    ["https://push-notification-us.example.com:8443", "push-notification-us.example.com:8443"],
  ] as const)("are that host itself, for every call, at %s", async ([url, host], { expect }) => {
    expect(await hostsBy(url)).toEqual([host, host, host]);
  });

  it.for([
    ["https://tokens.example.com", "tokens.example.com"],
    ["http://localhost:8787", "localhost:8787"],
    ["http://127.0.0.1:8787", "localhost:8787"],
    ["http://192.168.1.20", "localhost"],
    ["http://[::1]:8787", "localhost:8787"],
    ["http://[2001:db8::1]", "localhost"],
    ["https://push-notification-us", "push-notification-us"],
  ] as const)("put the extension's name before the host at %s", async ([url, host], { expect }) => {
    expect(await hostsBy(url)).toEqual([`push-notification-us.${host}`, host, host]);
  });

  it("are the app's public host, if it has one, wherever the request came to", async ({ expect }) => {
    const host = "push-notification-us.example.com";
    for (const url of ["https://other.example", "http://127.0.0.1:8787"]) {
      expect(await hostsBy(url, { app: "origins" })).toEqual([host, host, host]);
    }
  });

  it("have the app's region where the host names none", async ({ expect }) => {
    expect((await hostsBy("https://tokens.example.com", { app: "other" }))[0]).toBe(
      "push-notification-eu.tokens.example.com",
    );
  });
});

async function heldBy({ app, uid }: TestSession): Promise<string[]> {
  const { registrations } = await (await userObject(app, uid)).export();
  return registrations.map(({ token }) => token);
}

describe("promise 2: a logged-out session stays out", () => {
  it("holds nothing, registers and reads nothing, and its tokens are nobody's", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token, apnsToken: uniqueToken(), voipToken: uniqueToken() });
    const sibling = await login(session.uid);
    const other = uniqueToken();
    await sibling.register({ fcmToken: other });
    expect(await session.logout()).toMatchObject({ status: 200, body: { data: { success: true } } });
    expect(await sibling.tokens()).toEqual([other]);
    for (let i = 0; i < 2; i++) {
      expect(outcome(await session.register({ fcmToken: token }))).toEqual(DEAD);
      for (const [method, path] of [
        ["GET", "/v2/tokens"],
        ["GET", "/v3.0/me"],
        ["PUT", "/v3.0/me"],
        ["GET", "/v3.0/settings"],
      ] as const) {
        expect(outcome(await session.call(method, path))).toEqual(DEAD);
      }
      expect(outcome(await session.delete({ all: true }))).toEqual(DEAD);
    }
    expect(await sibling.tokens()).toEqual([other]);
    const owners = await (await ownerObject("test", token)).owners(await tokenHash("fcm", token));
    expect(owners).toEqual([]);
  });

  it("also one that logs out without ever having registered", async ({ expect }) => {
    const session = await login();
    await session.logout();
    expect(outcome(await session.register({ fcmToken: uniqueToken() }))).toEqual(DEAD);
  });

  it("answers a second logout, and a removal after it, with success", async ({ expect }) => {
    const session = await login();
    await session.register({ fcmToken: uniqueToken() });
    for (let i = 0; i < 3; i++) expect(outcome(await session.logout())).toEqual([200, "ok"]);
    expect(outcome(await session.delete())).toEqual([200, "ok"]);
  });

  it("refuses a registration that was already on its way, with a claim that had yet to be granted", async ({
    expect,
  }) => {
    const [session, owner] = [await login(), await login()];
    const token = uniqueToken();
    await owner.register({ fcmToken: token });
    const claim = { begun: false, goOn: false };
    await breakOwnersFor(
      "test",
      session.uid,
      on("claim", async (call) => {
        claim.begun = true;
        while (!claim.goOn) await scheduler.wait(5);
        return call();
      }),
    );
    const registration = session.register({ fcmToken: token });
    while (!claim.begun) await scheduler.wait(5);
    const arrival = arrivalOf("endSession");
    const logout = session.logout();
    await arrival();
    expect(outcome(await session.call("GET", "/v2/tokens"))).toEqual(DEAD);
    claim.goOn = true;
    expect(outcome(await registration)).toEqual(DEAD);
    expect(outcome(await logout)).toEqual([200, "ok"]);
    expect(await heldBy(session)).toEqual([]);
  });

  it("refuses registrations however they race with the logout", async ({ expect }) => {
    for (let round = 0; round < 10; round++) {
      const session = await login();
      const registrations = [0, 1, 2].map(() =>
        session.register({ fcmToken: uniqueToken(), voipToken: uniqueToken() }),
      );
      const replies = [...registrations, session.logout(), session.register({ fcmToken: uniqueToken() })];
      for (const reply of await Promise.all(replies)) expect([200, 401]).toContain(reply.status);
      expect(await heldBy(session)).toEqual([]);
    }
  });

  it("for as long as its auth token lives, also when that is longer than any minted now", async ({ expect }) => {
    const exp = Math.floor(Date.now() / 1000) + 400 * 86_400;
    const session = await forge({ claims: { exp } });
    await session.register({ fcmToken: uniqueToken() });
    await session.logout();
    const { fences } = await (await userObject("test", session.uid)).export();
    expect(fences).toEqual([{ session: session.id, until: exp * 1000 + 30_000 }]);
  });
});
