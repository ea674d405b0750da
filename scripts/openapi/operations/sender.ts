// What senders ask and report: back ends with an API key of scope sender or fullAccess.
import * as z from "zod/mini";
import * as schemas from "../../../src/http/schemas.ts";
import { BATCH_MAX } from "../../../src/limits.ts";
import type { ApiOperation } from "./operation.ts";
import { device, kind, NOW, platform, SENDER_TOKEN, SESSION, TOKEN, time, userPushTokens } from "./shared.ts";

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
    data: userPushTokens,
    example: { uid: "alice", pushTokens: [SENDER_TOKEN] },
    refusals: [400, 403],
  },
  {
    id: "lookup",
    method: "post",
    path: "/v3/push_tokens/lookup",
    caller: ["fullAccess", "sender"],
    summary: `The same for up to ${BATCH_MAX} users in one request`,
    description:
      "In the order asked for, each uid once and named as it was asked for (with identity `cometchat`, any case of a uid is " +
      "the same user). A uid that no user can have, and a user whose object fails, are named in `errors`; the rest is served. " +
      "Devices that their user muted are left out unless `includeMuted` is true. On " +
      "Cloudflare's free plan a request may reach 50 objects: ask for fewer users at once there.",
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
    data: z.strictObject({
      sessions: z.array(
        z.strictObject({
          id: z.string(),
          kinds: z.array(kind),
          platforms: z.array(platform),
          firstSeenAt: time,
          lastSeenAt: time,
          muted: z.boolean().check(z.describe("Senders leave the device out.")),
          device: z.optional(device),
        }),
      ),
    }),
    example: {
      sessions: [
        {
          id: SESSION,
          kinds: ["fcm"],
          platforms: ["android"],
          firstSeenAt: NOW,
          lastSeenAt: NOW,
          muted: false,
          device: { name: "Alice's phone", model: "Pixel 10" },
        },
      ],
    },
    refusals: [400, 403],
  },
];
