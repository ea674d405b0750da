// The example sender beside the registry, as two Workers of one account, against fakes of FCM and APNs.
import { readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { build } from "../../scripts/lib/workerd.ts";
import type { Registry } from "../../testing/types.ts";
import { type FakeProviders, startFakeProviders } from "../support/node/fake-providers.ts";
import { startRegistry } from "../support/node/testing.ts";

const DAY_MS = 24 * 3600 * 1000;
const PASSWORD = "webhook-password";

let providers: FakeProviders;
let registry: Registry;
let senderBundle: string;

beforeAll(async () => {
  // APNs names a time before the registrations of these tests: the device came back since.
  providers = await startFakeProviders({ unregisteredAt: Date.now() - DAY_MS });
  senderBundle = await build("examples/sender/wrangler.toml");
  const script = await readFile(senderBundle, "utf8");
  const bindings = { ...providers.config, WEBHOOK_USER: "cometchat", WEBHOOK_PASSWORD: PASSWORD };
  const sender = { script, bindings, pushTokens: "PUSH_TOKENS", testPush: "TestPush" };
  registry = await startRegistry({ workers: { "push-sender": sender } });
});

afterAll(async () => {
  await registry?.stop();
  await providers?.stop();
  if (senderBundle !== undefined) await rm(dirname(senderBundle), { recursive: true, force: true });
});

/** A new login of the user that registers these tokens. */
async function register(uid: string, tokens: Record<string, string | object>): Promise<string> {
  const authToken = await registry.mint(uid);
  await registerAgain(authToken, tokens);
  return authToken;
}

async function registerAgain(authToken: string, tokens: Record<string, string | object>): Promise<void> {
  const response = await fetch(`${registry.url}/v2/tokens`, {
    method: "POST",
    headers: { appId: registry.appId, authToken, sdk: "android@4" },
    body: JSON.stringify(tokens),
  });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
}

async function registeredTokens(uid: string) {
  const { pushTokens } = await registry.call("GET", `/v3/users/${uid}/push_tokens`);
  return (pushTokens as { token: string; suspect: boolean }[]).map(({ token, suspect }) => ({ token, suspect }));
}

/** The sender's own HTTP. */
async function sender(path: string, body: unknown, password = PASSWORD) {
  const response = await registry.fetchFrom("push-sender", `https://push-sender.example${path}`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`cometchat:${password}`)}` },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const isSame = (a: object[], b: object[]) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
const sorted = (items: object[]) => items.map((item) => JSON.stringify(item)).sort();

const PUSH = { title: "Anna", body: "Hello", data: { conversation: "c1" } };

describe("the example sender", () => {
  it("delivers to every device, reports what the providers refused, keeps what they do not blame", async ({
    expect,
  }) => {
    const [anna, ben] = [`anna-${crypto.randomUUID()}`, `ben-${crypto.randomUUID()}`];
    await register(anna, { fcmToken: `phone:${anna}` });
    await register(anna, { fcmToken: `unregistered:${anna}` });
    await register(anna, { apnsToken: `unregistered:${anna}` });
    await register(ben, { apnsToken: `malformed:${ben}` });
    await register(ben, { fcmToken: `malformed:${ben}` });
    await register(ben, { apnsToken: `topic:${ben}` });
    await register(ben, { apnsToken: `iphone:${ben}`, voipToken: `voip:${ben}`, fcmToken: `same-iphone:${ben}` });

    const { status, body } = await sender("/send", { uids: [anna, ben], push: PUSH });
    expect(status).toBe(200);
    expect(body.delivered).toBe(2);
    expect(body.unread).toEqual([]);
    expect(body.failed).toEqual([
      // The devices may have registered again since, within the refresh window.
      { uid: anna, kind: "fcm", code: "UNREGISTERED", outcome: "suspect" },
      // APNs does: a day before.
      { uid: anna, kind: "apns", code: "Unregistered", outcome: "kept" },
      { uid: ben, kind: "apns", code: "BadDeviceToken", outcome: "suspect" },
      { uid: ben, kind: "fcm", code: "INVALID_ARGUMENT", outcome: "kept" },
      { uid: ben, kind: "apns", code: "DeviceTokenNotForTopic", outcome: "kept" },
    ]);
    const mine = providers.delivered.filter(({ token }) => token.endsWith(anna) || token.endsWith(ben));
    expect(mine.map(({ token }) => token).sort()).toEqual([`iphone:${ben}`, `phone:${anna}`]);
    expect(mine.find(({ token }) => token.startsWith("iphone"))).toMatchObject({
      topic: "com.example.app",
      body: { uid: ben, conversation: "c1", aps: { alert: { title: "Anna", body: "Hello" } } },
    });
    expect(await registeredTokens(anna)).toEqual([
      { token: `phone:${anna}`, suspect: false },
      { token: `unregistered:${anna}`, suspect: true },
      { token: `unregistered:${anna}`, suspect: false },
    ]);
    expect((await registeredTokens(ben)).map(({ token }) => token)).toContain(`malformed:${ben}`);
  });

  it("sends a FID in message.fid and a legacy token in message.token, before and after the app's update", async ({
    expect,
  }) => {
    const uid = `eva-${crypto.randomUUID()}`;
    const fid = `f${crypto.randomUUID().replaceAll("-", "").slice(0, 21)}`;
    const legacy = `${fid}:APA91b${crypto.randomUUID()}`;
    const send = async () => (await sender("/send", { uids: [uid], push: PUSH })).body;
    const received = () => providers.delivered.filter(({ token }) => token.startsWith(fid));

    const authToken = await register(uid, { fcmToken: legacy });
    expect(await send()).toMatchObject({ delivered: 1, failed: [] });
    expect(received()).toMatchObject([{ token: legacy, target: "token", body: { token: legacy } }]);

    await registerAgain(authToken, { fcmToken: fid });
    expect(await send()).toMatchObject({ delivered: 1, failed: [] });
    expect(received().slice(1)).toMatchObject([{ token: fid, target: "fid", body: { fid } }]);
    expect(received()[1]?.body).not.toHaveProperty("token");

    // A build of before, with its cached token: FCM knows the device by its FID alone now.
    await registerAgain(authToken, { fcmToken: legacy });
    expect(await send()).toMatchObject({ delivered: 0, failed: [{ uid, code: "UNREGISTERED", outcome: "suspect" }] });
  });

  it("pushes by the APNs host and topic of the app's build", async ({ expect }) => {
    const uid = `gina-${crypto.randomUUID()}`;
    const device = { environment: "Sandbox", bundleId: "com.example.dev" };
    await register(uid, { apnsToken: `sandbox:${uid}`, voipToken: `sandbox:${uid}`, device });
    await register(uid, { apnsToken: `production:${uid}`, device: { environment: "production" } });
    expect((await sender("/send", { uids: [uid], push: PUSH })).body).toMatchObject({ delivered: 2, otherHost: [] });
    expect((await sender("/send", { uids: [uid], push: { ...PUSH, type: "call" } })).body).toMatchObject({
      delivered: 1,
    });
    const mine = providers.delivered.filter(({ token }) => token.endsWith(uid));
    const sent = mine.map(({ token, topic, environment }) => [token, topic, environment]);
    expect(sent.sort()).toEqual([
      [`production:${uid}`, "com.example.app", "production"],
      [`sandbox:${uid}`, "com.example.dev", "sandbox"],
      [`sandbox:${uid}`, "com.example.dev.voip", "sandbox"],
    ]);
  });

  it("tries APNs' other host once on BadDeviceToken, reports which one worked, and what neither knows", async ({
    expect,
  }) => {
    const uid = `hugo-${crypto.randomUUID()}`;
    await register(uid, { apnsToken: `sandbox:${uid}` });
    await register(uid, { apnsToken: `production:${uid}`, device: { environment: "sandbox" } });
    await register(uid, { apnsToken: `malformed:${uid}` });
    await register(uid, { apnsToken: `sandbox-unregistered:${uid}` });
    await register(uid, { apnsToken: `sandbox-overloaded:${uid}` });
    await register(uid, { apnsToken: `sandbox-topic:${uid}` });
    const { body } = await sender("/send", { uids: [uid], push: PUSH });
    // Two of one millisecond are listed in either order.
    const anyOrder = (items: object[]) => expect.toSatisfy((found: object[]) => isSame(found, items));
    expect(body).toEqual({
      delivered: 2,
      failed: anyOrder([
        { uid, kind: "apns", code: "BadDeviceToken", outcome: "suspect" },
        { uid, kind: "apns", code: "Unregistered", outcome: "kept" },
        { uid, kind: "apns", code: "ServiceUnavailable", outcome: "kept" },
        { uid, kind: "apns", code: "BadDeviceToken", outcome: "suspect" },
      ]),
      otherHost: anyOrder([
        { uid, kind: "apns", environment: "sandbox", outcome: "corrected" },
        { uid, kind: "apns", environment: "production", outcome: "corrected" },
      ]),
      unread: [],
    });
    const mine = providers.delivered.filter(({ token }) => token.endsWith(uid));
    expect(mine.map(({ environment }) => environment).sort()).toEqual(["production", "sandbox"]);
  });

  it("pushes by the host that worked the next time, because the registration names it by then", async ({ expect }) => {
    const uid = `ivan-${crypto.randomUUID()}`;
    const authToken = await register(uid, { apnsToken: `sandbox:${uid}`, device: { bundleId: "com.example.dev" } });
    const send = async () => (await sender("/send", { uids: [uid], push: PUSH })).body;
    expect(await send()).toMatchObject({ delivered: 1, otherHost: [{ environment: "sandbox", outcome: "corrected" }] });
    await registerAgain(authToken, { apnsToken: `sandbox:${uid}`, device: { bundleId: "com.example.dev" } });
    expect(await send()).toMatchObject({ delivered: 1, failed: [], otherHost: [] });
    const mine = providers.delivered.filter(({ token }) => token.endsWith(uid));
    expect(mine).toMatchObject([
      { environment: "sandbox", topic: "com.example.dev" },
      { environment: "sandbox", topic: "com.example.dev" },
    ]);
  });

  it("reports FCM's whole error: an iPhone that is gone is INVALID_ARGUMENT there, and Unregistered to APNs", async ({
    expect,
  }) => {
    const uid = `finn-${crypto.randomUUID()}`;
    await register(uid, { fcmToken: `iphone-gone:${uid}` });
    const { body } = await sender("/send", { uids: [uid], push: PUSH });
    expect(body.failed).toEqual([{ uid, kind: "fcm", code: "INVALID_ARGUMENT", outcome: "suspect" }]);
  });

  it("rings the VoIP token of an iPhone, and the FCM token of other devices", async ({ expect }) => {
    const uid = `carla-${crypto.randomUUID()}`;
    await register(uid, { apnsToken: `iphone:${uid}`, voipToken: `voip:${uid}` });
    await register(uid, { fcmToken: `phone:${uid}` });
    await sender("/send", { uids: [uid], push: { ...PUSH, type: "call" } });
    const mine = providers.delivered.filter(({ token }) => token.endsWith(uid));
    expect(new Map(mine.map(({ token, topic }) => [token, topic]))).toEqual(
      new Map([
        [`voip:${uid}`, "com.example.app.voip"],
        [`phone:${uid}`, undefined],
      ]),
    );
  });

  it("serves CometChat's custom provider: answers at once, delivers to the recipient", async ({ expect }) => {
    const uid = `dora-${crypto.randomUUID()}`;
    await register(uid, { fcmToken: `phone:${uid}` });
    const call = {
      trigger: "push-notification-payload-generated",
      data: { to: { uid }, notificationDetails: { title: "Ben", body: "Hi", type: "chat", sender: "ben" } },
      appId: "test",
      region: "us",
      webhook: "custom",
    };
    expect(await sender("/webhook", call)).toEqual({ status: 200, body: { received: true } });
    await expect
      .poll(() => providers.delivered.filter(({ token }) => token === `phone:${uid}`))
      .toMatchObject([{ body: { notification: { title: "Ben", body: "Hi" }, data: { uid, sender: "ben" } } }]);
  });

  describe("bound to the registry for test pushes", () => {
    const test = async (uid: string, body: object = {}): Promise<Record<string, unknown>[]> =>
      (await registry.call("POST", `/v3/users/${uid}/test`, body)).devices;

    it("says per device what the provider answered, and changes nothing", async ({ expect }) => {
      const uid = `jan-${crypto.randomUUID()}`;
      await register(uid, { fcmToken: `phone:${uid}`, device: { name: "Jan's phone" } });
      await register(uid, { fcmToken: `unregistered:${uid}` });
      await register(uid, { fcmToken: `iphone-gone:${uid}` });
      await register(uid, { apnsToken: `malformed:${uid}` });
      await register(uid, { apnsToken: `topic:${uid}` });
      await register(uid, { apnsToken: `sandbox:${uid}`, voipToken: `voip:${uid}` });
      const before = await registeredTokens(uid);
      const devices = await test(uid);
      const answers = devices.map(({ kind, answer, code }) => [kind, answer, code].join(" ").trim());
      expect(answers.sort()).toEqual([
        "apns delivered",
        "apns doubtful BadDeviceToken",
        "apns not_about_the_token DeviceTokenNotForTopic",
        "fcm dead UNREGISTERED",
        "fcm dead UNREGISTERED",
        "fcm delivered",
        "voip not_sent",
      ]);
      expect(devices).toContainEqual(
        expect.objectContaining({ platform: "android", device: { name: "Jan's phone" }, answer: "delivered" }),
      );
      expect(JSON.stringify(devices)).not.toContain(`:${uid}`);
      const mine = providers.delivered.filter(({ token }) => token.endsWith(uid));
      expect(mine.map(({ token }) => token).sort()).toEqual([`phone:${uid}`, `sandbox:${uid}`]);
      expect(mine.map(({ body: { uid: of, data } }) => of ?? (data as { uid: string }).uid)).toEqual([uid, uid]);
      expect(await registeredTokens(uid)).toEqual(before);
    });

    it("feeds the answers back where that is asked for", async ({ expect }) => {
      const uid = `kim-${crypto.randomUUID()}`;
      await register(uid, { fcmToken: `phone:${uid}` });
      await register(uid, { fcmToken: `unregistered:${uid}` });
      await register(uid, { apnsToken: `sandbox:${uid}` });
      const devices = await test(uid, { report: true });
      const outcomes = devices.map(({ kind, answer, outcome = "-" }) => `${kind} ${answer} ${outcome}`);
      expect(outcomes.sort()).toEqual(["apns delivered corrected", "fcm dead suspect", "fcm delivered -"]);
      expect(await registeredTokens(uid)).toContainEqual({ token: `unregistered:${uid}`, suspect: true });
    });
  });

  it("refuses a wrong password and a malformed order", async ({ expect }) => {
    expect((await sender("/webhook", {}, "wrong")).status).toBe(401);
    expect((await sender("/send", { uids: "anna" })).status).toBe(400);
  });
});
