// What senders read: one user, many users, by HTTP and by the service binding.
import { env, exports } from "cloudflare:workers";
import { describe, it, vi } from "vitest";
import { login, type Reply, serverCall, uniqueToken, uniqueUid } from "../support/client.ts";
import { serverCallWith, show } from "../support/directory.ts";
import { withFault } from "../support/faults.ts";

function list(uid: string, headers: Record<string, string> = {}, app = "test"): Promise<Reply> {
  return serverCall("GET", `/v3/users/${encodeURIComponent(uid)}/push_tokens`, { headers }, app);
}

function lookup(uids: unknown): Promise<Reply> {
  return serverCall("POST", "/v3/push_tokens/lookup", { body: { uids } });
}

async function registered(uid = uniqueUid()) {
  const session = await login(uid);
  const token = uniqueToken();
  await session.register({ fcmToken: token });
  return { session, uid, token };
}

describe("GET /v3/users/{uid}/push_tokens", () => {
  it("says of each token what a sender needs", async ({ expect }) => {
    const session = await login();
    const before = Date.now();
    const [fcmToken, apnsToken, voipToken] = [uniqueToken(), uniqueToken(), uniqueToken()];
    await session.register({ apnsToken, voipToken });
    const web = await login(session.uid);
    await web.register({ fcmToken, platform: "web" });
    const reply = await list(session.uid);
    expect(reply.status).toBe(200);
    const base = { registeredAt: expect.any(Number), refreshedAt: expect.any(Number), suspect: false };
    const tokens = [
      { token: apnsToken, kind: "apns", platform: "ios", sessionId: session.id, ...base },
      { token: voipToken, kind: "voip", platform: "ios", sessionId: session.id, ...base },
      { token: fcmToken, kind: "fcm", target: "token", platform: "web", sessionId: web.id, ...base },
    ];
    expect(reply.body).toEqual({ data: { uid: session.uid, pushTokens: expect.any(Array) } });
    expect(reply.body.data.pushTokens).toHaveLength(3);
    expect(reply.body.data.pushTokens).toEqual(expect.arrayContaining(tokens));
    for (const { registeredAt, refreshedAt } of reply.body.data.pushTokens) {
      expect(registeredAt).toBeGreaterThanOrEqual(before);
      expect(refreshedAt).toBeLessThanOrEqual(Date.now());
    }
  });

  it("says that a token is suspect after a doubtful report", async ({ expect }) => {
    const { uid, token } = await registered();
    const items = [{ token, kind: "fcm", code: "SENDER_ID_MISMATCH", uid }];
    await serverCall("POST", "/v3/push_tokens/feedback", { body: { items } });
    expect((await list(uid)).body.data.pushTokens).toMatchObject([{ token, suspect: true }]);
  });

  it("answers an empty list for a user whom nobody knows, with any uid", async ({ expect }) => {
    for (const uid of [uniqueUid(), `a/b?c#d ${uniqueUid()}`, `Ünï-${uniqueUid()}`]) {
      expect(await list(uid)).toMatchObject({ status: 200, body: { data: { uid, pushTokens: [] } } });
    }
  });

  it("shows no other user's and no other app's tokens", async ({ expect }) => {
    const { uid, token } = await registered();
    const other = await registered();
    expect((await list(other.uid)).body.data.pushTokens).toMatchObject([{ token: other.token }]);
    expect((await list(uid, {}, "other")).body.data.pushTokens).toEqual([]);
    expect((await list(uid)).body.data.pushTokens).toMatchObject([{ token }]);
  });

  it("refuses a uid that no user can have", async ({ expect }) => {
    expect(await list("u".repeat(256))).toMatchObject({
      status: 400,
      body: { error: { code: "ERR_BAD_REQUEST", details: { uid: [expect.stringContaining("255")] } } },
    });
  });

  it("has a weak ETag that stays while the content does", async ({ expect }) => {
    const { session, uid, token } = await registered();
    const etag = (await list(uid)).headers.get("etag") ?? "";
    expect(etag).toMatch(/^W\/"[^"]+"$/);
    await session.register({ fcmToken: token });
    expect((await list(uid)).headers.get("etag")).toBe(etag);
    await session.register({ fcmToken: uniqueToken() });
    expect((await list(uid)).headers.get("etag")).not.toBe(etag);
  });

  it("answers 304 without a body to the ETag it gave, and 200 once something changed", async ({ expect }) => {
    const { session, uid } = await registered();
    const first = await list(uid);
    const etag = first.headers.get("etag") ?? "";
    expect(first.headers.get("cache-control")).toBe("private, no-cache");
    for (const known of [etag, `"other", ${etag}`]) {
      const unchanged = await list(uid, { "if-none-match": known });
      expect(unchanged).toMatchObject({ status: 304, body: undefined });
      expect(unchanged.headers.get("etag")).toBe(etag);
      expect(unchanged.headers.get("access-control-allow-origin")).toBe("*");
    }
    await session.logout();
    expect(await list(uid, { "if-none-match": etag })).toMatchObject({
      status: 200,
      body: { data: { pushTokens: [] } },
    });
  });

  it("gives no ETag to a refusal", async ({ expect }) => {
    const reply = await list(uniqueUid(), { apikey: "wrong", "if-none-match": "*" });
    expect(reply.status).toBe(401);
    expect(reply.headers.get("etag")).toBeNull();
  });
});

describe("POST /v3/push_tokens/lookup", () => {
  it("answers the users in the order asked for, each once, unknown ones with no tokens", async ({ expect }) => {
    const [a, b] = [await registered(), await registered()];
    const nobody = uniqueUid();
    const { status, body } = await lookup([b.uid, nobody, a.uid, b.uid, nobody]);
    expect(status).toBe(200);
    expect(body.data.errors).toEqual([]);
    expect(body.data.users).toMatchObject([
      { uid: b.uid, pushTokens: [{ token: b.token, kind: "fcm", sessionId: b.session.id }] },
      { uid: nobody, pushTokens: [] },
      { uid: a.uid, pushTokens: [{ token: a.token }] },
    ]);
    expect(body.data.users).toHaveLength(3);
    expect(body.data.users[2]).toEqual((await list(a.uid)).body.data);
  });

  it("takes 1,000 users with the longest uids there are", async ({ expect }) => {
    const uids = Array.from({ length: 1000 }, (_, i) => `${i}-`.padEnd(255, "ü"));
    const { status, body } = await lookup(uids);
    expect(status).toBe(200);
    expect(body.data.users.map(({ uid }: { uid: string }) => uid)).toEqual(uids);
  });

  it("shows every change that was acknowledged, in the order and form of the single read", async ({ expect }) => {
    const uid = uniqueUid();
    const looked = async () => {
      const { users, errors } = (await lookup([uid])).body.data;
      expect([users, errors]).toEqual([[(await list(uid)).body.data], []]);
      return users[0].pushTokens;
    };
    const [phone, tablet] = [await login(uid), await login(uid)];
    await phone.register({ fcmToken: uniqueToken(), platform: "ios", device: { name: "Zoë’s “phone”" } });
    await tablet.register({ apnsToken: uniqueToken(), voipToken: uniqueToken(), timezone: "Asia/Kolkata" });
    expect(await looked()).toHaveLength(3);
    await phone.register({ fcmToken: uniqueToken() });
    expect(await looked()).toHaveLength(3);
    await tablet.delete();
    expect(await looked()).toHaveLength(1);
    await phone.logout();
    expect(await looked()).toEqual([]);
  });

  it("asks no user's object", async ({ expect }) => {
    const { uid, token } = await registered();
    const { namespace, calls } = withFault(env.USER_TOKENS, (call) => call());
    const { body } = await serverCallWith({ USER_TOKENS: namespace }, "POST", "/v3/push_tokens/lookup", {
      body: { uids: [uid, uniqueUid()] },
    });
    expect(body.data.users).toMatchObject([{ pushTokens: [{ token }] }, { pushTokens: [] }]);
    expect(calls).toEqual([]);
  });

  it("passes on what the directory shows as the text that it is", async ({ expect }) => {
    const uid = uniqueUid();
    const tokens = ` [ {"of": "a later release of this format", "n": 1.0} ] `;
    await show("test", uid, { tokens });
    expect((await lookup([uid])).text).toContain(`{"uid":"${uid}","pushTokens":${tokens}}`);
  });

  it("refuses lists that are missing, empty, too long or hold what is no uid, and names the field", async ({
    expect,
  }) => {
    const wrong: [unknown, string][] = [
      [undefined, "uids"],
      ["alice", "uids"],
      [[], "uids"],
      [Array.from({ length: 1001 }, (_, i) => `u${i}`), "uids"],
    ];
    for (const [uids, field] of wrong) {
      const reply = await lookup(uids);
      expect(reply).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST" } } });
      expect(Object.keys(reply.body.error.details)).toEqual([field]);
    }
    expect((await serverCall("POST", "/v3/push_tokens/lookup", { body: "[]" })).status).toBe(400);
    expect((await serverCall("POST", "/v3/push_tokens/lookup", { body: "{" })).status).toBe(400);
  });

  it.for<[string, unknown, string]>([
    ["an empty one", "", ""],
    ["one of 256 characters", "u".repeat(256), "u".repeat(256)],
    ["a control character", "a\nb", "a\nb"],
    ["a number, as databases have them", 7, "7"],
    ["null", null, "null"],
    ["an object", { id: 7 }, '{"id":7}'],
  ])("names a uid that nobody can have, and serves the rest: %s", async ([, uid, named], { expect }) => {
    const { uid: alice, token } = await registered();
    const { status, body } = await lookup([alice, uid, "nobody"]);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      users: [
        { uid: alice, pushTokens: [{ token }] },
        { uid: "nobody", pushTokens: [] },
      ],
      errors: [{ uid: named, code: "ERR_BAD_REQUEST", message: expect.stringMatching(/uid .*must/) }],
    });
  });
});

describe("the service binding", () => {
  it("leaves one log line that names the app and the call, and never the uid", async ({ expect }) => {
    const { uid, token } = await registered();
    const lines = vi.spyOn(console, "log");
    await bound("test").list(uid);
    await bound("test").lookup([uid]);
    await bound("test").feedback([{ token, kind: "fcm", code: "UNAVAILABLE", uid }]);
    await bound("test").listAll();
    await bound("test").counts();
    const written = lines.mock.calls.flat().map(String);
    lines.mockRestore();
    const calls = written.map((line) => JSON.parse(line)).filter(({ message }) => message === "binding call");
    expect(calls).toEqual(
      ["list", "lookup", "feedback", "listAll", "counts"].map((each) => ({
        level: "info",
        message: "binding call",
        app: "test",
        call: each,
      })),
    );
    expect(written.join("\n")).not.toContain(uid);
  });

  const bound = (appId?: string) => exports.PushTokens({ props: { appId } as { appId: string } });

  it("answers what the HTTP calls answer", async ({ expect }) => {
    const { uid, token } = await registered();
    const binding = bound("test");
    expect(await binding.list(uid)).toEqual((await list(uid)).body.data);
    expect(await binding.lookup([uid, uid])).toEqual((await lookup([uid, uid])).body.data);
    const query = "limit=1&platform=android&kind=fcm&includeMuted=true";
    const asked = { limit: 1, platform: "android", kind: "fcm", includeMuted: true } as const;
    const page = await serverCall("GET", `/v3/push_tokens?${query}`);
    expect(await binding.listAll(asked)).toEqual(page.body.data);
    expect(await binding.listAll()).toEqual((await serverCall("GET", "/v3/push_tokens")).body.data);
    expect(await binding.counts()).toEqual((await serverCall("GET", "/v3/push_tokens/counts")).body.data);
    const items = [
      { token, kind: "fcm" as const, code: "UNREGISTERED", uid },
      { token: uniqueToken(), kind: "fcm" as const, code: "UNREGISTERED" },
    ];
    const answered = await binding.feedback(items);
    const { body } = await serverCall("POST", "/v3/push_tokens/feedback", { body: { items } });
    expect(answered).toMatchObject([{ outcome: "suspect" }, { outcome: "unknown" }]);
    expect(answered).toEqual(body.data.items);
  });

  it("reaches the app of its props only", async ({ expect }) => {
    const { uid, token } = await registered();
    expect(await bound("other").list(uid)).toEqual({ uid, pushTokens: [] });
    const report = [{ token, kind: "fcm" as const, code: "SENDER_ID_MISMATCH", uid }];
    expect(await bound("other").feedback(report)).toMatchObject([{ outcome: "unknown" }]);
    expect((await list(uid)).body.data.pushTokens).toMatchObject([{ token, suspect: false }]);
  });

  it("throws errors with the code of the HTTP API and a message that names the field", async ({ expect }) => {
    const wrong: [() => Promise<unknown>, string, string][] = [
      [() => bound("test").list(""), "ERR_BAD_REQUEST", "uid"],
      [() => bound("test").list(7 as never), "ERR_BAD_REQUEST", "uid"],
      [() => bound("test").lookup([]), "ERR_BAD_REQUEST", "uids"],
      [() => bound("test").lookup("alice" as never), "ERR_BAD_REQUEST", "uids"],
      [() => bound("test").feedback([]), "ERR_BAD_REQUEST", "items"],
      [() => bound("test").listAll({ limit: 0 }), "ERR_BAD_REQUEST", "limit"],
      [() => bound("test").listAll({ cursor: "x" }), "ERR_BAD_REQUEST", "validate"],
      [() => bound("test").counts({ cursor: "x" }), "ERR_BAD_REQUEST", "validate"],
      [() => bound().list("alice"), "AUTH_ERR_EMPTY_APPID", "props"],
      [() => bound("nobody").list("alice"), "AUTH_ERR_INVALID_APPID", "no app"],
      [() => bound("broken").list("alice"), "ERR_OPERATION_FAILED", "configuration"],
    ];
    for (const [call, code, words] of wrong) {
      const error = await call().then(
        () => null,
        (reason) => reason,
      );
      expect(error).toMatchObject({ name: "ApiError", code, message: expect.stringContaining(words) });
    }
  });
});
