// What lets web pages call: preflights, CORS headers on every reply, and the origins that an app allows.
import { describe, it } from "vitest";
import { call, login, serverCall, uniqueToken } from "../support/client.ts";

const PAGE = "https://chat.example";

/** As Chromium sends it for the JavaScript SDK. */
const SDK_HEADERS = "appid,authorization,authtoken,chatapiversion,content-type,resource,sdk";

/**
 * As Chromium sends it where a page is traced: Sentry (sentry-javascript#6077, workadventure#5084), OpenTelemetry (whatwg/fetch#911),
 * Datadog (dust#21377, PostHog#49396, browser-sdk#1818; with W3C's headers: dd-trace-js#9779; sampled: turnout#716), New Relic,
 * Dynatrace, AWS X-Ray.
 */
const TRACED = [
  `${SDK_HEADERS},sentry-trace,baggage`,
  `${SDK_HEADERS},traceparent,tracestate`,
  "appid,authtoken,x-datadog-origin,x-datadog-parent-id,x-datadog-sampling-priority,x-datadog-trace-id",
  "appid,authtoken,baggage,traceparent,tracestate,x-datadog-origin,x-datadog-parent-id,x-datadog-trace-id",
  "appid,authtoken,x-datadog-origin,x-datadog-parent-id,x-datadog-sampled,x-datadog-sampling-priority,x-datadog-trace-id",
  "appid,authtoken,newrelic,traceparent",
  "appid,authtoken,x-dtpc,x-amzn-trace-id,x-b3-traceid,x-instana-t",
];

const list = (value: string | null) => (value ?? "").toLowerCase().split(/ *, */);

describe("a preflight", () => {
  it.for([
    ["/v2/tokens", "POST"],
    ["/v2/tokens", "GET"],
    ["/v2/tokens", "DELETE"],
    ["//v2/tokens", "POST"],
    ["/v2/tokens/", "DELETE"],
    ["/v3.0/me", "PUT"],
    ["/v3/me", "DELETE"],
    ["/v3.0/settings", "GET"],
    ["/v3.0/user_sessions", "POST"],
    ["/v3.0/notifications/push/v1/tokens", "POST"],
    ["/v3/users/someone/auth_tokens", "POST"],
    ["/no/such/path", "PATCH"],
  ])(
    "of %s for %s passes, with every header that an SDK, a server or a tracing tool sends",
    async ([path = "", method = ""], { expect }) => {
      for (const requested of [SDK_HEADERS, "apikey,appid,content-type", ...TRACED]) {
        const { status, headers, body } = await call("OPTIONS", path, {
          headers: {
            Origin: PAGE,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": requested,
          },
        });
        expect(status).toBeGreaterThanOrEqual(200);
        expect(status).toBeLessThan(300);
        expect(body).toBeUndefined();
        expect(headers.get("access-control-allow-origin")).toBe("*");
        expect(list(headers.get("access-control-allow-methods"))).toContain(method.toLowerCase());
        expect(list(headers.get("access-control-allow-headers"))).toEqual(expect.arrayContaining(list(requested)));
        expect(headers.get("access-control-max-age")).toBe("86400");
        expect(headers.get("access-control-allow-credentials")).toBeNull();
      }
    },
  );
});

describe("a page", () => {
  it("can read every reply, and the headers that say when to repeat and what to cite", async ({ expect }) => {
    const session = await login();
    const replies = [
      await session.call("GET", "//v2/tokens", { headers: { Origin: PAGE } }),
      await session.call("POST", "/v2/tokens", { headers: { Origin: PAGE }, body: "{" }),
      await session.call("PATCH", "/v2/tokens", { headers: { Origin: PAGE } }),
      await call("GET", "/v2/tokens", { headers: { Origin: PAGE } }),
      await call("GET", "/nowhere", { headers: { Origin: PAGE } }),
      await call("GET", "/v2/tokens", { headers: { Origin: PAGE, appId: "broken" } }),
    ];
    expect(replies.map(({ status }) => status)).toEqual([200, 400, 405, 401, 404, 500]);
    for (const { headers } of replies) {
      expect(headers.get("access-control-allow-origin")).toBe("*");
      expect(list(headers.get("access-control-expose-headers"))).toEqual(["etag", "retry-after", "x-request-id"]);
    }
  });
});

describe("an app that names the origins of its pages", () => {
  const register = (session: Awaited<ReturnType<typeof login>>, token: string, headers: Record<string, string>) =>
    session.call("POST", "/v2/tokens", { headers, body: { fcmToken: token } });

  it("serves those pages, and callers that are no page", async ({ expect }) => {
    const session = await login(undefined, { app: "origins" });
    const token = uniqueToken();
    for (const headers of [{ Origin: "https://app.example.com" }, { Origin: "https://www.example.com" }, {}]) {
      expect((await register(session, token, headers)).status).toBe(200);
    }
    const hosts = ["push-notification-us.registry.test", "push-notification-us.example.com"];
    for (const host of hosts) {
      expect((await register(session, token, { Origin: `https://${host}` })).status).toBe(200);
    }
    expect(await session.tokens()).toEqual([token]);
  });

  // appwrite#13514, c15t#1012, ionic-docs#4546: each list of origins must take the schemes of WebViews.
  it.for([
    "capacitor://localhost",
    "ionic://localhost",
    "file://",
    "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
    "http://localhost:3000",
    "https://www.example.com",
  ])("may name %s, and serves it", async (Origin, { expect }) => {
    const session = await login(undefined, { app: "origins" });
    const token = uniqueToken();
    expect((await register(session, token, { Origin })).status).toBe(200);
    expect(await session.tokens()).toEqual([token]);
  });

  it.for([
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com.evil.example",
    "https://www.example.com:8443",
    "capacitor://localhost.evil.example",
    "http://localhost",
    "http://push-notification-us.example.com",
    "null",
    "undefined",
  ])("refuses a page of %s in a way that it can read, and changes nothing", async (Origin, { expect }) => {
    const session = await login(undefined, { app: "origins" });
    const [token, other] = [uniqueToken(), uniqueToken()];
    await register(session, token, {});
    const headers = { Origin };
    const replies = [
      await register(session, other, headers),
      await session.call("DELETE", "/v2/tokens", { headers }),
      await session.call("DELETE", "/v3.0/me", { headers }),
      await session.call("GET", "/v2/tokens", { headers }),
      await serverCall("DELETE", `/v3/users/${session.uid}`, { headers }, "origins"),
    ];
    for (const reply of replies) {
      expect(reply).toMatchObject({ status: 403, body: { error: { code: "AUTH_ERR_NO_ACCESS", details: {} } } });
      expect(reply.headers.get("access-control-allow-origin")).toBe("*");
    }
    expect(await session.tokens()).toEqual([token]);
  });
});
