// The page of an app that lists its user's devices, logs one out or mutes one.
import { describe, it, vi } from "vitest";
import { sha256 } from "../../src/durable/names.ts";
import { JWT_SECRETS } from "../support/apps.ts";
import { login, serverCall, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import { chatSession, cometchat } from "../support/cometchat.ts";
import { jwtLogin, secretKey } from "../support/issuer.ts";
import { metered } from "../support/meter.ts";
import { userObject } from "../support/objects.ts";

const PATH = "/v3.0/me/devices";

interface Shown {
  id: string;
  name: string | null;
  current: boolean;
  muted: boolean;
}

async function devicesOf(session: TestSession): Promise<Shown[]> {
  return (await session.call("GET", PATH)).body.data.devices;
}

const one = (id: string, path = PATH) => `${path}/${encodeURIComponent(id)}`;

async function senderView({ uid, app }: TestSession): Promise<string[]> {
  const { body } = await serverCall("GET", `/v3/users/${uid}/push_tokens`, {}, app);
  return body.data.pushTokens.map(({ token }: { token: string }) => token);
}

const secret = secretKey(JWT_SECRETS[0]?.secret ?? "", "now");

const IDENTITIES: [string, (uid: string) => Promise<TestSession>, (session: TestSession) => Promise<string>][] = [
  ["issued", (uid) => login(uid), async ({ id }) => id],
  ["jwt", (uid) => jwtLogin("SECRET", { key: secret, claims: { sub: uid } }), async ({ id }) => id],
  ["cometchat", (uid) => chatSession({ uid }), ({ authToken }) => sha256(authToken)],
];

describe.for(IDENTITIES)("with identity %s, the user's devices", ([, logIn, idOf]) => {
  async function twoDevices() {
    const uid = uniqueUid();
    const [phone, tablet] = [await logIn(uid), await logIn(uid)];
    const [onPhone, onTablet] = [uniqueToken(), uniqueToken()];
    await phone.register({ fcmToken: onPhone, device: { name: "Alice's phone", model: "Pixel 10" } });
    await tablet.register({ apnsToken: onTablet, voipToken: uniqueToken(), device: { model: "iPad16,3" } });
    return { phone, tablet, onPhone, onTablet, ids: { phone: await idOf(phone), tablet: await idOf(tablet) } };
  }

  it("are listed without their tokens, by either prefix", async ({ expect }) => {
    const { phone, ids, onPhone, onTablet } = await twoDevices();
    const reply = await phone.call("GET", PATH);
    expect(reply.status).toBe(200);
    const times = { firstSeenAt: expect.any(Number), lastSeenAt: expect.any(Number) };
    const devices = [
      { id: ids.phone, name: "Alice's phone", platforms: ["android"], current: true, muted: false, ...times },
      { id: ids.tablet, name: "iPad16,3", platforms: ["ios"], current: false, muted: false, ...times },
    ];
    expect(reply.body.data.devices).toHaveLength(2);
    expect(reply.body.data.devices).toEqual(expect.arrayContaining(devices));
    for (const token of [onPhone, onTablet]) expect(reply.text).not.toContain(token);
    expect((await phone.call("GET", "/v3/me/devices")).text).toBe(reply.text);
  });

  it("can be logged out: the session can never register again", async ({ expect }) => {
    const { phone, tablet, ids, onPhone } = await twoDevices();
    expect((await phone.call("DELETE", one(ids.tablet))).body).toEqual({ data: { success: true } });
    expect(await senderView(phone)).toEqual([onPhone]);
    expect(await tablet.register({ apnsToken: uniqueToken() })).toMatchObject({
      status: 401,
      body: { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } },
    });
    expect((await devicesOf(phone)).map(({ id }) => id)).toEqual([ids.phone]);
  });

  it("can log themselves out", async ({ expect }) => {
    const { phone, tablet, ids } = await twoDevices();
    expect((await phone.call("DELETE", one(ids.phone, "/v3/me/devices"))).status).toBe(200);
    expect((await phone.register({ fcmToken: uniqueToken() })).status).toBe(401);
    expect((await devicesOf(tablet)).map(({ id }) => id)).toEqual([ids.tablet]);
  });

  it("can be muted, over launches and new tokens, and heard again", async ({ expect }) => {
    const { phone, tablet, ids, onPhone } = await twoDevices();
    expect((await phone.call("PATCH", one(ids.tablet), { body: { muted: true } })).body).toEqual({
      data: { success: true },
    });
    const rotated = uniqueToken();
    await tablet.register({ apnsToken: rotated, fcmToken: uniqueToken() });
    expect(await senderView(phone)).toEqual([onPhone]);
    const shown = (await devicesOf(tablet)).map(({ id, current, muted }) => ({ id, current, muted }));
    expect(shown).toContainEqual({ id: ids.tablet, current: true, muted: true });
    expect(shown).toContainEqual({ id: ids.phone, current: false, muted: false });
    await tablet.call("PATCH", one(ids.tablet), { body: { muted: false } });
    expect(await senderView(phone)).toContain(rotated);
  });

  it("stay muted when their app empties their slots and registers again, until they are heard or log in anew", async ({
    expect,
  }) => {
    const { phone, tablet, ids, onPhone, onTablet } = await twoDevices();
    await phone.call("PATCH", one(ids.tablet), { body: { muted: true } });
    await tablet.delete({ all: false });
    await tablet.register({ apnsToken: uniqueToken() });
    await tablet.register({ voipToken: uniqueToken() });
    expect(await senderView(phone)).toEqual([onPhone]);
    await phone.delete({ all: true });
    const { body } = await tablet.register({ apnsToken: onTablet });
    await tablet.call("POST", "/v2/tokens/unregister", { body: body.data.unregisterTicket });
    await tablet.register({ apnsToken: onTablet });
    expect(await senderView(phone)).toEqual([]);
    expect(await devicesOf(phone)).toMatchObject([{ id: ids.tablet, muted: true }]);
    await phone.call("PATCH", one(ids.tablet), { body: { muted: false } });
    await tablet.delete({ all: false });
    await tablet.register({ apnsToken: onTablet });
    expect(await senderView(phone)).toEqual([onTablet]);
    await phone.call("PATCH", one(ids.tablet), { body: { muted: true } });
    await tablet.delete({ all: false });
    const next = await logIn(phone.uid);
    await next.register({ apnsToken: onTablet });
    expect(await senderView(phone)).toEqual([onTablet]);
  });

  it("keep the name that any of their tokens brought, and take the latest of several", async ({ expect }) => {
    const { phone, tablet } = await twoDevices();
    await scheduler.wait(2);
    await phone.register({ apnsToken: uniqueToken() });
    await phone.register({ voipToken: uniqueToken(), device: { model: "Pixel 11" } });
    const names = async () => (await devicesOf(tablet)).map(({ name }) => name).sort();
    expect(await names()).toEqual(["Alice's phone", "iPad16,3"]);
    await scheduler.wait(2);
    await phone.register({ voipToken: uniqueToken(), device: { name: "Bob's phone" } });
    expect(await names()).toEqual(["Bob's phone", "iPad16,3"]);
  });

  it("are no other user's: 404, and nothing is written", async ({ expect }) => {
    const { phone } = await twoDevices();
    const mallory = await logIn(uniqueUid());
    await mallory.register({ fcmToken: uniqueToken() });
    const before = await (await userObject(mallory.app, mallory.uid)).export();
    for (const id of [await idOf(phone), "no-such-session", "../x", "é/%2F"]) {
      const path = one(id);
      const calls = await metered(async () => {
        for (const [method, body] of [["DELETE"], ["PATCH", { muted: true }]] as [string, object?][]) {
          const reply = await mallory.call(method, path, { body });
          expect(reply.body.error.code).toBe("ERR_API_NOT_FOUND");
          expect(reply.body.error.message).toContain("no such device");
          expect(reply.status).toBe(404);
        }
      });
      expect(calls.rowsWritten).toBe(0);
    }
    expect(await (await userObject(mallory.app, mallory.uid)).export()).toEqual(before);
    expect(await senderView(phone)).toHaveLength(3);
  });

  it("are refused to a session that has ended", async ({ expect }) => {
    const { phone, tablet, ids } = await twoDevices();
    await phone.call("DELETE", one(ids.tablet));
    for (const [method, path] of [
      ["GET", PATH],
      ["DELETE", one(ids.phone)],
      ["PATCH", one(ids.phone)],
    ] as const) {
      const body = method === "PATCH" ? { muted: true } : undefined;
      expect((await tablet.call(method, path, { body })).status).toBe(401);
    }
    expect(await devicesOf(phone)).toMatchObject([{ id: ids.phone, muted: false }]);
  });
});

describe("with identity cometchat, CometChat", () => {
  it("is asked whose the auth token is, and nothing of these calls", async ({ expect }) => {
    const uid = uniqueUid();
    const [phone, tablet] = [await chatSession({ uid }), await chatSession({ uid })];
    await phone.register({ fcmToken: uniqueToken() });
    await tablet.register({ fcmToken: uniqueToken() });
    await phone.call("GET", PATH);
    await phone.call("PATCH", one(await sha256(tablet.authToken)), { body: { muted: true } });
    expect((await phone.call("POST", PATH)).status).toBe(405);
    await phone.call("DELETE", one(await sha256(tablet.authToken), "/v3/me/devices"));
    expect((await phone.call("DELETE", one(await sha256(phone.authToken)))).status).toBe(200);
    const sent = await cometchat.received({ authToken: phone.authToken });
    expect(new Set(sent.map(({ method, path }) => `${method} ${path}`))).toEqual(new Set(["GET /v3.0/me"]));
  });
});

describe("the path of a device", () => {
  it.for(["/", "//", "/.", "/%2e", "//x", "/x/"])("DELETE …/devices%s names none: 400", async (end, { expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const reply = await session.call("DELETE", `${PATH}${end}`);
    expect(reply).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST" } } });
    expect(await session.tokens()).toEqual([token]);
  });

  it.for<unknown>([undefined, {}, { muted: "true" }, { muted: null }, { muted: 1 }])(
    "PATCH with %j is a 400 that names the field",
    async (body, { expect }) => {
      const session = await login();
      await session.register({ fcmToken: uniqueToken() });
      const reply = await session.call("PATCH", one(session.id), { body });
      expect(reply).toMatchObject({ status: 400, body: { error: { details: { muted: [expect.any(String)] } } } });
      expect(await devicesOf(session)).toMatchObject([{ muted: false }]);
    },
  );
});

describe("a session whose auth token has expired", () => {
  it("may log itself out, and no other device", async ({ expect }) => {
    const session = await login(undefined, { lifetimeSeconds: 60 });
    const other = await login(session.uid);
    const [mine, theirs] = [uniqueToken(), uniqueToken()];
    await session.register({ fcmToken: mine });
    await other.register({ fcmToken: theirs });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    try {
      expect((await session.call("GET", PATH)).status).toBe(401);
      expect((await session.call("DELETE", one(other.id))).status).toBe(401);
      expect((await session.call("DELETE", one(session.id))).status).toBe(200);
    } finally {
      vi.useRealTimers();
    }
    expect(await other.tokens()).toEqual([theirs]);
  });
});
