// On which platform a token lives: each row of the table, and which of two rows decides.
import { describe, it } from "vitest";
import type { Platform } from "../../src/domain/kinds.ts";
import { PLATFORM_TABLE, type PlatformSigns, platformOf } from "../../src/domain/platform.ts";

const nothing: PlatformSigns = { kind: "fcm", stated: null, sdk: undefined, origin: undefined, userAgent: undefined };

const IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148";
const WEBVIEW = "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36";
/** ionic-framework#19050: a Capacitor app on an iPad. The others are what Safari and Chrome on a Mac and an iPad send. */
const IPAD_WEBVIEW =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148";
/** Other WebViews of iPads: firebase-js-sdk#8755, cordova-plugin-inappbrowser#687. */
const IPAD_IN_FIREBASE =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148";
const IPAD_IN_APP_BROWSER =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_4) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148";
/** browser#446: an iPad Pro whose app named itself in the place of `Mobile/`. Only the origin tells. */
const IPAD_OF_AN_APP =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605.1.15 (KHTML, like Gecko) WeTime iOS";
/** cordova-plugin-inappbrowser#687: Cordova's own WebView says what it is. */
const IPAD_IN_CORDOVA =
  "Mozilla/5.0 (iPad; CPU OS 13_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148";
const MAC_SAFARI =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15";
const MAC_CHROME =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";
const DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36";

/** For each row of the table, in its order: signs that it is the first to know, against those that later rows would go by. */
const ROWS: Record<string, [Partial<PlatformSigns>, Platform][]> = {
  "a kind that lives on one platform": [
    [{ kind: "apns", stated: "android", sdk: "android@4.0.10" }, "ios"],
    [{ kind: "voip", stated: "web", sdk: "javascript@4.2.0", userAgent: DESKTOP }, "ios"],
  ],
  "the body says so": [
    [{ stated: "ios", sdk: "android@4.0.10" }, "ios"],
    [{ stated: "web", userAgent: "okhttp/4.12.0" }, "web"],
    [{ stated: "android", sdk: "javascript@4.2.0", userAgent: IPHONE }, "android"],
  ],
  "the JavaScript SDK": [
    [{ sdk: "javascript@4.2.0", userAgent: WEBVIEW }, "web"],
    [{ sdk: "JavaScript@3.0.12", userAgent: IPHONE }, "web"],
  ],
  "the Android SDK": [[{ sdk: "android@4.0.10", userAgent: IPHONE }, "android"]],
  "the iOS SDK": [[{ sdk: "ios@4.0.51", userAgent: "okhttp/4.12.0" }, "ios"]],
  "the WebView of Capacitor or Ionic on iOS": [
    [{ sdk: "ionic@4.0.4", origin: "capacitor://localhost", userAgent: IPAD_WEBVIEW }, "ios"],
    [{ sdk: "ionic@4.0.4", origin: "ionic://localhost", userAgent: MAC_SAFARI }, "ios"],
    [{ origin: "Capacitor://app.acme.example", userAgent: DESKTOP }, "ios"],
    [{ sdk: "react-native@4.0.21", origin: "capacitor://localhost" }, "ios"],
    [{ sdk: "ionic@4.0.4", origin: "capacitor://localhost", userAgent: IPAD_OF_AN_APP }, "ios"],
  ],
  "an Apple HTTP client or WebView": [
    [{ sdk: "ionic@4.0.4", userAgent: IPAD_WEBVIEW }, "ios"],
    [{ sdk: "ionic@4.0.4", origin: "https://localhost", userAgent: IPAD_WEBVIEW }, "ios"],
    [{ sdk: "ionic@4.0.4", userAgent: IPAD_IN_FIREBASE }, "ios"],
    [{ sdk: "ionic@4.0.4", userAgent: IPAD_IN_APP_BROWSER }, "ios"],
    [{ sdk: "ionic@4.0.4", origin: "file://", userAgent: IPAD_IN_CORDOVA }, "ios"],
    [{ sdk: "ionic@4.0.4", userAgent: "Mozilla/5.0 (iPod touch; CPU iPhone OS 12_0 like Mac OS X)" }, "ios"],
    [{ sdk: "react-native@4.0.21", userAgent: "App/1 CFNetwork/1490.0.4 Darwin/23.2.0" }, "ios"],
    [{ sdk: "ionic@4.0.4", userAgent: IPHONE }, "ios"],
    [{ sdk: "ionic@4.0.4", userAgent: "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X)" }, "ios"],
    [{ sdk: "flutter@4.0.15", userAgent: "Darwin/23.2.0" }, "ios"],
  ],
  "an Android HTTP client or WebView": [
    [{ sdk: "react-native@4.0.21", userAgent: "okhttp/4.12.0" }, "android"],
    [{ sdk: "ionic@4.0.4", userAgent: WEBVIEW }, "android"],
    [{ sdk: "ionic@4.0.4", origin: "https://localhost", userAgent: WEBVIEW }, "android"],
    [{ origin: "file://", userAgent: WEBVIEW }, "android"],
  ],
  "any other browser": [
    [{ sdk: "ionic@4.0.4", userAgent: DESKTOP }, "web"],
    [{ sdk: "ionic@4.0.4", userAgent: MAC_SAFARI }, "web"],
    [{ sdk: "ionic@4.0.4", origin: "http://localhost:8100", userAgent: MAC_CHROME }, "web"],
    [{ userAgent: DESKTOP }, "web"],
  ],
  "nothing known": [
    [{}, "android"],
    [{ sdk: "flutter@4.0.15", userAgent: "Dart/3.2 (dart:io)" }, "android"],
    [{ sdk: "javascripts@1" }, "android"],
  ],
};

describe("a token's platform", () => {
  it.for(Object.entries(ROWS).map(([name, examples], i) => [name, i, examples] as const))(
    "by %s",
    ([_, position, examples], { expect }) => {
      for (const [given, platform] of examples) {
        const signs = { ...nothing, ...given };
        expect(PLATFORM_TABLE.findIndex((row) => row.matches(signs))).toBe(position);
        expect(platformOf(signs)).toBe(platform);
      }
    },
  );

  it("is told by no row but these", ({ expect }) => {
    expect(PLATFORM_TABLE).toHaveLength(Object.keys(ROWS).length);
  });
});
