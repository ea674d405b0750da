// What apps call, with an auth token.
import * as z from "zod/mini";
import * as schemas from "../../../src/http/schemas.ts";
import type { ApiOperation } from "./operation.ts";
import {
  AS_SERVER,
  ME,
  me,
  NOW,
  platform,
  refused,
  SESSION,
  SETTINGS,
  settings,
  success,
  successorTokens,
  successWithRefused,
  TOKEN,
  time,
} from "./shared.ts";

export const CLIENT_OPERATIONS: readonly ApiOperation[] = [
  {
    id: "registerTokens",
    method: "post",
    path: "/v2/tokens",
    caller: "client",
    summary: "Register push tokens for this session",
    description:
      "Any of the three tokens, each 1 to 4096 visible ASCII characters. A new token displaces the one that this session " +
      "held of the same kind; a token that another user holds becomes this user's. Repeating it changes nothing. A field that " +
      'is `null`, blank or a word such as "undefined" counts as absent; a wrong one is named in `refused` and costs no other. ' +
      "400 only if no token is left. What `device` says is kept with the tokens of the call and shown to senders: a field that is " +
      "absent keeps what is stored, `null` clears it, and a wrong or blank one counts as absent and is named in `refused`: `device.environment`. " +
      "A token that this user may not take over now is `too_many_takeovers` in `refused` where another one is stored, else 429; " +
      "503 where a repeat can store more. Only what `didRegisterForRemoteNotificationsWithDeviceToken` gave is an `apnsToken`, and " +
      "only what PushKit gave for calls a `voipToken`. Other tokens of Apple (of a Live Activity, to start one or to update it, of " +
      "a location push, a Push to Talk channel or a Wallet pass) look the same and would displace the device's. In fields of " +
      "their own they are ignored.",
    body: { schema: schemas.registerBody, example: { fcmToken: TOKEN, device: { name: "Alice's phone" } } },
    data: z.strictObject({ success: z.literal(true), unregisterTicket: z.optional(z.string()), refused }),
    example: { success: true, unregisterTicket: "eyJhbGciOi…" },
    refusals: [400, 413, 415],
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
    summary: "Delete this session's tokens, single ones of them, or all of the user's",
    description:
      "`all: false`, the default also without a body, empties this session's slots; it may register again. `all: true` " +
      "empties those of all of the user's sessions. With token fields: exactly those tokens of this session; a field that names " +
      "none removes nothing. `?all=true` in the query counts too. Contradictions are a 400.",
    body: { schema: schemas.deleteBody, example: { all: false } },
    data: successWithRefused,
    example: { success: true },
    refusals: [400, 413, 415],
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
    id: "listDevices",
    method: "get",
    path: "/v3/me/devices",
    caller: "client",
    summary: "The user's own devices",
    description:
      "Every session of the user that holds a token, the most recently seen first; no tokens. `name` is what the app said in `device` " +
      "(its `name`, else its `model`) with any of the session's tokens. Ours under every identity, never passed on to CometChat.",
    data: z.strictObject({
      devices: z.array(
        z.strictObject({
          id: z.string(),
          name: z.nullable(z.string()),
          platforms: z.array(platform),
          firstSeenAt: time,
          lastSeenAt: time,
          current: z.boolean().check(z.describe("The device that asks.")),
          muted: z.boolean(),
        }),
      ),
    }),
    example: {
      devices: [
        {
          id: SESSION,
          name: "Alice's phone",
          platforms: ["android"],
          firstSeenAt: NOW,
          lastSeenAt: NOW,
          current: true,
          muted: false,
        },
      ],
    },
    refusals: [],
  },
  {
    id: "removeDevice",
    method: "delete",
    path: "/v3/me/devices/{sid}",
    caller: "client",
    summary: "Log one of the user's devices out",
    description:
      "Ends that session, which can never register again; the own one too, as a logout does. 404 if this user has no such device.",
    data: success,
    example: { success: true },
    refusals: [400, 404],
  },
  {
    id: "muteDevice",
    method: "patch",
    path: "/v3/me/devices/{sid}",
    caller: "client",
    summary: "Mute one of the user's devices, or end that",
    description:
      "Senders leave a muted device out. It stays muted over launches, new tokens and an empty slot (30 days), until this call or " +
      "the session's end.",
    body: { schema: schemas.deviceBody, example: { muted: true } },
    data: success,
    example: { success: true },
    refusals: [400, 404, 413, 415],
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
    orBackEnd: true,
    summary: "What an SDK's registerPushToken asks",
    description: `Puts the token into the slot that \`/v2/tokens\` fills too: one truth.${AS_SERVER}`,
    body: {
      schema: schemas.successorRegisterBody,
      example: { providerId: "default", timezone: "Europe/Berlin", fcmToken: TOKEN, platform: "fcm_android" },
    },
    data: successWithRefused,
    example: { success: true },
    refusals: [400, 403, 413, 415],
  },
  {
    id: "listPushTokens",
    method: "get",
    path: "/v3/notifications/push/v1/tokens",
    caller: "client",
    orBackEnd: true,
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
    orBackEnd: true,
    summary: "What an SDK's unregisterPushToken asks",
    description:
      "Empties this session's slots; `all`, in the query or the body, those of all of the user's sessions; `pushToken` in the body: that one, " +
      `whichever session of the user holds it.${AS_SERVER} It is answered what was removed.`,
    body: { schema: schemas.successorDeleteBody, example: { pushToken: TOKEN } },
    data: z.union([success, successorTokens]),
    example: { success: true },
    refusals: [400, 403, 413, 415],
  },
  {
    id: "unregisterPushTokenByPath",
    method: "delete",
    path: "/v3/notifications/push/v1/tokens/{pushToken}",
    caller: "client",
    orBackEnd: true,
    summary: "The same for one token that stands in the path",
    description: "CometChat's own form, for what exists already. A URL reaches logs: prefer the body.",
    body: { schema: schemas.successorDeleteBody, example: {} },
    data: z.union([success, successorTokens]),
    example: { success: true },
    refusals: [400, 403, 413, 415],
  },
];
