// The successor API's `platform`: which kind of token a client registers, and on which platform. The values are
// CometChat's (rest-api/notifications-apis/push/register-push-token); frameworks make no difference here.
import { KINDS, type Kind, type Platform } from "./kinds.ts";

interface Row {
  kind: Kind;
  platform: Platform;
}

const fcm = (platform: Platform): Row => ({ kind: "fcm", platform });
const APNS: Row = { kind: "apns", platform: "ios" };
const VOIP: Row = { kind: "voip", platform: "ios" };

export const PUSH_PLATFORMS = {
  fcm_android: fcm("android"),
  fcm_ios: fcm("ios"),
  fcm_web: fcm("web"),
  fcm_flutter_android: fcm("android"),
  fcm_flutter_ios: fcm("ios"),
  fcm_react_native_android: fcm("android"),
  fcm_react_native_ios: fcm("ios"),
  fcm_ionic_cordova_android: fcm("android"),
  fcm_ionic_cordova_ios: fcm("ios"),
  apns_ios_device: APNS,
  apns_flutter_device: APNS,
  apns_react_native_device: APNS,
  apns_ionic_cordova_device: APNS,
  apns_ios_voip: VOIP,
  apns_flutter_voip: VOIP,
  apns_react_native_voip: VOIP,
  apns_ionic_cordova_voip: VOIP,
} as const satisfies Record<string, Row>;

export type PushPlatform = keyof typeof PUSH_PLATFORMS;

export const PUSH_PLATFORM_NAMES = Object.keys(PUSH_PLATFORMS) as PushPlatform[];

/** The value for a token that is held, without the framework, which is not kept. */
export function pushPlatformOf(kind: Kind, platform: Platform): PushPlatform {
  const { pushPlatform } = KINDS[kind];
  return typeof pushPlatform === "string" ? pushPlatform : pushPlatform[platform];
}
