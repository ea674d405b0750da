// What senders ask and report: back ends with an API key of scope sender or fullAccess.
import * as z from "zod/mini";
import { VERDICTS } from "../../../src/domain/explain.ts";
import { KIND_NAMES, PLATFORMS } from "../../../src/domain/kinds.ts";
import * as schemas from "../../../src/http/schemas.ts";
import { LOOKUP_USERS_MAX, USERS_PER_PAGE } from "../../../src/limits.ts";
import type { ApiOperation } from "./operation.ts";
import {
  CHANGE,
  device,
  kind,
  NOW,
  platform,
  recordedChange,
  SENDER_TOKEN,
  SESSION,
  TOKEN,
  time,
  userPushTokens,
} from "./shared.ts";

const MUTED = {
  includeMuted: { description: "Also devices that their user muted.", schema: { type: "boolean", default: false } },
};
const CURSOR = { description: "Of the reply before; none for the first page.", schema: { type: "string" } };
const counted = z.int();

const session = {
  id: z.string(),
  kinds: z.array(kind),
  platforms: z.array(platform),
  firstSeenAt: time,
  lastSeenAt: time,
  muted: z.boolean().check(z.describe("Senders leave the device out.")),
  device: z.optional(device),
};
const SHOWN_SESSION = {
  id: SESSION,
  kinds: ["fcm"],
  platforms: ["android"],
  firstSeenAt: NOW,
  lastSeenAt: NOW,
  muted: false,
  device: { name: "Alice's phone", model: "Pixel 10" },
};

export const SENDER_OPERATIONS: readonly ApiOperation[] = [
  {
    id: "listUserTokens",
    method: "get",
    path: "/v3/users/{uid}/push_tokens",
    caller: ["fullAccess", "sender"],
    summary: "What may be pushed for a user now",
    description:
      "Has a weak `ETag` over its content: send it back as `If-None-Match` to get 304 without a body. " +
      "Devices that their user muted are left out; `?includeMuted=true` names them too.",
    query: MUTED,
    data: userPushTokens,
    example: { uid: "alice", pushTokens: [SENDER_TOKEN] },
    refusals: [400, 403],
  },
  {
    id: "lookup",
    method: "post",
    path: "/v3/push_tokens/lookup",
    caller: ["fullAccess", "sender"],
    summary: `The same for up to ${LOOKUP_USERS_MAX} users in one request`,
    description:
      "In the order asked for, each uid once and named as it was asked for (with identity `cometchat`, any case of a uid is " +
      "the same user). It shows every change that was acknowledged. `refreshedAt` is at least what it says: it may be up to 90 " +
      "days (or a third of the retention, if that is less) older than in the user's own list. Devices that their user muted are " +
      "left out unless `includeMuted` is true. Who cannot be served is named in `errors`, and the rest is served: " +
      "`ERR_BAD_REQUEST`, no user can have this uid; `ERR_OPERATION_FAILED`, ask for this user again; `ERR_RESPONSE_TOO_LARGE`, " +
      "ask in a smaller batch (a reply has at most 8 MiB).",
    body: { schema: schemas.lookupBody, example: { uids: ["alice", "bob"] } },
    data: z.strictObject({
      users: z.array(userPushTokens),
      errors: z.array(z.strictObject({ uid: z.string(), code: z.string(), message: z.string() })),
    }),
    example: {
      users: [
        { uid: "alice", pushTokens: [SENDER_TOKEN] },
        { uid: "bob", pushTokens: [] },
      ],
      errors: [],
    },
    refusals: [400, 403, 413, 415],
  },
  {
    id: "listAll",
    method: "get",
    path: "/v3/push_tokens",
    caller: ["fullAccess", "sender"],
    summary: "What may be pushed for all users now, page by page",
    description:
      "Ask again with each reply's `cursor` until there is none. Each user who holds tokens from the first page to the last " +
      "stands in exactly one page, and each page is as true as a lookup; the order means nothing. Users of whom nothing is left " +
      "after the filters are left out, so a page may hold fewer users than `limit`, even none, and have a `cursor`. A reply has at " +
      "most 8 MiB. 400 for a cursor from before the directory was rebuilt: begin again without it. 503 where something does not " +
      "answer, for a list cannot name whom it lacks; and while the directory is being rebuilt.",
    query: {
      cursor: CURSOR,
      limit: {
        description: "Users per page, at most.",
        schema: { type: "integer", minimum: 1, maximum: LOOKUP_USERS_MAX, default: USERS_PER_PAGE },
      },
      platform: { description: "Only tokens of this platform.", schema: { type: "string", enum: PLATFORMS } },
      kind: { description: "Only tokens of this kind.", schema: { type: "string", enum: KIND_NAMES } },
      ...MUTED,
    },
    data: z.strictObject({
      users: z.array(userPushTokens),
      cursor: z.optional(z.string().check(z.describe("Where the next page begins; absent on the last one."))),
    }),
    example: { users: [{ uid: "alice", pushTokens: [SENDER_TOKEN] }], cursor: "MToxNjozOjEyODMy" },
    refusals: [400, 403],
  },
  {
    id: "countAll",
    method: "get",
    path: "/v3/push_tokens/counts",
    caller: ["fullAccess", "sender"],
    summary: "How many users and registrations there are",
    description:
      "Muted devices are counted too. Of more than 100,000 users a part is counted: ask again with `cursor` until there is none, " +
      "and add up. What the directory knows of a device's last launch is up to 90 days older than the truth: so are the ages, and " +
      "what has expired is counted until its user's object has removed it. 400 and 503 as for the list.",
    query: { cursor: CURSOR },
    data: z.strictObject({
      users: counted.check(z.describe("Who hold a registration.")),
      registrations: counted,
      muted: counted,
      byKind: z.record(kind, counted),
      byPlatform: z.record(platform, counted),
      byAge: z
        .record(z.string(), counted)
        .check(
          z.describe(
            "By the days since the last launch: `30` is less than 30 days, `90` is 30 to 89, `180` is 90 to 179, `270` is 180 to 269, `more` is the rest.",
          ),
        ),
      cursor: z.optional(z.string()),
    }),
    example: {
      users: 2,
      registrations: 3,
      muted: 0,
      byKind: { fcm: 2, apns: 1, voip: 0 },
      byPlatform: { ios: 1, web: 0, android: 2 },
      byAge: { 30: 2, 90: 1, 180: 0, 270: 0, more: 0 },
    },
    refusals: [400, 403],
  },
  {
    id: "reportFeedback",
    method: "post",
    path: "/v3/push_tokens/feedback",
    caller: ["fullAccess", "sender"],
    summary: "Report what FCM and APNs answered",
    description:
      "`code` is the provider's own word or its library's, `error` its whole error object; `at` the provider's time (APNs: " +
      "`timestamp`), else `sentAt`, both in epoch milliseconds. Prunes exactly what is dead and not registered since; " +
      "docs/feedback.md has the table. `code: delivered` with an `environment` says which of APNs' hosts took a push, and corrects " +
      "`device.environment` of the registration. One answer per item: `unknown_code` for a word that nobody is known to use, `invalid` for " +
      "an item with a mistake in it.",
    body: {
      schema: schemas.feedbackBody,
      example: { items: [{ token: TOKEN, kind: "fcm", code: "UNREGISTERED", sentAt: NOW, uid: "alice" }] },
    },
    data: z.strictObject({
      items: z.array(
        z.strictObject({
          outcome: z.enum([
            "pruned",
            "kept",
            "suspect",
            "corrected",
            "unknown",
            "unavailable",
            "unknown_code",
            "invalid",
          ]),
          why: z.string(),
        }),
      ),
    }),
    example: { items: [{ outcome: "suspect", why: "the device may have registered again within the refresh window" }] },
    refusals: [400, 403, 413, 415],
  },
  {
    id: "findOwner",
    method: "post",
    path: "/v3/push_tokens/owner",
    caller: ["fullAccess", "sender"],
    summary: "Who holds a token now",
    description:
      "As the user's own object says; without `kind` every kind is looked at. More than one owner only under policy `shared`.",
    body: { schema: schemas.ownerBody, example: { token: TOKEN, kind: "fcm" } },
    data: z.strictObject({
      owners: z.array(
        z.strictObject({
          uid: z.string(),
          kind,
          platform,
          sessionId: z.string(),
          registeredAt: time,
          refreshedAt: time,
          suspect: z.boolean(),
        }),
      ),
    }),
    example: {
      owners: [
        {
          uid: "alice",
          kind: "fcm",
          platform: "android",
          sessionId: SESSION,
          registeredAt: NOW,
          refreshedAt: NOW,
          suspect: false,
        },
      ],
    },
    refusals: [400, 403, 413, 415],
  },
  {
    id: "listSessions",
    method: "get",
    path: "/v3/users/{uid}/sessions",
    caller: ["fullAccess", "sender"],
    summary: "The sessions of a user that hold a registration",
    description:
      "The most recently seen first. `device` is what the app said with any of the session's tokens, field by field the latest.",
    data: z.strictObject({ sessions: z.array(z.strictObject(session)) }),
    example: { sessions: [SHOWN_SESSION] },
    refusals: [400, 403],
  },
  {
    id: "getApp",
    method: "get",
    path: "/v3/app",
    caller: ["fullAccess", "sender"],
    summary: "The settings of the key's app, and what the key may do",
    description:
      "No secret, and of no other app. docs/apps.md explains each setting; those that are not set are absent.",
    data: z.strictObject({
      appId: z.string(),
      region: z.string(),
      identity: z.enum(["issued", "jwt", "cometchat"]),
      policy: z.enum(["exclusive", "shared"]),
      uidCase: z.enum(["sensitive", "insensitive"]),
      fcmInstallations: z.boolean(),
      refreshWindowDays: z.number(),
      retentionDays: z.number(),
      publicHost: z.optional(z.string()),
      allowedOrigins: z.optional(z.array(z.string())),
      jurisdiction: z.optional(z.string()),
      locationHint: z.optional(z.string()),
      takeovers: z.strictObject({ perUserAndHour: z.int() }),
      rateLimits: z.record(z.string(), z.string()),
      directory: z.strictObject({ objects: z.int(), epoch: z.int(), complete: z.boolean() }),
      sender: z.boolean().check(z.describe("Whether a sender is bound, which a test push needs.")),
      key: z.strictObject({
        name: z.string(),
        scope: z.string(),
        apps: z.optional(
          z.array(z.string()).check(z.describe("Of a person who came by Cloudflare Access, in place of a key.")),
        ),
      }),
    }),
    example: {
      appId: "acme",
      region: "us",
      identity: "issued",
      policy: "exclusive",
      uidCase: "sensitive",
      fcmInstallations: true,
      refreshWindowDays: 7,
      retentionDays: 270,
      takeovers: { perUserAndHour: 10 },
      rateLimits: { ip: "IP", session: "SESSION", key: "KEY", unverified: "UNVERIFIED" },
      directory: { objects: 8, epoch: 1, complete: true },
      sender: false,
      key: { name: "sender", scope: "sender" },
    },
    refusals: [403],
  },
  {
    id: "explainUser",
    method: "get",
    path: "/v3/users/{uid}/explain",
    caller: ["fullAccess", "sender"],
    summary: "Why this user does, or does not, get pushes",
    description:
      "The first verdict that fits. Of a user who holds something: `ok`, `all_suspect`, `muted`. Else by what was lost since the last " +
      "registration: `taken` (another user logged in on the device), `pruned` (a provider called the token dead), `expired`, " +
      "`evicted`, `ended` (by the back end or from another device), `logged_out`, `removed`. `nothing_known`: no registration, and no " +
      "change in the last 30 days; also for a uid that nobody has. `npm run explain -- alice` prints it.",
    data: z.strictObject({
      uid: z.string(),
      verdict: z.strictObject({ code: z.enum(VERDICTS), sentence: z.string() }),
      next: z.string().check(z.describe("What to do about it.")),
      evidence: z.array(recordedChange).check(z.describe("The entries of `changes` on which the verdict rests.")),
      devices: z
        .array(
          z.strictObject({
            ...session,
            suspect: z.boolean().check(z.describe("A provider reported trouble with a token of it.")),
          }),
        )
        .check(z.describe("The sessions that hold a registration, muted ones too.")),
      changes: z.array(recordedChange).check(z.describe("The record: the last 50 changes, oldest first.")),
    }),
    example: {
      uid: "alice",
      verdict: { code: "ok", sentence: "There is a device that may be pushed." },
      next: "Look at what FCM or APNs answer to your sender, and at the notification settings of the device.",
      evidence: [CHANGE],
      devices: [{ ...SHOWN_SESSION, suspect: false }],
      changes: [CHANGE],
    },
    refusals: [400, 403],
  },
];
