// A test push, with a sender of the test's own; test/system/sender.test.ts has one by the example sender.
import { env } from "cloudflare:workers";
import { afterEach, describe, it, vi } from "vitest";
import { createApp } from "../../src/app.ts";
import type { Delivery } from "../../src/domain/test-push.ts";
import type { TestSender } from "../../src/sender/test-push.ts";
import { API_KEYS } from "../support/apps.ts";
import { login, serverCall, uniqueToken, uniqueUid } from "../support/client.ts";

type Push = TestSender["push"];

afterEach(() => {
  vi.restoreAllMocks();
});

interface Called {
  key?: string;
  app?: string;
  body?: unknown;
}

/** A call of a registry to which `push` is bound, or nobody. */
async function ask(push: Push | null, path: string, { key = API_KEYS.fullAccess, app = "test", body }: Called = {}) {
  const bindings = push === null ? env : { ...env, SENDER: { push } };
  const method = path.endsWith("/test") ? "POST" : "GET";
  const init: RequestInit = { method, headers: { appId: app, apikey: key } };
  if (body !== undefined) init.body = JSON.stringify(body);
  const response = await createApp().request(`https://registry.test${path}`, init, bindings);
  const text = await response.text();
  return { status: response.status, text, body: JSON.parse(text) };
}

const test = (uid: string, push: Push | null, called?: Called) => ask(push, `/v3/users/${uid}/test`, called);

/** Answers by the token, `null` for one that is not among them. */
const answering =
  (answers: Record<string, Delivery>): Push =>
  async (_app, _uid, tokens) =>
    tokens.map(({ token }) => answers[token] ?? null);

async function tokensOf(uid: string): Promise<{ token: string; suspect: boolean }[]> {
  return (await serverCall("GET", `/v3/users/${uid}/push_tokens`)).body.data.pushTokens;
}

describe("POST /v3/users/{uid}/test", () => {
  it("hands the user's registrations to the sender, muted ones left out, and tells no token", async ({ expect }) => {
    const [alice, uid] = [await login(), uniqueUid()];
    const [phone, tablet] = [await login(uid), await login(uid)];
    const [token, muted] = [uniqueToken(), uniqueToken()];
    await alice.register({ fcmToken: uniqueToken() });
    await phone.register({ fcmToken: token, device: { name: "phone" } });
    await tablet.register({ fcmToken: muted });
    await tablet.call("PATCH", `/v3.0/me/devices/${tablet.id}`, { body: { muted: true } });
    const asked: unknown[] = [];
    const reply = await test(uid, async (...args) => {
      asked.push(args);
      return [{ delivered: true }];
    });
    expect(asked).toEqual([["test", uid, [expect.objectContaining({ token, kind: "fcm", sessionId: phone.id })]]]);
    expect(reply.status).toBe(200);
    expect(reply.body.data).toEqual({
      devices: [
        { sessionId: phone.id, kind: "fcm", platform: "android", device: { name: "phone" }, answer: "delivered" },
      ],
    });
    expect(reply.text).not.toContain(token);
  });

  const deliveries: [string, Delivery | null, object][] = [
    ["fcmToken", { delivered: false, code: "UNREGISTERED" }, { answer: "dead", code: "UNREGISTERED" }],
    ["fcmToken", { delivered: false, code: "messaging/mismatched-credential" }, { answer: "not_about_the_token" }],
    ["apnsToken", { delivered: false, code: "BadDeviceToken" }, { answer: "doubtful", code: "BadDeviceToken" }],
    ["apnsToken", { delivered: false, code: "Whatever" }, { answer: "unknown_code", code: "Whatever" }],
    [
      "fcmToken",
      {
        delivered: false,
        code: "INVALID_ARGUMENT",
        error: {
          error: {
            status: "INVALID_ARGUMENT",
            details: [{ errorCode: "INVALID_ARGUMENT" }, { reason: "Unregistered" }],
          },
        },
      },
      { answer: "dead", code: "UNREGISTERED" },
    ],
    ["voipToken", null, { answer: "not_sent" }],
  ];

  it.for(deliveries)("says what an answer for an %s means: %j", async ([field, delivery, said], { expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ [field]: token });
    const push = answering(delivery === null ? {} : { [token]: delivery });
    const { body } = await test(session.uid, push);
    expect(body.data.devices).toEqual([expect.objectContaining(said)]);
  });

  it("changes nothing, unless it is asked to feed the answers back", async ({ expect }) => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 30 * 24 * 3600 * 1000 });
    const session = await login();
    const [dead, other] = [uniqueToken(), uniqueToken()];
    await session.register({ fcmToken: dead });
    await (await login(session.uid)).register({ fcmToken: other });
    vi.useRealTimers();
    const push = answering({ [dead]: { delivered: false, code: "UNREGISTERED" } });
    const before = await tokensOf(session.uid);
    for (const body of [undefined, {}, { report: false }, { report: null }]) await test(session.uid, push, { body });
    expect(await tokensOf(session.uid)).toEqual(before);
    const { body } = await test(session.uid, push, { body: { report: true } });
    expect(body.data.devices).toContainEqual(expect.objectContaining({ answer: "dead", outcome: "pruned" }));
    expect(await tokensOf(session.uid)).toMatchObject([{ token: other }]);
    expect((await test(session.uid, push, { body: { report: "yes" } })).status).toBe(400);
  });

  it("says what to do where no sender is bound, or none for the app", async ({ expect }) => {
    for (const push of [null, async () => null]) {
      const { status, body } = await test(uniqueUid(), push);
      expect([status, body.error.code]).toEqual([400, "ERR_BAD_REQUEST"]);
      expect(body.error.message).toContain("bind one as SENDER");
    }
  });

  it("says that the sender failed, and no more than that", async ({ expect }) => {
    const errors = vi.spyOn(console, "error").mockImplementation(() => {});
    const reply = await test(uniqueUid(), async () => {
      throw new Error("a key of the sender");
    });
    expect([reply.status, reply.body.error.code]).toEqual([500, "ERR_OPERATION_FAILED"]);
    expect(reply.text).not.toContain("a key of the sender");
    const logged = errors.mock.calls.join();
    expect(logged).toContain("The sender failed");
    expect(logged).not.toContain("a key of the sender");
  });

  it("is for the scope fullAccess, and pushes to nobody else's devices", async ({ expect }) => {
    const session = await login();
    await session.register({ fcmToken: uniqueToken() });
    const push = vi.fn<Push>(async (_app, _uid, tokens) => tokens.map(() => ({ delivered: true })));
    for (const key of [API_KEYS.sender, API_KEYS.authOnly]) {
      expect((await test(session.uid, push, { key })).status).toBe(403);
    }
    expect(push).not.toHaveBeenCalled();
    expect((await test(session.uid, push, { app: "other" })).body.data).toEqual({ devices: [] });
  });

  it("leaves a log line with the key's name, and neither uid nor token", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const lines = vi.spyOn(console, "log").mockImplementation(() => {});
    await test(session.uid, answering({ [token]: { delivered: true } }));
    const [line] = lines.mock.calls
      .map(([text]) => JSON.parse(text))
      .filter(({ message }) => message === "server call");
    expect(line).toMatchObject({ key: "test-fullAccess", call: "POST /v3/users/:uid/test", status: 200 });
    expect(lines.mock.calls.join()).not.toContain(session.uid);
    expect(lines.mock.calls.join()).not.toContain(token);
  });
});

describe("GET /v3/app", () => {
  it("says whether a sender is bound", async ({ expect }) => {
    expect((await ask(null, "/v3/app")).body.data.sender).toBe(false);
    expect((await ask(async () => [], "/v3/app")).body.data.sender).toBe(true);
  });
});
