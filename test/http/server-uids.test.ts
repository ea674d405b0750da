// Whom a back end means by a uid: in a `cometchat` app the same user whatever the case, as at CometChat.
import { exports } from "cloudflare:workers";
import { describe, it } from "vitest";
import { login, serverCall, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import { chatSession } from "../support/cometchat.ts";

const ask = (method: string, path: string, body?: unknown) => serverCall(method, path, { body }, "chat");
const binding = () => exports.PushTokens({ props: { appId: "chat" } });

/** A user who holds a token, and the uid in another case. */
async function registered(): Promise<{ session: TestSession; token: string; shouted: string }> {
  const session = await chatSession();
  const token = uniqueToken();
  await session.register({ fcmToken: token });
  return { session, token, shouted: session.uid.toUpperCase() };
}

describe("a uid in another case than CometChat's", () => {
  it("names the same user to senders, and comes back as it was asked for", async ({ expect }) => {
    const [one, other] = [await registered(), await registered()];
    const of = ({ shouted, token }: typeof one) => ({ uid: shouted, pushTokens: [{ token }] });
    expect((await ask("GET", `/v3/users/${one.shouted}/push_tokens`)).body.data).toMatchObject(of(one));
    const uids = [other.shouted, one.shouted, other.session.uid, other.shouted];
    const lookedUp = [of(other), of(one), { uid: other.session.uid, pushTokens: [{ token: other.token }] }];
    const { body } = await ask("POST", "/v3/push_tokens/lookup", { uids });
    expect(body.data).toMatchObject({ users: lookedUp, errors: [] });
    expect(body.data.users).toHaveLength(3);
    expect(await binding().list(one.shouted)).toMatchObject(of(one));
    expect(await binding().lookup(uids)).toEqual(body.data);
  });

  it("names the same user in feedback", async ({ expect }) => {
    const { token, shouted } = await registered();
    const items = [{ token, kind: "fcm" as const, code: "SENDER_ID_MISMATCH", uid: shouted }];
    const { body } = await ask("POST", "/v3/push_tokens/feedback", { items });
    expect(body.data.items).toMatchObject([{ outcome: "suspect" }]);
    expect(await binding().feedback(items)).toMatchObject([{ outcome: "suspect" }]);
  });

  it("names the same user to back ends that end sessions, export, reconcile and erase", async ({ expect }) => {
    const { session, shouted } = await registered();
    const { body } = await ask("GET", `/v3/users/${shouted}/sessions`);
    expect(body.data.sessions).toHaveLength(1);
    expect((await ask("GET", `/v3/users/${shouted}/export`)).body.data).toMatchObject({ uid: session.uid });
    expect((await ask("POST", `/v3/users/${shouted}/reconcile`)).body.data).toMatchObject({ kept: 1 });
    const [{ id }] = body.data.sessions;
    expect((await ask("DELETE", `/v3/users/${shouted}/sessions/${id}`)).body.data).toMatchObject({ removed: 1 });
    const later = await chatSession({ uid: session.uid });
    await later.register({ fcmToken: uniqueToken() });
    expect((await ask("DELETE", `/v3/users/${shouted}/sessions`)).body.data).toMatchObject({ removed: 1 });
    const last = await chatSession({ uid: session.uid });
    await last.register({ fcmToken: uniqueToken() });
    expect((await ask("DELETE", `/v3/users/${shouted}`)).status).toBe(200);
    expect(await last.register({ fcmToken: uniqueToken() })).toMatchObject({ status: 401 });
  });
});

describe("a uid that no user of CometChat's can have", () => {
  it.for(["a b", "ünï", "a.b", "\u212Aelvin", "u".repeat(101)])(
    "is refused wherever it stands: %s",
    async (uid, { expect }) => {
      const path = `/v3/users/${encodeURIComponent(uid)}`;
      const item = { token: uniqueToken(), kind: "fcm" as const, code: "UNREGISTERED" };
      const calls: [string, string, string, unknown?][] = [
        ["uid", "GET", `${path}/push_tokens`],
        ["uid", "GET", `${path}/sessions`],
        ["uid", "GET", `${path}/export`],
        ["uid", "DELETE", `${path}/sessions`],
        ["uid", "DELETE", `${path}/sessions/s`],
        ["uid", "DELETE", path],
        ["uid", "POST", `${path}/reconcile`],
        ["uid", "POST", `${path}/restore`, { at: Date.now() }],
      ];
      for (const [field, method, called, body] of calls) {
        const reply = await ask(method, called, body);
        expect(reply, called).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST" } } });
        expect(reply.body.error.details, called).toEqual({ [field]: [expect.stringContaining(field)] });
      }
      const error = await binding()
        .list(uid)
        .then(
          () => null,
          (reason: unknown) => reason,
        );
      expect(error).toMatchObject({ code: "ERR_BAD_REQUEST", message: expect.stringContaining("uid") });
      // In a batch it costs only its own place.
      const { body } = await ask("POST", "/v3/push_tokens/lookup", { uids: ["alice", uid] });
      const looked = {
        users: [{ uid: "alice" }],
        errors: [{ uid, code: "ERR_BAD_REQUEST", message: expect.stringContaining("uid") }],
      };
      expect(body.data).toMatchObject(looked);
      expect(await binding().lookup(["alice", uid])).toMatchObject(looked);
      const items = [item, { ...item, uid }];
      const reported = [{ outcome: "unknown" }, { outcome: "invalid", why: expect.stringContaining("uid") }];
      expect((await ask("POST", "/v3/push_tokens/feedback", { items })).body.data.items).toMatchObject(reported);
      expect(await binding().feedback(items)).toMatchObject(reported);
    },
  );
});

describe("a uid of an app with another identity", () => {
  it("is its own in each case, and in any script", async ({ expect }) => {
    const name = `Ünï ${uniqueUid()}`;
    const [session, shouting] = [await login(name), await login(name.toUpperCase())];
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    expect(await shouting.tokens()).toEqual([]);
    const uids = [name.toUpperCase(), name];
    const { body } = await serverCall("POST", "/v3/push_tokens/lookup", { body: { uids } });
    expect(body.data.users).toMatchObject([
      { uid: uids[0], pushTokens: [] },
      { uid: name, pushTokens: [{ token }] },
    ]);
  });
});
