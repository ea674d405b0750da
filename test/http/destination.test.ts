// Where a proxied call goes, without any call.
import { describe, expect, it } from "vitest";
import { checkUnambiguous, destination, upstreamPath } from "../../src/cometchat/destination.ts";
import { timeLimitMs } from "../../src/cometchat/forward.ts";
import { type CometChatApp, parseConfig } from "../../src/config/apps.ts";
import { BODY_BYTES_MAX, PROXY_TIMEOUT_MS, UPLOAD_TIMEOUT_MS } from "../../src/limits.ts";

function cometChatApp(settings: Record<string, unknown> = {}): CometChatApp {
  const app = parseConfig({ APP_X: { appId: "x", identity: "cometchat", ...settings } }).apps.get("x");
  if (app === undefined || !("identity" in app) || app.identity !== "cometchat") throw new Error("not such an app");
  return app;
}

const goesTo = (url: string, app = cometChatApp()) => destination(app, url, upstreamPath(new Request(url)))?.href;

describe("a call that is not ours", () => {
  it.each([
    ["below /v3.0", "https://registry.test/v3.0/users?x=1", "https://x.apiclient-us.cometchat.io/v3.0/users?x=1"],
    ["below /v3", "https://registry.test/v3/users", "https://x.apiclient-us.cometchat.io/v3/users"],
    ["with doubled slashes", "https://registry.test//v3/users/", "https://x.apiclient-us.cometchat.io/v3/users"],
    ["for another extension", "https://polls-us.registry.test/v2/x", "https://polls-us.cometchat.io/v2/x"],
    ["for another extension, below /v3", "https://polls-us.registry.test/v3/x", "https://polls-us.cometchat.io/v3/x"],
    [
      "for what else our extension has",
      "https://push-notification-us.registry.test/v2/x",
      "https://push-notification-us.cometchat.io/v2/x",
    ],
  ])("%s has one destination", (_, url, expected) => {
    expect(goesTo(url)).toBe(expected);
  });

  it.each([
    ["whose host names no extension", "https://registry.test/v2/x"],
    ["whose host names an extension of another region", "https://polls-eu.registry.test/v2/x"],
    ["whose slug is empty", "https://-us.registry.test/v2/x"],
  ])("%s goes nowhere", (_, url) => {
    expect(goesTo(url)).toBeUndefined();
  });

  it("goes to the client API of the configuration, whatever the app's own host looks like", () => {
    const app = cometChatApp({ publicHost: "polls-us.example.com", cometchat: { clientApi: "https://chat.test" } });
    expect(goesTo("https://polls-us.example.com/v3/users", app)).toBe("https://chat.test/v3/users");
    expect(goesTo("https://polls-us.example.com/v2/x", app)).toBeUndefined();
  });
});

describe("the path that is passed on", () => {
  it("has letters and digits decoded, and nothing else", () => {
    expect(upstreamPath(new Request("https://r.test/v3/%75sers/a%20b"))).toBe("/v3/users/a%20b");
  });

  it.each(["/v3/a%2fb", "/v3/a%5Cb", "/v3/a\\b", "/v3/%00", "/v3/../x", "/v3/."])(
    "is refused when two servers could read it in two ways: %s",
    (path) => {
      expect(() => checkUnambiguous(path)).toThrow("dot segments");
    },
  );
});

describe("the time limit of a call that is passed on", () => {
  it.each([
    ["without a body", null, undefined, PROXY_TIMEOUT_MS],
    ["with a small body", "{}", "13", PROXY_TIMEOUT_MS],
    ["with the largest small body", "{}", String(BODY_BYTES_MAX), PROXY_TIMEOUT_MS],
    ["with a file", "{}", String(BODY_BYTES_MAX + 1), UPLOAD_TIMEOUT_MS],
    ["with a body of unknown length", "{}", undefined, UPLOAD_TIMEOUT_MS],
  ])("%s goes by the length that the client states", (_, body, length, limit) => {
    const headers = new Headers(length === undefined ? {} : { "content-length": length });
    expect(timeLimitMs(new Response(body).body, headers)).toBe(limit);
  });
});
