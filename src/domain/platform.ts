// On which platform a token lives. `apns` and `voip` tokens are iOS (kinds.ts); for an `fcm` token there is no certain
// sign, so the first row that knows decides: what the body says, what the SDK is, where the
// page is from, what the HTTP client is.
import { KINDS, type Kind, type Platform } from "./kinds.ts";

export interface PlatformSigns {
  kind: Kind;
  /** The body's own `platform`. */
  stated: Platform | null | undefined;
  /** The `sdk` header: `javascript@4.2.0`, `react-native@4.0.21`, `ionic@…`, `android@…`, `ios@…`. */
  sdk: string | undefined;
  /** Of the page or WebView that calls: `capacitor://localhost`, `https://chat.example`. */
  origin: string | undefined;
  userAgent: string | undefined;
}

interface Row {
  matches(signs: PlatformSigns): boolean;
  platform(signs: PlatformSigns): Platform;
}

const always = (platform: Platform) => () => platform;
const sdkIs = (name: string) => (signs: PlatformSigns) => signs.sdk?.toLowerCase().startsWith(`${name}@`) === true;
const userAgentHas = (pattern: RegExp) => (signs: PlatformSigns) => pattern.test(signs.userAgent ?? "");

export const PLATFORM_TABLE: readonly Row[] = [
  // A kind that lives on one platform.
  {
    matches: ({ kind }) => KINDS[kind].platform !== null,
    platform: ({ kind }) => KINDS[kind].platform ?? "android",
  },
  // The body says so.
  { matches: (signs) => signs.stated != null, platform: (signs) => signs.stated ?? "android" },
  // The SDKs that live on one.
  { matches: sdkIs("javascript"), platform: always("web") },
  { matches: sdkIs("android"), platform: always("android") },
  { matches: sdkIs("ios"), platform: always("ios") },
  // The WebView of Capacitor or Ionic on iOS. On Android they serve https://localhost or http://localhost.
  { matches: ({ origin }) => /^(capacitor|ionic):/i.test(origin ?? ""), platform: always("ios") },
  // An Apple HTTP client or WebView. An iPad calls itself Macintosh since iPadOS 13; in an app `Mobile/` tells it from a Mac.
  {
    matches: userAgentHas(/iPhone|iPad|iPod|Macintosh.*Mobile\/|CFNetwork|Darwin/),
    platform: always("ios"),
  },
  // An Android HTTP client or WebView.
  { matches: userAgentHas(/Android|okhttp/i), platform: always("android") },
  // Any other browser.
  { matches: userAgentHas(/Mozilla\//), platform: always("web") },
  // Nothing known.
  { matches: () => true, platform: always("android") },
];

/** The platform of a token, by the first row of {@link PLATFORM_TABLE} that matches. */
export function platformOf(signs: PlatformSigns): Platform {
  return PLATFORM_TABLE.find((row) => row.matches(signs))?.platform(signs) ?? "android";
}
