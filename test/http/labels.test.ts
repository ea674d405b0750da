// What an app says of the device beside its tokens: kept with them, shown to senders and in the export, and never a reason to
// refuse a token. For senders that must choose APNs' host and topic (lux-db#59, maple#524, zulip#27590; builds of TestFlight:
// phonegap-plugin-push#2352, rpush#646; two builds on one phone: OneSignal-Cordova-SDK#483; a store's build:
// django-push-notifications#556).
import { describe, it } from "vitest";
import { login, serverCall, type TestSession, uniqueToken } from "../support/client.ts";
import { metered } from "../support/meter.ts";

const SUCCESSOR = "/v3.0/notifications/push/v1/tokens";

const DEVICE = {
  id: "E621E1F8-C36C-495A-93FC-0C247A3E6E5F",
  name: "Alice's iPhone 📱",
  model: "iPhone17,1",
  os: "iOS 26.1",
  appVersion: "4.2.0 (317)",
  locale: "en-IN",
  environment: "sandbox",
  bundleId: "com.acme.dev",
};

async function shownToSenders({ uid, app }: TestSession) {
  return (await serverCall("GET", `/v3/users/${uid}/push_tokens`, {}, app)).body.data.pushTokens;
}

async function shownDevice(session: TestSession) {
  return (await shownToSenders(session))[0].device;
}

const APIS: [string, (session: TestSession, token: string, labels: object) => ReturnType<TestSession["call"]>][] = [
  ["v2/tokens", (session, token, labels) => session.register({ apnsToken: token, ...labels })],
  [
    "the successor",
    (session, token, labels) =>
      session.call("POST", SUCCESSOR, { body: { platform: "apns_ios_device", deviceToken: token, ...labels } }),
  ],
];

describe.for(APIS)("device, by %s,", ([, register]) => {
  it("is kept with the registration, and shown to senders and in the export", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    const reply = await register(session, token, { device: { ...DEVICE, colour: "blue" }, providerId: "dev" });
    expect([reply.status, reply.body.data.refused]).toEqual([200, undefined]);
    expect(await shownToSenders(session)).toMatchObject([{ token, device: DEVICE, providerId: "dev" }]);
    expect(await shownDevice(session)).toEqual(DEVICE);
    const { body } = await serverCall("GET", `/v3/users/${session.uid}/export`);
    expect(body.data.registrations).toMatchObject([{ token, labels: { device: DEVICE, providerId: "dev" } }]);
  });

  it("stays where a call says nothing of it; null clears a field, or all of it", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await register(session, token, { device: DEVICE });
    await register(session, token, {});
    await register(session, token, { device: {} });
    await register(session, token, { device: "" });
    expect(await shownDevice(session)).toEqual(DEVICE);
    await register(session, token, { device: { name: null, model: null, os: "iOS 26.2" } });
    const { name: _, model: __, ...left } = DEVICE;
    expect(await shownDevice(session)).toEqual({ ...left, os: "iOS 26.2" });
    await register(session, token, { device: null });
    expect(await shownToSenders(session)).toMatchObject([{ token }]);
    expect(await shownDevice(session)).toBeUndefined();
  });

  it("follows the build: the next one on the same phone has another token, host and topic", async ({ expect }) => {
    const session = await login();
    for (const [environment, bundleId] of [
      ["sandbox", "com.acme.dev"],
      ["production", "com.acme.beta"],
      ["production", "com.acme"],
    ]) {
      const token = uniqueToken();
      await register(session, token, { device: { environment, bundleId } });
      expect(await shownToSenders(session)).toMatchObject([{ token, device: { environment, bundleId } }]);
    }
  });

  it("moves on with a token that another one of the slot replaces", async ({ expect }) => {
    const session = await login();
    await register(session, uniqueToken(), { device: DEVICE });
    await register(session, uniqueToken(), { device: { appVersion: "5" } });
    expect(await shownDevice(session)).toEqual({ ...DEVICE, appVersion: "5" });
  });

  it.for<[object, object, object | undefined]>([
    [{ environment: "staging", os: "iOS" }, { os: "iOS" }, { "device.environment": "invalid" }],
    [{ environment: " Production " }, { environment: "production" }, undefined],
    [{ environment: "SANDBOX" }, { environment: "sandbox" }, undefined],
    [{ name: "x".repeat(101), model: "m".repeat(100) }, { model: "m".repeat(100) }, { "device.name": "invalid" }],
    [{ locale: ["en"], id: 7, os: "iOS" }, { os: "iOS" }, { "device.locale": "invalid", "device.id": "invalid" }],
    [
      { name: " ", model: "null", os: "undefined", id: "", environment: "", locale: "de" },
      { locale: "de" },
      {
        "device.name": "invalid",
        "device.model": "invalid",
        "device.os": "invalid",
        "device.id": "invalid",
        "device.environment": "invalid",
      },
    ],
    [{ name: null, locale: "de" }, { locale: "de" }, undefined],
  ])("%j never costs the token", async ([device, kept, refused], { expect }) => {
    const session = await login();
    const reply = await register(session, uniqueToken(), { device });
    expect([reply.status, reply.body.data.refused]).toEqual([200, refused]);
    expect(await shownDevice(session)).toEqual(kept);
  });

  it.for([["iPhone"], [7], [[DEVICE]], [true]])("that is no object is named: %j", async ([device], { expect }) => {
    const session = await login();
    await register(session, uniqueToken(), { device: DEVICE });
    const reply = await register(session, uniqueToken(), { device });
    expect([reply.status, reply.body.data.refused]).toEqual([200, { device: "invalid" }]);
    expect(await shownDevice(session)).toEqual(DEVICE);
  });

  it("costs an unchanged launch nothing, in whatever order its keys come", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    const backwards = Object.fromEntries(Object.entries(DEVICE).reverse());
    await register(session, token, { device: DEVICE });
    for (const device of [DEVICE, backwards, { ...backwards, environment: "Sandbox" }, { name: DEVICE.name }, {}]) {
      const launch = await metered(() => register(session, token, { device }));
      expect(launch).toMatchObject({ calls: ["UserTokens.register"], rowsWritten: 0 });
    }
    const changed = await metered(() => register(session, token, { device: { ...DEVICE, appVersion: "4.2.1" } }));
    expect(changed.rowsWritten).toBeGreaterThan(0);
  });
});

describe("what one API was told", () => {
  it.for<[string, object]>([
    ["providerId", { providerId: "dev" }],
    ["timezone", { timezone: "Asia/Kolkata" }],
    ["device", { device: { environment: "sandbox", bundleId: "com.acme.dev" } }],
    ["all of it", { providerId: "dev", timezone: "Asia/Kolkata", device: { environment: "sandbox" } }],
  ])("stays where the other says nothing of it: %s", async ([, labels], { expect }) => {
    for (const [[, first], [, second]] of [APIS, APIS.toReversed()] as [(typeof APIS)[0], (typeof APIS)[0]][]) {
      const session = await login();
      const token = uniqueToken();
      await first(session, token, labels);
      await second(session, token, {});
      expect(await shownToSenders(session)).toMatchObject([{ token, ...labels }]);
    }
  });
});

describe("device", () => {
  it("belongs to the tokens of its call", async ({ expect }) => {
    const session = await login();
    await session.register({ apnsToken: uniqueToken(), voipToken: uniqueToken(), device: { bundleId: "com.acme" } });
    await session.register({ voipToken: uniqueToken(), device: { bundleId: "com.acme.voip" } });
    const shown: { kind: string; device: object }[] = await shownToSenders(session);
    expect(shown.map(({ kind, device }) => [kind, device]).sort()).toEqual([
      ["apns", { bundleId: "com.acme" }],
      ["voip", { bundleId: "com.acme.voip" }],
    ]);
  });
});
