// Which API key may do what, and what the log says of it.
import { describe, it, vi } from "vitest";
import { API_KEYS, ROTATED_KEYS } from "../support/apps.ts";
import { aimAt, SERVER_CALLS } from "../support/calls.ts";
import { call, login, serverCall, uniqueToken, uniqueUid } from "../support/client.ts";

type Scope = keyof typeof API_KEYS;

const CALLS = SERVER_CALLS.map((operation) => ({
  ...operation,
  /** As the log names it. */
  pattern: operation.path.replace(/\{(\w+)\}/g, ":$1"),
}));

async function registered() {
  const session = await login();
  const token = uniqueToken();
  await session.register({ fcmToken: token });
  return { session, token };
}

describe.each(CALLS)("$method $pattern", ({ method, pattern, scopes, elsewhere, ...operation }) => {
  const aim = (uid: string, sid: string, pushToken: string) => aimAt(operation, { uid, sid, pushToken });

  it(`works with keys of the scopes ${scopes.join(" and ")}, and with no other`, async ({ expect }) => {
    for (const scope of Object.keys(API_KEYS) as Scope[]) {
      const { session, token } = await registered();
      const { path, body } = aim(session.uid, session.id, token);
      const reply = await call(method, path, { body, headers: { appId: "test", apikey: API_KEYS[scope] } });
      if (scopes.includes(scope)) {
        expect(reply).toMatchObject(
          elsewhere === undefined ? { status: 200, body: { data: {} } } : { status: elsewhere },
        );
      } else {
        expect(reply).toMatchObject({ status: 403, body: { error: { code: "AUTH_ERR_NO_ACCESS" } } });
        expect(await session.tokens()).toEqual([token]);
      }
    }
  });

  it("is refused without a key, with a wrong key, and with one of another app", async ({ expect }) => {
    const { session, token } = await registered();
    const { path, body } = aim(session.uid, session.id, token);
    const refusals = [
      [{ appId: "test" }, "AUTH_ERR_EMPTY_APIKEY"],
      [{ appId: "test", apikey: "no-such-key" }, "AUTH_ERR_APIKEY_NOT_FOUND"],
      [{ appId: "test", apikey: ROTATED_KEYS.now }, "AUTH_ERR_APIKEY_NOT_FOUND"],
      [{ appId: "keys", apikey: API_KEYS.fullAccess }, "AUTH_ERR_APIKEY_NOT_FOUND"],
      [{ apikey: API_KEYS.fullAccess }, "AUTH_ERR_EMPTY_APPID"],
      [{ appId: "nobody", apikey: API_KEYS.fullAccess }, "AUTH_ERR_INVALID_APPID"],
      [{ appId: "test", authToken: session.authToken }, "AUTH_ERR_EMPTY_APIKEY"],
    ] as const;
    for (const [headers, code] of refusals) {
      expect(await call(method, path, { body, headers })).toMatchObject({
        status: 401,
        body: { error: { code } },
      });
    }
    expect(await session.tokens()).toEqual([token]);
  });

  it("leaves one log line with its pattern, app, key and status, never the uid, and none without a key of the app", async ({
    expect,
  }) => {
    const { session, token } = await registered();
    const { path, body } = aim(session.uid, session.id, token);
    const lines = vi.spyOn(console, "log");
    await serverCall(method, path, { body });
    await call(method, path, { body, headers: { appId: "test", apikey: "no-such-key" } });
    const written = lines.mock.calls.flat().map(String);
    lines.mockRestore();
    const calls = written.map((line) => JSON.parse(line)).filter(({ message }) => message === "server call");
    expect(calls).toMatchObject([
      {
        level: "info",
        app: "test",
        key: "test-fullAccess",
        call: `${method} ${pattern}`,
        status: elsewhere ?? 200,
      },
    ]);
    expect(written.join("\n")).not.toContain(session.uid);
    expect(written.join("\n")).not.toContain("no-such-key");
  });
});

describe("API keys of one app", () => {
  it("are all alive during a rotation, and each is named in the log", async ({ expect }) => {
    const lines = vi.spyOn(console, "log");
    for (const apikey of [ROTATED_KEYS.before, ROTATED_KEYS.now]) {
      const reply = await call("GET", `/v3/users/${uniqueUid()}/push_tokens`, { headers: { appId: "keys", apikey } });
      expect(reply.status).toBe(200);
    }
    const names = lines.mock.calls.map(([line]) => JSON.parse(String(line)).key);
    lines.mockRestore();
    expect(names).toEqual(["sender-2026-10", "sender-2026-11"]);
  });

  it("are not read from the URL", async ({ expect }) => {
    const path = `/v3/users/${uniqueUid()}/push_tokens?apikey=${API_KEYS.fullAccess}&appId=test`;
    expect((await call("GET", path)).body.error.code).toBe("AUTH_ERR_EMPTY_APPID");
    expect((await call("GET", path, { headers: { appId: "test" } })).body.error.code).toBe("AUTH_ERR_EMPTY_APIKEY");
  });
});

describe("POST /v3/users/{uid}/auth_tokens", () => {
  it("mints an auth token that says whose it is, of which app and for how long", async ({ expect }) => {
    const uid = uniqueUid();
    const before = Date.now() / 1000;
    const { body } = await serverCall("POST", `/v3/users/${uid}/auth_tokens`, { body: { lifetimeSeconds: 600 } });
    expect(body.data).toMatchObject({ uid, authToken: expect.any(String), createdAt: expect.any(Number) });
    const payload = JSON.parse(atob(body.data.authToken.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    expect(payload).toMatchObject({ sub: uid, app: "test", sid: expect.any(String) });
    expect(payload.iat).toBeGreaterThanOrEqual(Math.floor(before));
    expect(payload.exp - payload.iat).toBeCloseTo(600, 3);
  });

  it("makes a session of its own each time", async ({ expect }) => {
    const uid = uniqueUid();
    const [one, other] = [await login(uid), await login(uid)];
    expect(one.id).not.toBe(other.id);
    const tokens = [uniqueToken(), uniqueToken()];
    await one.register({ fcmToken: tokens[0] });
    await other.register({ fcmToken: tokens[1] });
    expect((await one.tokens()).sort()).toEqual(tokens.sort());
  });

  it("refuses a wrong lifetime or flag, and names the field", async ({ expect }) => {
    const wrong = [
      [{ lifetimeSeconds: 59 }, "lifetimeSeconds"],
      [{ lifetimeSeconds: 90 * 86_400 + 1 }, "lifetimeSeconds"],
      [{ lifetimeSeconds: "600" }, "lifetimeSeconds"],
      [{ force: "yes" }, "force"],
    ] as const;
    for (const [body, field] of wrong) {
      const reply = await serverCall("POST", `/v3/users/${uniqueUid()}/auth_tokens`, { body });
      expect(reply).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST" } } });
      expect(Object.keys(reply.body.error.details)).toEqual([field]);
    }
  });

  it("refuses a uid of 256 characters or with a control character", async ({ expect }) => {
    for (const uid of ["u".repeat(256), "a%0Ab"]) {
      const reply = await serverCall("POST", `/v3/users/${uid}/auth_tokens`);
      expect(reply).toMatchObject({ status: 400, body: { error: { details: { uid: [expect.any(String)] } } } });
    }
    expect((await serverCall("POST", `/v3/users/${"u".repeat(255)}/auth_tokens`)).status).toBe(200);
  });
});
