// The API call by call, for people and programs: what scripts/openapi.ts writes down, and what the tests replay. The bodies
// are the very schemas that the Worker validates with.
import * as z from "zod/mini";
import { KIND_NAMES, PLATFORMS } from "../../src/domain/kinds.ts";
import { PUSH_PLATFORM_NAMES } from "../../src/domain/push-platforms.ts";
import * as schemas from "../../src/http/schemas.ts";
import { BATCH_MAX } from "../../src/limits.ts";

export interface ApiOperation {
  id: string;
  method: "get" | "post" | "put" | "delete";
  path: string;
  /** Who calls: an app with an auth token, a back end with an API key of one of the scopes, or anybody. */
  caller: "client" | "anybody" | readonly ("fullAccess" | "sender" | "authOnly")[];
  summary: string;
  description: string;
  body?: { schema: z.ZodMiniType; example: unknown } | { text: string; example: string };
  /** `data` of a success. */
  data: z.ZodMiniType;
  example: unknown;
  /** Statuses of refusals, beside 401, 429, 500 and 503 that any call may get. */
  refusals: readonly (400 | 403 | 404 | 413)[];
  /** What it needs is only where Cloudflare runs it: its example cannot be replayed here. */
  needsProduction?: true;
}

const success = z.strictObject({ success: z.literal(true) });
const time = z.int().check(z.describe("Epoch milliseconds."));
const kind = z.enum(KIND_NAMES);
const platform = z.enum(PLATFORMS);

const senderToken = z.strictObject({
  token: z.string(),
  kind,
  platform,
  sessionId: z.string(),
  registeredAt: time,
  refreshedAt: time,
  suspect: z
    .boolean()
    .check(z.describe("A provider reported trouble since the last registration: send on, the next report decides.")),
  providerId: z.optional(z.string()),
  timezone: z.optional(z.string()),
});

const userPushTokens = z.strictObject({ uid: z.string(), pushTokens: z.array(senderToken) });

const settings = z.looseObject({
  REGION: z.string(),
  EXTENSION_DOMAIN: z.string(),
  CHAT_API_VERSION: z.string(),
  CLIENT_API_HOST: z.string(),
  ADMIN_API_HOST: z.string(),
});

const me = z.strictObject({
  uid: z.string(),
  name: z.string(),
  authToken: z.string(),
  wsChannel: z.strictObject({}),
  settings,
});

const successorTokens = z.strictObject({
  pushTokens: z.array(
    z.strictObject({
      authToken: z.nullable(z.string()).check(z.describe("`null` for those of another session than the caller's.")),
      pushTokenType: z.literal("chat"),
      createdAt: z.string(),
      platform: z.enum(PUSH_PLATFORM_NAMES),
      providerId: z.nullable(z.string()),
      pushToken: z.string(),
      uid: z.string(),
      updatedAt: z.string(),
    }),
  ),
});

const AS_SERVER =
  " A back end may call it too, with `apikey` (fullAccess) and the client's auth token in the header or the body.";

const NOW = 1_795_545_600_000;
const SESSION = "0e10ac93-eace-4e22-ba2e-2efa5ed66469";
const TOKEN = "fcm-registration-token";
const SETTINGS = {
  REGION: "us",
  EXTENSION_DOMAIN: "example.com",
  CHAT_API_VERSION: "v3.0",
  CLIENT_API_HOST: "push-notification-us.example.com",
  ADMIN_API_HOST: "push-notification-us.example.com",
  APP_VERSION: 4,
  MODE: "DEFAULT",
  ANALYTICS_PING_DISABLED: true,
  extensions: [{ id: "push-notification" }],
};
const ME = { uid: "alice", name: "alice", authToken: "eyJhbGciOi…", wsChannel: {}, settings: SETTINGS };
const SENDER_TOKEN = {
  token: TOKEN,
  kind: "fcm",
  platform: "android",
  sessionId: SESSION,
  registeredAt: NOW,
  refreshedAt: NOW,
  suspect: false,
};

export const OPERATIONS: readonly ApiOperation[] = [
  {
    id: "registerTokens",
    method: "post",
    path: "/v2/tokens",
    caller: "client",
    summary: "Register push tokens for this session",
    description:
      "Any of the three tokens, each 1 to 4096 visible ASCII characters. A new token displaces the one that this session " +
      "held of the same kind; a token that another user holds becomes this user's. Repeating it changes nothing.",
    body: { schema: schemas.registerBody, example: { fcmToken: TOKEN } },
    data: z.strictObject({ success: z.literal(true), unregisterTicket: z.optional(z.string()) }),
    example: { success: true, unregisterTicket: "eyJhbGciOi…" },
    refusals: [400, 413],
  },
  {
    id: "listTokens",
    method: "get",
    path: "/v2/tokens",
    caller: "client",
    summary: "List the user's push tokens",
    description: "All tokens of all of the user's sessions, by platform; VoIP tokens stand under `ios`.",
    data: z.strictObject({ ios: z.array(z.string()), web: z.array(z.string()), android: z.array(z.string()) }),
    example: { ios: [], web: [], android: [TOKEN] },
    refusals: [],
  },
  {
    id: "deleteTokens",
    method: "delete",
    path: "/v2/tokens",
    caller: "client",
    summary: "Delete this session's tokens, or all of the user's",
    description:
      "`all: false`, the default also without a body, empties this session's slots; it may register again. `all: true` " +
      "empties those of all of the user's sessions.",
    body: { schema: schemas.deleteBody, example: { all: false } },
    data: success,
    example: { success: true },
    refusals: [400, 413],
  },
  {
    id: "unregister",
    method: "post",
    path: "/v2/tokens/unregister",
    caller: "anybody",
    summary: "Remove a registration by its ticket",
    description:
      "The body is an `unregisterTicket` as text/plain; no header is needed, so that `navigator.sendBeacon` can send it. It " +
      "removes exactly the registration that it was given for, also after the session ended; a later one survives it.",
    body: { text: "An unregisterTicket.", example: "{unregisterTicket}" },
    data: success,
    example: { success: true },
    refusals: [400, 413],
  },
  {
    id: "logIn",
    method: "put",
    path: "/v3/me",
    caller: "client",
    summary: "What an SDK's login(authToken) asks",
    description:
      "The user, and settings that send the SDK back to this server for every later call. The body is ignored.",
    data: me,
    example: ME,
    refusals: [],
  },
  {
    id: "getMe",
    method: "get",
    path: "/v3/me",
    caller: "client",
    summary: "The user and the settings",
    description: "As `PUT /v3/me`.",
    data: me,
    example: ME,
    refusals: [],
  },
  {
    id: "logOut",
    method: "delete",
    path: "/v3/me",
    caller: "client",
    summary: "What an SDK's logout() asks: end the session",
    description: "The session's tokens are gone with it, and it can never register again. Repeating it is harmless.",
    data: success,
    example: { success: true },
    refusals: [],
  },
  {
    id: "getSettings",
    method: "get",
    path: "/v3/settings",
    caller: "client",
    summary: "The settings of an SDK",
    description: "The hosts that the SDK shall call, all of this server.",
    data: settings,
    example: SETTINGS,
    refusals: [],
  },
  {
    id: "postUserSession",
    method: "post",
    path: "/v3/user_sessions",
    caller: "client",
    summary: "Telemetry of the SDK; nothing is kept",
    description: "Accepted so that SDKs go on undisturbed.",
    data: success,
    example: { success: true },
    refusals: [],
  },
  {
    id: "registerPushToken",
    method: "post",
    path: "/v3/notifications/push/v1/tokens",
    caller: "client",
    summary: "What an SDK's registerPushToken asks",
    description: `Puts the token into the slot that \`/v2/tokens\` fills too: one truth.${AS_SERVER}`,
    body: {
      schema: schemas.successorRegisterBody,
      example: { providerId: "default", timezone: "Europe/Berlin", fcmToken: TOKEN, platform: "fcm_android" },
    },
    data: success,
    example: { success: true },
    refusals: [400, 403, 413],
  },
  {
    id: "listPushTokens",
    method: "get",
    path: "/v3/notifications/push/v1/tokens",
    caller: "client",
    summary: "List the session's push tokens, or all of the user's",
    description:
      "`?all=true`: of all of the user's sessions. `platform` is that of the native SDK: the framework is not kept." +
      `${AS_SERVER} CometChat's own form has it in the query (\`?authToken=\`): read, but a URL reaches logs.`,
    data: successorTokens,
    example: {
      pushTokens: [
        {
          authToken: "eyJhbGciOi…",
          pushTokenType: "chat",
          createdAt: "2026-11-24T20:00:00.000Z",
          platform: "fcm_android",
          providerId: "default",
          pushToken: TOKEN,
          uid: "alice",
          updatedAt: "2026-11-24T20:00:00.000Z",
        },
      ],
    },
    refusals: [400, 403],
  },
  {
    id: "unregisterPushToken",
    method: "delete",
    path: "/v3/notifications/push/v1/tokens",
    caller: "client",
    summary: "What an SDK's unregisterPushToken asks",
    description:
      "Empties this session's slots; `?all=true` those of all of the user's sessions; `pushToken` in the body: that one, " +
      `whichever session of the user holds it.${AS_SERVER} It is answered what was removed.`,
    body: { schema: schemas.successorDeleteBody, example: { pushToken: TOKEN } },
    data: z.union([success, successorTokens]),
    example: { success: true },
    refusals: [400, 403, 413],
  },
  {
    id: "unregisterPushTokenByPath",
    method: "delete",
    path: "/v3/notifications/push/v1/tokens/{pushToken}",
    caller: "client",
    summary: "The same for one token that stands in the path",
    description: "CometChat's own form, for what exists already. A URL reaches logs: prefer the body.",
    body: { schema: schemas.successorDeleteBody, example: {} },
    data: z.union([success, successorTokens]),
    example: { success: true },
    refusals: [400, 403, 413],
  },
  {
    id: "mintAuthToken",
    method: "post",
    path: "/v3/users/{uid}/auth_tokens",
    caller: ["fullAccess", "authOnly"],
    summary: "Mint an auth token: one login of a user on one device",
    description:
      "For apps with identity `issued`. Mint one per login and device. Without `lifetimeSeconds` it lives as long as the app's default.",
    body: { schema: schemas.mintBody, example: { lifetimeSeconds: 86_400 } },
    data: z.strictObject({ uid: z.string(), authToken: z.string(), createdAt: z.int() }),
    example: { uid: "alice", authToken: "eyJhbGciOi…", createdAt: NOW / 1000 },
    refusals: [400, 403, 413],
  },
  {
    id: "listUserTokens",
    method: "get",
    path: "/v3/users/{uid}/push_tokens",
    caller: ["fullAccess", "sender"],
    summary: "What may be pushed for a user now",
    description: "Has a weak `ETag` over its content: send it back as `If-None-Match` to get 304 without a body.",
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
      "the same user, and what can be no uid there is refused). A user whose object fails is named in `errors`; the rest is served. On " +
      "Cloudflare's free plan a request may reach 50 objects: ask for fewer users at once there.",
    body: { schema: schemas.lookupBody, example: { uids: ["alice", "bob"] } },
    data: z.strictObject({
      users: z.array(userPushTokens),
      errors: z.array(z.strictObject({ uid: z.string(), code: z.string() })),
    }),
    example: {
      users: [
        { uid: "alice", pushTokens: [SENDER_TOKEN] },
        { uid: "bob", pushTokens: [] },
      ],
      errors: [],
    },
    refusals: [400, 403, 413],
  },
  {
    id: "reportFeedback",
    method: "post",
    path: "/v3/push_tokens/feedback",
    caller: ["fullAccess", "sender"],
    summary: "Report what FCM and APNs answered",
    description:
      "`code` is the provider's own word; `at` the provider's time (APNs: `timestamp`), else `sentAt`, both in epoch " +
      "milliseconds. Prunes exactly what is dead and not registered since; docs/feedback.md has the table. One answer per item.",
    body: {
      schema: schemas.feedbackBody,
      example: { items: [{ token: TOKEN, kind: "fcm", code: "UNREGISTERED", sentAt: NOW, uid: "alice" }] },
    },
    data: z.strictObject({
      items: z.array(
        z.strictObject({
          outcome: z.enum(["pruned", "kept", "suspect", "unknown", "unavailable"]),
          why: z.string(),
        }),
      ),
    }),
    example: { items: [{ outcome: "suspect", why: "the device may have registered again within the refresh window" }] },
    refusals: [400, 403, 413],
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
    refusals: [400, 403, 413],
  },
  {
    id: "listSessions",
    method: "get",
    path: "/v3/users/{uid}/sessions",
    caller: ["fullAccess", "sender"],
    summary: "The sessions of a user that hold a registration",
    description: "The most recently seen first.",
    data: z.strictObject({
      sessions: z.array(
        z.strictObject({
          id: z.string(),
          kinds: z.array(kind),
          platforms: z.array(platform),
          firstSeenAt: time,
          lastSeenAt: time,
        }),
      ),
    }),
    example: {
      sessions: [{ id: SESSION, kinds: ["fcm"], platforms: ["android"], firstSeenAt: NOW, lastSeenAt: NOW }],
    },
    refusals: [400, 403],
  },
  {
    id: "endSession",
    method: "delete",
    path: "/v3/users/{uid}/sessions/{sid}",
    caller: ["fullAccess"],
    summary: "End a session",
    description: "At once: its tokens are gone, and its auth token can never register again.",
    data: z.strictObject({ success: z.literal(true), removed: z.int() }),
    example: { success: true, removed: 1 },
    refusals: [400, 403],
  },
  {
    id: "endAllSessions",
    method: "delete",
    path: "/v3/users/{uid}/sessions",
    caller: ["fullAccess"],
    summary: "End all sessions of a user",
    body: { schema: schemas.endAllBody, example: { authTokensFlushed: false } },
    description:
      "With `authTokensFlushed` (identity `cometchat`: CometChat accepts no auth token any more that it gave this user until " +
      "now) the fences of ended sessions need not outlast that. `ended: all`: every auth token issued until now is dead, and with it its session. `ended: known`: the sessions that held " +
      "a registration are ended; others may go on, for the app's login gives them new auth tokens (identity `jwt`), or its auth " +
      "tokens carry no trusted time (`cometchat`).",
    data: z.strictObject({ success: z.literal(true), removed: z.int(), ended: z.enum(["all", "known"]) }),
    example: { success: true, removed: 2, ended: "all" },
    refusals: [400, 403],
  },
  {
    id: "exportUser",
    method: "get",
    path: "/v3/users/{uid}/export",
    caller: ["fullAccess"],
    summary: "Everything held about a user",
    description:
      "Registrations, fences, the record of the last 50 changes, takeover counters, and who owns the tokens on record.",
    data: z.strictObject({
      uid: z.string(),
      validFrom: time,
      registrations: z.array(z.looseObject({ token: z.string(), kind, platform, session: z.string() })),
      fences: z.array(z.strictObject({ session: z.string(), until: time })),
      takeovers: z.array(z.strictObject({ session: z.string(), count: z.int(), until: time })),
      changes: z.array(
        z.strictObject({
          at: time,
          change: z.string(),
          kind,
          platform,
          session: z.string(),
          token: z.string().check(z.describe("The beginning of the token's hash; never the token.")),
          code: z.optional(z.string()),
        }),
      ),
      owners: z.array(z.strictObject({ tokenHash: z.string(), user: z.string(), version: z.int() })),
    }),
    example: {
      uid: "alice",
      validFrom: 0,
      registrations: [],
      fences: [{ session: SESSION, until: NOW }],
      takeovers: [],
      changes: [
        { at: NOW, change: "registered", kind: "fcm", platform: "android", session: SESSION, token: "a1B2c3D4" },
      ],
      owners: [],
    },
    refusals: [400, 403, 404],
  },
  {
    id: "eraseUser",
    method: "delete",
    path: "/v3/users/{uid}",
    caller: ["fullAccess"],
    summary: "Erase a user",
    description:
      "Everything, owner entries included; what is left is one timestamp, until no older auth token can live, and where that " +
      "keeps no session out (identity `jwt`, `cometchat`) the fences. 503 if an object did not answer: repeat it.",
    data: success,
    example: { success: true },
    refusals: [400, 403],
  },
  {
    id: "restoreUser",
    method: "post",
    path: "/v3/users/{uid}/restore",
    caller: ["fullAccess"],
    summary: "Restore a user from point-in-time recovery, and reconcile",
    description:
      "Cloudflare keeps 30 days; plain workerd keeps none and answers 500. Ends with what `reconcile` does. docs/operations.md has the steps.",
    body: { schema: schemas.restoreBody, example: { at: NOW } },
    data: z.strictObject({ restoredTo: time, kept: z.int(), dropped: z.int() }),
    example: { restoredTo: NOW, kept: 1, dropped: 0 },
    refusals: [400, 403, 413],
    needsProduction: true,
  },
  {
    id: "reconcileUser",
    method: "post",
    path: "/v3/users/{uid}/reconcile",
    caller: ["fullAccess"],
    summary: "Drop what other users own by now",
    description:
      "After a restore by hand: drops each registration whose token's owner on record is another user, and ends the sessions " +
      "that the restore may have revived.",
    data: z.strictObject({ kept: z.int(), dropped: z.int() }),
    example: { kept: 1, dropped: 0 },
    refusals: [400, 403],
  },
  {
    id: "health",
    method: "get",
    path: "/health",
    caller: "anybody",
    summary: "Whether the Worker answers",
    description: "Touches no object.",
    data: z.strictObject({ status: z.literal("ok") }),
    example: { status: "ok" },
    refusals: [],
  },
  {
    id: "deepHealth",
    method: "get",
    path: "/health/deep",
    caller: ["fullAccess"],
    summary: "Whether both kinds of object can be written and read",
    description: "Registers a token of its own, reads it, and takes it away. 503 if anything of that fails.",
    data: z.strictObject({ status: z.literal("ok"), ms: z.number() }),
    example: { status: "ok", ms: 12 },
    refusals: [403],
  },
];
