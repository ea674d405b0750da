// Two texts that stand for one installation are one registration and have one owner, whoever sends which: the same bytes in
// another case (zulip#35074, zulip#39091, react-native-firebase#8022; since an update of the library: flutter-apns#53; from two
// SDKs of one vendor: aepsdk-core-ios#786; in capitals from a database: rapns#166; from Safari: ZendService_Apple_Apns#42), and the Firebase Installation ID that follows a legacy
// token (firebase-android-sdk#8087). domain/token.test.ts has the forms themselves.
import { runInDurableObject } from "cloudflare:test";
import { describe, it } from "vitest";
import { tokenHash } from "../../src/durable/names.ts";
import { call, login, serverCall, type TestSession, uniqueUid } from "../support/client.ts";
import { userObject } from "../support/objects.ts";

const random = (bytes: number) => [...crypto.getRandomValues(new Uint8Array(bytes))];
const hex = (bytes = 32) =>
  random(bytes)
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
/** Every second digit in capitals, as no device sends it: any case is meant. */
const mixed = (text: string) => [...text].map((digit, n) => (n % 2 === 0 ? digit.toUpperCase() : digit)).join("");

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const newFid = () =>
  `f${random(21)
    .map((byte) => BASE64URL[byte % 64])
    .join("")}`;
const newRest = () =>
  `:APA91b${random(60)
    .map((byte) => BASE64URL[byte % 64])
    .join("")}`;

type Field = "fcmToken" | "apnsToken" | "voipToken";
type Forms = [field: Field, first: string, second: string];
type Form = (of: string) => string;

const lower: Form = (token) => token;
const upper: Form = (token) => token.toUpperCase();
const fid: Form = (installation) => installation;
const legacy: Form = (installation) => installation + newRest();

const bytes = (field: Field, first: Form, second: Form, length = 32) => {
  const token = hex(length);
  return [field, first(token), second(token)] satisfies Forms;
};
const firebase = (first: Form, second: Form) => {
  const installation = newFid();
  return ["fcmToken", first(installation), second(installation)] satisfies Forms;
};

const FORMS: [string, () => Forms][] = [
  ["an APNs token, then in capitals", () => bytes("apnsToken", lower, upper)],
  ["an APNs token in capitals, then not", () => bytes("apnsToken", upper, lower)],
  ["the web push token of Safari on a Mac, in capitals, then not", () => bytes("apnsToken", upper, lower, 32)],
  ["an APNs token of 80 bytes in capitals, then not", () => bytes("apnsToken", upper, lower, 80)],
  ["an APNs token of 100 bytes in mixed case", () => bytes("apnsToken", lower, mixed, 100)],
  ["a VoIP token in mixed case, then in capitals", () => bytes("voipToken", mixed, upper)],
  ["a legacy FCM token, then its FID", () => firebase(legacy, fid)],
  ["a FID, then a legacy token of it", () => firebase(fid, legacy)],
  // Old apps with GCM's token beside FCM's, of one instance (quickstart-android#275); two callbacks at the first start
  // (firebase-ios-sdk#10318, #14476).
  ["two legacy tokens of one FID", () => firebase(legacy, legacy)],
];

const stored = ([field]: Forms, token: string) => (field === "fcmToken" ? token : token.toLowerCase());
const kindOf = ([field]: Forms) => field.replace("Token", "");

async function ownersOf(forms: Forms, token: string, app = "test"): Promise<string[]> {
  const body = { token, kind: kindOf(forms) };
  const reply = await serverCall("POST", "/v3/push_tokens/owner", { body }, app);
  return reply.body.data.owners.map(({ uid }: { uid: string }) => uid);
}

async function senderView({ uid, app }: TestSession): Promise<string[]> {
  const { body } = await serverCall("GET", `/v3/users/${uid}/push_tokens`, {}, app);
  return body.data.pushTokens.map(({ token }: { token: string }) => token);
}

describe.for(FORMS)("one installation: %s", ([, formsOf]) => {
  it("has one owner, the user who registered it last", async ({ expect }) => {
    const forms = formsOf();
    const [field, first, second] = forms;
    const [alice, bob] = [await login(), await login()];
    await alice.register({ [field]: first });
    await bob.register({ [field]: second });
    expect(await senderView(alice)).toEqual([]);
    expect(await senderView(bob)).toEqual([stored(forms, second)]);
    for (const form of [first, second]) expect(await ownersOf(forms, form)).toEqual([bob.uid]);
  });

  it("is one registration of one user, in whichever session", async ({ expect }) => {
    const forms = formsOf();
    const [field, first, second] = forms;
    const session = await login();
    const other = await login(session.uid);
    await session.register({ [field]: first });
    await session.register({ [field]: second });
    expect(await senderView(session)).toEqual([stored(forms, second)]);
    await other.register({ [field]: first });
    await other.register({ [field]: second });
    expect(await senderView(session)).toEqual([stored(forms, second)]);
  });

  it("is removed, and its owner named, by either form", async ({ expect }) => {
    const forms = formsOf();
    const [field, first, second] = forms;
    const session = await login();
    await session.register({ [field]: first });
    expect(await ownersOf(forms, second)).toEqual([session.uid]);
    expect((await session.delete({ [field]: second })).status).toBe(200);
    expect(await senderView(session)).toEqual([]);
    expect(await ownersOf(forms, first)).toEqual([]);
  });

  it("goes with a ticket that was given for the other form", async ({ expect }) => {
    const [field, first, second] = formsOf();
    const session = await login();
    const { body } = await session.register({ [field]: second });
    expect((await call("POST", "/v2/tokens/unregister", { body: body.data.unregisterTicket })).status).toBe(200);
    expect(await session.tokens()).toEqual([]);
    await session.register({ [field]: first });
    expect(await session.tokens()).toHaveLength(1);
  });
});

describe("feedback about an installation", () => {
  it("reaches an APNs token in whatever case the sender has it", async ({ expect }) => {
    for (const spelling of [lower, upper, mixed]) {
      const session = await login();
      const token = hex();
      await session.register({ apnsToken: spelling(token) });
      const item = { token: token.toUpperCase(), kind: "apns", code: "Unregistered" };
      const { body } = await serverCall("POST", "/v3/push_tokens/feedback", { body: { items: [item] } });
      expect(body.data.items).toMatchObject([{ outcome: "suspect" }]);
    }
  });

  it("on its legacy token leaves the FID alone that came after it", async ({ expect }) => {
    const session = await login();
    const [field, before, after] = firebase(legacy, fid);
    await session.register({ [field]: before });
    await session.register({ [field]: after });
    const item = { token: before, kind: "fcm", code: "UNREGISTERED" };
    const { body } = await serverCall("POST", "/v3/push_tokens/feedback", { body: { items: [item] } });
    expect(body.data.items).toMatchObject([{ outcome: "kept" }]);
    expect(await senderView(session)).toEqual([after]);
  });
});

describe("a registration from before fcmInstallations was switched", () => {
  /** As the object has it until the device's next launch: the token, and the hash that it had under the other setting. */
  async function registered() {
    const user = await login();
    const [, token] = firebase(legacy, fid);
    const other = newFid() + newRest();
    await user.register({ fcmToken: token });
    const formerHash = await tokenHash("fcm", token);
    await runInDurableObject(await userObject("test", user.uid), (_, { storage }) => {
      storage.sql.exec("UPDATE registrations SET hash = ?", formerHash);
    });
    return { user, token, other };
  }

  const removals: [string, (user: TestSession, token: string) => Promise<{ status: number }>][] = [
    ["by its own session", (user, token) => user.delete({ fcmToken: token })],
    [
      "by a back end",
      ({ uid }, token) => serverCall("POST", `/v3/users/${uid}/push_tokens/remove`, { body: { token, kind: "fcm" } }),
    ],
    [
      "by the successor API",
      (user, token) => user.call("DELETE", "/v3.0/notifications/push/v1/tokens", { body: { pushToken: token } }),
    ],
  ];
  it.for(removals)("is removed %s, and by its own token only", async ([, remove], { expect }) => {
    const { user, token, other } = await registered();
    expect((await remove(user, other)).status).toBe(200);
    expect(await senderView(user)).toEqual([token]);
    expect((await remove(user, token)).status).toBe(200);
    expect(await senderView(user)).toEqual([]);
  });

  it("is suspect by a report that names its user", async ({ expect }) => {
    const { user, token, other } = await registered();
    const report = { kind: "fcm", code: "SENDER_ID_MISMATCH", uid: user.uid };
    const items = [
      { ...report, token: other },
      { ...report, kind: "apns", code: "BadDeviceToken", token },
      { ...report, token },
    ];
    const { body } = await serverCall("POST", "/v3/push_tokens/feedback", { body: { items } });
    expect(body.data.items.map(({ outcome }: { outcome: string }) => outcome)).toEqual([
      "unknown",
      "unknown",
      "suspect",
    ]);
  });
});

describe("what only looks alike", () => {
  it.for<[string, string, Record<string, string>, Record<string, string>]>([
    ["FCM tokens that differ in case", "test", { fcmToken: "eSlF2WpGFnI:APA91b" }, { fcmToken: "ESLF2WPGFNI:APA91B" }],
    ["hexadecimal FCM tokens", "test", { fcmToken: "abcdef0123" }, { fcmToken: "ABCDEF0123" }],
    ["APNs tokens that are no bytes", "test", { apnsToken: "voip_token" }, { apnsToken: "VOIP_TOKEN" }],
    ["the same text as APNs and as VoIP token", "test", { apnsToken: "abcdef01" }, { voipToken: "ABCDEF01" }],
  ])("stays two installations: %s", async ([, app, one, other], { expect }) => {
    const suffix = hex(8);
    const unique = (tokens: Record<string, string>) =>
      Object.fromEntries(Object.entries(tokens).map(([field, token]) => [field, token + suffix]));
    const [alice, bob] = [await login(uniqueUid(), { app }), await login(uniqueUid(), { app })];
    await alice.register(unique(one));
    await bob.register(unique(other));
    expect([(await senderView(alice)).length, (await senderView(bob)).length]).toEqual([1, 1]);
  });

  it("stays two installations for an app with several sender ids: fcmInstallations = false", async ({ expect }) => {
    const app = "sender-ids";
    const [alice, bob] = [await login(uniqueUid(), { app }), await login(uniqueUid(), { app })];
    const [field, before, after] = firebase(legacy, fid);
    await alice.register({ [field]: before });
    await bob.register({ [field]: after });
    expect([(await senderView(alice)).length, (await senderView(bob)).length]).toEqual([1, 1]);
  });
});
