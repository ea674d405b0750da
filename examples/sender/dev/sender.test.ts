// The sender against fakes of FCM, APNs and the registry, by Node's own test runner.
import { deepEqual, equal } from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import worker, { type Env } from "../src/index.ts";
import type { RegisteredToken } from "../src/push.ts";
import type { Feedback } from "../src/sender.ts";
import { type FakeProviders, startFakeProviders } from "./fake-providers.ts";
import { type Serving, serveSender } from "./serve.ts";

const DEAD_SINCE = 1_795_000_000_000;

let providers: FakeProviders;
let sender: Serving;
/** What the fake registry knows, by user, and what it was told. */
const tokens: Record<string, RegisteredToken[]> = {};
let reported: Feedback[] = [];

before(async () => {
  providers = await startFakeProviders({ unregisteredAt: DEAD_SINCE });
  sender = await serveSender({
    ...(providers.config as unknown as Parameters<typeof serveSender>[0]),
    WEBHOOK_USER: "cometchat",
    WEBHOOK_PASSWORD: "password",
    PUSH_TOKENS: {
      lookup: async (uids) => ({ users: uids.map((uid) => ({ uid, pushTokens: tokens[uid] ?? [] })), errors: [] }),
      feedback: async (items) => {
        reported = items;
        return items.map(() => ({ outcome: "pruned", why: "the provider says that it is dead" }));
      },
    },
  });
});

beforeEach(() => {
  providers.delivered.length = 0;
  reported = [];
});

after(async () => {
  await sender.stop();
  await providers.stop();
});

async function send(path: string, body: object, password = "password") {
  const response = await fetch(`${sender.url}${path}`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`cometchat:${password}`)}` },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test("sends one push per device, with the recipient's uid in it", async () => {
  tokens.alice = [
    { token: "iphone-apns", kind: "apns", sessionId: "iphone" },
    { token: "iphone-fcm", kind: "fcm", sessionId: "iphone", target: "token" },
    { token: "browser-fcm", kind: "fcm", sessionId: "browser", target: "token" },
  ];
  const { status, body } = await send("/send", { uids: ["alice"], push: { title: "Hello", body: "It works." } });
  equal(status, 200);
  deepEqual(body, { delivered: 2, failed: [], otherHost: [], unread: [] });
  deepEqual(providers.delivered.map(({ token }) => token).sort(), ["browser-fcm", "iphone-apns"]);
  const uids = providers.delivered.map(({ body }) => body.uid ?? (body.data as Record<string, unknown>).uid);
  deepEqual(uids, ["alice", "alice"]);
});

test("tells the registry which tokens are dead, and since when", async () => {
  tokens.bob = [
    { token: "unregistered:fcm", kind: "fcm", sessionId: "phone", target: "token" },
    { token: "x-unregistered", kind: "apns", sessionId: "iphone" },
  ];
  const { body } = await send("/send", { uids: ["bob"], push: { title: "Hello", body: "It works." } });
  equal(body.delivered, 0);
  deepEqual(
    reported.map(({ token, uid }) => [token, uid]),
    [
      ["unregistered:fcm", "bob"],
      ["x-unregistered", "bob"],
    ],
  );
  equal(reported[1]?.at, DEAD_SINCE);
});

test("lets nobody in without the password", async () => {
  const { status } = await send("/send", { uids: ["alice"], push: { title: "Hello", body: "It works." } }, "wrong");
  equal(status, 401);
  deepEqual(providers.delivered, []);
});

test("lets nobody in while there is no user or no password", async () => {
  for (const [user, password] of [
    ["cometchat", undefined],
    ["cometchat", ""],
    [undefined, "password"],
    ["", "password"],
  ]) {
    const request = new Request("https://push-sender.example/send", {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${user}:${password}`)}` },
      body: "{}",
    });
    const env = { WEBHOOK_USER: user, WEBHOOK_PASSWORD: password } as Env;
    const { status } = await worker.fetch(request, env, { waitUntil: () => {} });
    equal(status, 401);
  }
});
