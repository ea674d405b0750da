// uidCase "insensitive": apps that come from CometChat, where `UserA` and `usera` are one user (stream-chat-js#989), keep
// their habits under the identities `issued` and `jwt`.
import { describe, it } from "vitest";
import { JWT_SECRETS } from "../support/apps.ts";
import { call, login, serverCall, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import { jwtLogin, secretKey } from "../support/issuer.ts";

const UUID = crypto.randomUUID();

const secret = secretKey(JWT_SECRETS[0]?.secret ?? "", "now");

const IDENTITIES: [string, string, (uid: string) => Promise<TestSession>][] = [
  ["issued", "caseless", (uid) => login(uid, { app: "caseless" })],
  ["jwt", "jwt-caseless", (uid) => jwtLogin("CASELESS", { key: secret, claims: { sub: uid } })],
];

/** One uid in spellings that differ in case, the last one as CometChat keeps it. Only A to Z have another case. */
function spellings(): [string, string, string] {
  const uid = `User-${uniqueUid()}`;
  return [`${uid}-É`, `${uid.toUpperCase()}-É`, `${uid.toLowerCase()}-É`];
}

describe.for(IDENTITIES)("where case does not count, with identity %s,", ([, app, logIn]) => {
  const back = (method: string, path: string, body?: object) => serverCall(method, path, { body }, app);
  const tokensOf = async (uid: string): Promise<string[]> => {
    const { body } = await back("GET", `/v3/users/${encodeURIComponent(uid)}/push_tokens`);
    return body.data.pushTokens.map(({ token }: { token: string }) => token);
  };

  it("auth tokens of two spellings are of one user, and so are the paths of back ends", async ({ expect }) => {
    const [given, upper, lower] = spellings();
    const [phone, tablet] = [await logIn(given), await logIn(upper)];
    const tokens = [uniqueToken(), uniqueToken()];
    await phone.register({ fcmToken: tokens[0] });
    await tablet.register({ fcmToken: tokens[1] });
    expect((await phone.tokens()).sort()).toEqual(tokens.sort());
    for (const uid of [given, upper, lower]) expect((await tokensOf(uid)).sort()).toEqual(tokens.sort());
    const { body } = await back("GET", `/v3/users/${encodeURIComponent(upper)}/export`);
    expect(body.data.uid).toBe(lower);
    expect((await phone.call("GET", "/v3.0/me")).body.data.uid).toBe(lower);
    await back("DELETE", `/v3/users/${encodeURIComponent(upper)}`, { uid: lower });
    expect(await tokensOf(given)).toEqual([]);
  });

  // A name at sign-up and at login (Applozic-Android-SDK#49), an id in a URL (openvk#313), a UUID as iOS prints it
  // (mobile-n10n#83), a handle that an app lower-cases (SmsMatrix#46).
  it.for<[(id: string) => string, (id: string) => string]>([
    [(id) => `user1-${id}`, (id) => `User1-${id}`],
    [(id) => `ID${id}`, (id) => `id${id}`],
    [() => UUID.toUpperCase(), () => UUID],
    [(id) => `myMatrixID_${id}`, (id) => `mymatrixid_${id}`],
  ])("two spellings that were seen are one user: %#", async ([first, second], { expect }) => {
    const id = uniqueUid().replaceAll(/[^a-z0-9]/gi, "");
    const [one, other] = [await logIn(first(id)), await logIn(second(id))];
    const tokens = [uniqueToken(), uniqueToken()];
    await one.register({ fcmToken: tokens[0] });
    await other.register({ fcmToken: tokens[1] });
    expect((await tokensOf(first(id))).sort()).toEqual(tokens.toSorted());
    expect(await tokensOf(second(id))).toEqual(await tokensOf(first(id)));
  });

  it("a lookup answers each spelling once, as it was asked", async ({ expect }) => {
    const [given, upper, lower] = spellings();
    const token = uniqueToken();
    await (await logIn(given)).register({ fcmToken: token });
    const { body } = await back("POST", "/v3/push_tokens/lookup", { uids: [upper, lower, upper, given] });
    const users: { uid: string; pushTokens: object[] }[] = body.data.users;
    expect(users.map(({ uid }) => uid)).toEqual([upper, lower, given]);
    for (const { pushTokens } of users) expect(pushTokens).toMatchObject([{ token }]);
    expect(body.data.errors).toEqual([]);
  });

  it("feedback and owners know the user under any spelling", async ({ expect }) => {
    const [given, upper, lower] = spellings();
    const token = uniqueToken();
    await (await logIn(given)).register({ fcmToken: token });
    const owner = await back("POST", "/v3/push_tokens/owner", { token });
    expect(owner.body.data.owners).toMatchObject([{ uid: lower }]);
    const item = { token, kind: "fcm", code: "UNREGISTERED", uid: upper };
    const feedback = await back("POST", "/v3/push_tokens/feedback", { items: [item] });
    expect(feedback.body.data.items).toMatchObject([{ outcome: "suspect" }]);
  });

  it("a ticket removes the token of its session, whatever the spelling at login", async ({ expect }) => {
    const [given, , lower] = spellings();
    const session = await logIn(given);
    const reply = await session.register({ fcmToken: uniqueToken() });
    const body: string = reply.body.data.unregisterTicket;
    expect((await call("POST", "/v2/tokens/unregister", { body })).status).toBe(200);
    expect(await tokensOf(lower)).toEqual([]);
  });
});

describe("minting, where case does not count,", () => {
  it("names the user in the form in which the app's users are kept", async ({ expect }) => {
    const given = `User-${uniqueUid()}`;
    const lower = given.toLowerCase();
    for (const uid of [given, given.toUpperCase(), lower]) {
      const path = `/v3/users/${encodeURIComponent(uid)}/auth_tokens`;
      expect((await serverCall("POST", path, {}, "caseless")).body.data.uid).toBe(lower);
      expect((await login(uid, { app: "caseless" })).claims.sub).toBe(lower);
    }
  });
});

describe("where case counts, which is the default,", () => {
  it("two spellings are two users", async ({ expect }) => {
    const [given, upper] = spellings();
    const token = uniqueToken();
    await (await login(given)).register({ fcmToken: token });
    expect(await (await login(upper)).tokens()).toEqual([]);
  });
});

describe("the Kelvin sign", () => {
  it("is no k, so that nobody's uid is another's by it", async ({ expect }) => {
    const uid = `k${uniqueUid().toLowerCase()}`;
    await (await login(uid, { app: "caseless" })).register({ fcmToken: uniqueToken() });
    expect(await (await login(`\u212A${uid.slice(1)}`, { app: "caseless" })).tokens()).toEqual([]);
    expect(await (await login(`K${uid.slice(1)}`, { app: "caseless" })).tokens()).toHaveLength(1);
  });
});
