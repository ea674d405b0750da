// Schemas and examples that more than one call has.
import * as z from "zod/mini";
import { KIND_NAMES, PLATFORMS } from "../../../src/domain/kinds.ts";
import { PUSH_PLATFORM_NAMES } from "../../../src/domain/push-platforms.ts";

export const success = z.strictObject({ success: z.literal(true) });

/** Fields of the body that were not used, and why. The rest of the call was done. */
export const refused = z.optional(z.record(z.string(), z.enum(["invalid", "too_many_takeovers"])));
export const successWithRefused = z.strictObject({ success: z.literal(true), refused });
export const time = z.int().check(z.describe("Epoch milliseconds."));
export const kind = z.enum(KIND_NAMES);
export const platform = z.enum(PLATFORMS);

/** What the app said of the device; only what it said. */
export const device = z.strictObject({
  id: z.optional(z.string()),
  name: z.optional(z.string()),
  model: z.optional(z.string()),
  os: z.optional(z.string()),
  appVersion: z.optional(z.string()),
  locale: z.optional(z.string()),
  environment: z.optional(z.enum(["production", "sandbox"]).check(z.describe("Which of APNs' hosts takes the token."))),
  bundleId: z.optional(z.string().check(z.describe("The APNs topic."))),
});

export const labels = z.strictObject({
  providerId: z.optional(z.string()),
  timezone: z.optional(z.string()),
  device: z.optional(device),
});

const senderToken = z.strictObject({
  token: z.string(),
  kind,
  target: z.optional(
    z.enum(["fid", "token"]).check(z.describe("Of kind `fcm`: the field of FCM's message that takes the token.")),
  ),
  platform,
  sessionId: z.string(),
  registeredAt: time,
  refreshedAt: time,
  suspect: z
    .boolean()
    .check(z.describe("A provider reported trouble since the last registration: send on, the next report decides.")),
  providerId: z.optional(z.string()),
  timezone: z.optional(z.string()),
  device: z.optional(device),
  muted: z.optional(
    z.literal(true).check(z.describe("The device's user wants no pushes there: only where muted ones were asked for.")),
  ),
});

export const userPushTokens = z.strictObject({ uid: z.string(), pushTokens: z.array(senderToken) });

/** An entry of the record of changes: docs/storage.md says what each change is. */
export const recordedChange = z.strictObject({
  at: time,
  change: z.string().check(z.describe("`registered`, `taken_by_another_user`, `logged_out`, `ended`, `pruned`, …")),
  kind,
  platform,
  session: z.string(),
  token: z.string().check(z.describe("The beginning of the token's hash; never the token.")),
  code: z.optional(z.string().check(z.describe("The provider's code of a `pruned` one."))),
});

export const settings = z.looseObject({
  REGION: z.string(),
  EXTENSION_DOMAIN: z.string(),
  CHAT_API_VERSION: z.string(),
  CLIENT_API_HOST: z.string(),
  ADMIN_API_HOST: z.string(),
});

export const me = z.strictObject({
  uid: z.string(),
  name: z.string(),
  authToken: z.string(),
  wsChannel: z.strictObject({}),
  settings,
});

export const successorTokens = z.strictObject({
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

export const AS_SERVER =
  " A back end may call it too, with `apikey` (fullAccess) and the client's auth token in the header or the body.";

export const NOW = 1_795_545_600_000;
export const SESSION = "0e10ac93-eace-4e22-ba2e-2efa5ed66469";
export const TOKEN = "fcm-registration-token";
export const CHANGE = {
  at: NOW,
  change: "registered",
  kind: "fcm",
  platform: "android",
  session: SESSION,
  token: "a1B2c3D4",
};
export const SETTINGS = {
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
export const ME = { uid: "alice", name: "alice", authToken: "eyJhbGciOi…", wsChannel: {}, settings: SETTINGS };
export const SENDER_TOKEN = {
  token: TOKEN,
  kind: "fcm",
  target: "token",
  platform: "android",
  sessionId: SESSION,
  registeredAt: NOW,
  refreshedAt: NOW,
  suspect: false,
};
