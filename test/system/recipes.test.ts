// examples/recipes: each vendor's own sample payload, signed as the vendor signs it, against fakes of FCM and APNs.
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, it } from "vitest";
import cometchat from "../../examples/recipes/cometchat.ts";
import novu from "../../examples/recipes/novu.ts";
import sendbird from "../../examples/recipes/sendbird.ts";
import stream from "../../examples/recipes/stream.ts";
import type { Feedback } from "../../examples/sender/src/sender.ts";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import { type FakeProviders, startFakeProviders } from "../support/node/fake-providers.ts";

const SECRET = "the webhook's secret";
const URL_OF_SENDER = "https://push-sender.example/";

let providers: FakeProviders;
let env: Parameters<typeof cometchat.fetch>[1] & Parameters<typeof novu.fetch>[1];
let read: string[][] = [];
let reported: Feedback[] = [];

beforeAll(async () => {
  providers = await startFakeProviders({ unregisteredAt: 0 });
  env = {
    ...(providers.config as unknown as typeof env),
    WEBHOOK_USER: "cometchat",
    WEBHOOK_PASSWORD: SECRET,
    NOVU_HMAC_KEY: SECRET,
    PUSH_TOKENS: {
      lookup: async (uids) => {
        read.push(uids);
        const token = (uid: string) => (uid.startsWith("gone") ? `unregistered:${uid}` : `token-of-${uid}`);
        const users = uids.map((uid) => ({
          uid,
          pushTokens: [{ token: token(uid), kind: "fcm" as const, sessionId: uid, target: "token" as const }],
        }));
        return { users, errors: uids.filter((uid) => uid === "unreadable").map((uid) => ({ uid, code: "ERR" })) };
      },
      feedback: async (items) => {
        reported.push(...items);
        return items.map(() => ({ outcome: "pruned", why: "the provider says that it is dead" }));
      },
    },
  };
});

beforeEach(() => {
  providers.delivered.length = 0;
  read = [];
  reported = [];
});

afterAll(() => providers?.stop());

interface Recipe {
  vendor: string;
  /** Answers, and waits for what goes on after the reply. */
  call(headers: Record<string, string>, body: string, settings?: object): Promise<Response>;
  headers(body: string, secret?: string): Record<string, string>;
  sample: object;
  /** The same to a user whose token is dead. */
  toGone: object;
  ignored: object[];
  uids: string[];
  push: { title: string; body: string; data: Record<string, string> };
}

type Handler<E> = {
  fetch(request: Request, env: E, ctx: { waitUntil(work: Promise<unknown>): void }): Promise<Response>;
};

const caller =
  <E>(handler: Handler<E>, extra: object) =>
  async (headers: Record<string, string>, body: string, settings: object = {}) => {
    const later: Promise<unknown>[] = [];
    const request = new Request(URL_OF_SENDER, { method: "POST", headers, body });
    const ctx = { waitUntil: (work: Promise<unknown>) => void later.push(work) };
    const response = await handler.fetch(request, { ...env, ...extra, ...settings } as E, ctx);
    await Promise.all(later);
    return response;
  };

const hmac =
  (header: string) =>
  (body: string, secret: string = SECRET) => ({
    [header]: createHmac("sha256", secret).update(body).digest("hex"),
  });

const streamMember = (user_id: string, more: object = {}) => ({ user_id, user: { id: user_id }, ...more });
const streamEvent = (members: object[], more: object = {}) => ({
  type: "message.new",
  cid: "messaging:fun-d5f396e3",
  message: { id: "8bffc454", text: "See you at six", type: "regular", silent: false, attachments: [] },
  user: { id: "tommaso", name: "Tommaso", role: "user" },
  members,
  channel_type: "messaging",
  channel_id: "fun-d5f396e3",
  ...more,
});

const sendbirdMember = (user_id: string, more: object = {}) => ({
  user_id,
  state: "joined",
  is_blocking_sender: false,
  push_enabled: false,
  push_trigger_option: "default",
  do_not_disturb: false,
  ...more,
});
const sendbirdEvent = (members: object[] | undefined, more: object = {}) => ({
  category: "group_channel:message_send",
  sender: { user_id: "Jeff", nickname: "Oldies but goodies" },
  silent: false,
  type: "MESG",
  members,
  payload: { message_id: 238303376, message: "See you at six", created_at: 1540798555343 },
  channel: { name: "Engineers", channel_url: "sendbird_group_channel_47226288", is_super: false },
  app_id: "xxxxxxxx",
  ...more,
});

const novuCall = (subscriberId: string | undefined) => ({
  target: ["any"],
  title: "Tommaso",
  content: "See you at six",
  overrides: { data: { room: 7, from: { id: 5 }, note: null } },
  payload: { __source: "test-workflow", subscriber: { _id: "65c0d71c", subscriberId, channels: [] }, step: {} },
});

const cometchatCall = (uid: string, more: object = {}) => ({
  trigger: "push-notification-payload-generated",
  data: {
    to: { uid },
    notificationDetails: {
      title: "Tommaso",
      body: "See you at six",
      type: "chat",
      sender: "tommaso",
      tag: 17,
      sound: null,
    },
  },
  appId: "app",
  region: "us",
  webhook: "custom",
  ...more,
});

const RECIPES: Recipe[] = [
  {
    vendor: "CometChat",
    call: caller(cometchat, {}),
    headers: (_, secret = SECRET) => ({ authorization: `Basic ${btoa(`cometchat:${secret}`)}` }),
    sample: cometchatCall("anna"),
    toGone: cometchatCall("gone-anna"),
    ignored: [cometchatCall("anna", { trigger: "something-else" }), { trigger: "push-notification-payload-generated" }],
    uids: ["anna"],
    push: { title: "Tommaso", body: "See you at six", data: { sender: "tommaso", tag: "17" } },
  },
  {
    vendor: "Novu",
    call: caller(novu, {}),
    headers: hmac("x-novu-signature"),
    sample: novuCall("anna"),
    toGone: novuCall("gone-anna"),
    ignored: [],
    uids: ["anna"],
    push: { title: "Tommaso", body: "See you at six", data: { room: "7", from: '{"id":5}' } },
  },
  {
    vendor: "Stream",
    call: caller(stream, { STREAM_API_SECRET: SECRET }),
    headers: hmac("x-signature"),
    sample: streamEvent([
      streamMember("anna"),
      streamMember("tommaso"),
      streamMember("ben"),
      streamMember("muted", { notifications_muted: true }),
    ]),
    toGone: streamEvent([streamMember("gone-anna"), streamMember("tommaso")]),
    ignored: [
      streamEvent([streamMember("anna")], { type: "message.read" }),
      streamEvent([streamMember("anna")], { message: { id: "1", text: "x", silent: true } }),
      streamEvent([streamMember("tommaso")]),
    ],
    uids: ["anna", "ben"],
    push: { title: "Tommaso", body: "See you at six", data: { cid: "messaging:fun-d5f396e3", messageId: "8bffc454" } },
  },
  {
    vendor: "Sendbird",
    call: caller(sendbird, { SENDBIRD_API_TOKEN: SECRET }),
    headers: hmac("x-sendbird-signature"),
    sample: sendbirdEvent([
      sendbirdMember("anna"),
      sendbirdMember("Jeff"),
      sendbirdMember("ben"),
      sendbirdMember("quiet", { do_not_disturb: true }),
      sendbirdMember("off", { push_trigger_option: "off" }),
      sendbirdMember("unmentioned", { push_trigger_option: "mention_only" }),
      sendbirdMember("blocking", { is_blocking_sender: true }),
      sendbirdMember("invited", { state: "invited" }),
    ]),
    toGone: sendbirdEvent([sendbirdMember("gone-anna")]),
    ignored: [
      sendbirdEvent([sendbirdMember("anna")], { category: "group_channel:join" }),
      sendbirdEvent([sendbirdMember("anna")], { silent: true }),
      sendbirdEvent(undefined),
    ],
    uids: ["anna", "ben"],
    push: {
      title: "Oldies but goodies",
      body: "See you at six",
      data: { channelUrl: "sendbird_group_channel_47226288", messageId: "238303376" },
    },
  },
];

describe.for(RECIPES)("the recipe behind $vendor", ({ vendor, call, headers, sample, toGone, ignored, uids, push }) => {
  it("is deployed beside the example sender, not over it", async ({ expect }) => {
    const name = vendor.toLowerCase();
    const page = await readFile(join(PROJECT, `docs/behind-${name}.md`), "utf8");
    const commands = page.match(/npx wrangler (deploy|secret put) .*/g) ?? [];
    expect(commands).toHaveLength(2);
    for (const command of commands) expect(command).toContain(` --name push-behind-${name}`);
  });

  it("reads the recipients' tokens once, and sends each a push with its own uid", async ({ expect }) => {
    const body = JSON.stringify(sample);
    expect((await call(headers(body), body)).status).toBe(200);
    expect(read).toEqual([uids]);
    const sent = providers.delivered.map(({ token, body: { notification, data } }) => ({ token, notification, data }));
    const { title, body: text, data } = push;
    expect(sent).toEqual(
      uids.map((uid) => ({
        token: `token-of-${uid}`,
        notification: { title, body: text },
        data: { ...data, uid, type: "chat" },
      })),
    );
  });

  it("tells the registry of a token that is dead", async ({ expect }) => {
    const body = JSON.stringify(toGone);
    expect((await call(headers(body), body)).status).toBe(200);
    expect(reported).toMatchObject([{ uid: "gone-anna", token: "unregistered:gone-anna", kind: "fcm" }]);
  });

  it("sends nothing for a body that was changed, or that nobody signed", async ({ expect }) => {
    const body = JSON.stringify(sample);
    const wrong = Object.fromEntries(
      Object.entries(headers(body)).map(([name, value]) => [
        name,
        value.replace(/.$/, (last) => (last === "0" ? "1" : "0")),
      ]),
    );
    for (const each of [wrong, {}]) expect((await call(each, body)).status).toBe(401);
    expect(read).toEqual([]);
  });

  it("lets nobody in while its secret is not set", async ({ expect }) => {
    const body = JSON.stringify(sample);
    for (const secret of [undefined, ""]) {
      const names = ["WEBHOOK_PASSWORD", "NOVU_HMAC_KEY", "STREAM_API_SECRET", "SENDBIRD_API_TOKEN"];
      const settings = Object.fromEntries(names.map((name) => [name, secret]));
      for (const guess of ["", "undefined"]) {
        expect((await call(headers(body, guess), body, settings)).status).toBe(401);
      }
    }
    expect(read).toEqual([]);
  });

  it("answers what is no push to anybody, and sends nothing", async ({ expect }) => {
    for (const event of ignored) {
      const body = JSON.stringify(event);
      expect((await call(headers(body), body)).status).toBe(200);
    }
    expect(read).toEqual([]);
  });
});

describe("the recipe behind Sendbird", () => {
  const recipe = RECIPES.find(({ vendor }) => vendor === "Sendbird");

  it.for([
    { mention_type: "users", mentioned_users: [{ user_id: "anna", nickname: "Anna" }], uids: ["anna"] },
    { mention_type: "channel", mentioned_users: [], uids: ["anna", "ben"] },
  ])("sends a mention of $mention_type to $uids, who want mentions only", async ({ uids, ...mention }, { expect }) => {
    const members = ["anna", "ben"].map((uid) => sendbirdMember(uid, { push_trigger_option: "mention_only" }));
    const body = JSON.stringify(sendbirdEvent(members, mention));
    await recipe?.call(recipe.headers(body), body);
    expect(read).toEqual([uids]);
  });
});

describe("the recipe behind Novu", () => {
  const [, recipe] = RECIPES;

  it.for([
    { subscriberId: undefined, status: 400 },
    { subscriberId: "unreadable", status: 503 },
  ])("shows Novu a failure: subscriber $subscriberId is a $status", async ({ subscriberId, status }, { expect }) => {
    const body = JSON.stringify(novuCall(subscriberId));
    expect((await recipe?.call(recipe.headers(body), body))?.status).toBe(status);
  });
});
