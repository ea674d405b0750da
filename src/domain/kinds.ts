// The kinds of push token: one row per kind. A new kind is a new row here; whatever has no case for it does not compile.

/** The three lists that `GET v2/tokens` answers, in its order. */
export const PLATFORMS = ["ios", "web", "android"] as const;
export type Platform = (typeof PLATFORMS)[number];

interface KindRow {
  /** The field of `POST` and `DELETE /v2/tokens`. */
  field: string;
  /** The field of the successor API. */
  successorField: string;
  /** Who delivers, and whose words feedback speaks: feedback.ts. */
  provider: "fcm" | "apns";
  /** Where such a token lives; `null`: any platform, see platform.ts. */
  platform: Platform | null;
  /** Which texts stand for one installation: token.ts. */
  identity: "hexadecimal" | "fcm";
  /** The successor API's `platform` for such a token, without the framework, which is not kept: push-platforms.ts. */
  pushPlatform: string | Record<Platform, string>;
}

export const KINDS = {
  /** An FCM registration token or Firebase Installation ID. */
  fcm: {
    field: "fcmToken",
    successorField: "fcmToken",
    provider: "fcm",
    platform: null,
    identity: "fcm",
    pushPlatform: { ios: "fcm_ios", web: "fcm_web", android: "fcm_android" },
  },
  /** An APNs device token. */
  apns: {
    field: "apnsToken",
    successorField: "deviceToken",
    provider: "apns",
    platform: "ios",
    identity: "hexadecimal",
    pushPlatform: "apns_ios_device",
  },
  /** An APNs token of PushKit, for calls. */
  voip: {
    field: "voipToken",
    successorField: "voipToken",
    provider: "apns",
    platform: "ios",
    identity: "hexadecimal",
    pushPlatform: "apns_ios_voip",
  },
} as const satisfies Record<string, KindRow>;

export type Kind = keyof typeof KINDS;
export type Provider = (typeof KINDS)[Kind]["provider"];
/** The token fields of `/v2/tokens`. */
export type TokenField = (typeof KINDS)[Kind]["field"];
/** The token fields of the successor API. */
export type SuccessorField = (typeof KINDS)[Kind]["successorField"];

export const KIND_NAMES = Object.keys(KINDS) as Kind[];
