// People who use the console by Cloudflare Access: who gets in, with which scope, to which app, and who does not.
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { type JWTPayload, SignJWT } from "jose";
import { afterEach, beforeAll, beforeEach, describe, it, vi } from "vitest";
import { SENDER_OPERATIONS } from "../../scripts/openapi/operations/sender.ts";
import { createApp } from "../../src/app.ts";
import { API_KEYS } from "../support/apps.ts";
import { login, type Reply, uniqueToken, uniqueUid } from "../support/client.ts";
import { forged, type Key, newKey, nowSeconds, secretKey } from "../support/issuer.ts";

const TEAM = "https://acme.cloudflareaccess.com";
const AUDIENCE = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228";
const ANNA = "anna@acme.example";

const access = (people: object[]) => ({ teamDomain: "acme.cloudflareaccess.com", audience: AUDIENCE, people });
const BINDINGS = {
  ...env,
  CONSOLE: "true",
  CONSOLE_ACCESS: access([
    { email: "Anna@acme.example", app: "test", scope: "fullAccess" },
    { email: ANNA, app: "caseless", scope: "sender" },
    { email: ANNA, app: "chat", scope: "sender" },
    { email: "ben@acme.example", app: "test", scope: "sender" },
    { email: "kim@acme.example", app: "test", scope: "fullAccess" },
  ]),
};

let key: Key;
let asked: string[] = [];
let lines: Record<string, unknown>[] = [];

beforeAll(async () => {
  key = await newKey("RS256");
});

beforeEach(() => {
  asked = [];
  lines = [];
  vi.spyOn(console, "log").mockImplementation((line) => lines.push(JSON.parse(line)));
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
    asked.push(String(input instanceof Request ? input.url : input));
    return Response.json({ keys: [key.jwk], public_cert: {} });
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

const claimsOf = (claims: JWTPayload = {}): JWTPayload => ({
  iss: TEAM,
  aud: [AUDIENCE],
  email: ANNA,
  sub: "7335d417-61da-459d-899c-0a01c76a2f94",
  type: "app",
  iat: nowSeconds(),
  nbf: nowSeconds(),
  exp: nowSeconds() + 3600,
  ...claims,
});

const signed = (claims: JWTPayload = {}, by = key, header = {}) =>
  new SignJWT(claimsOf(claims)).setProtectedHeader({ alg: by.algorithm, kid: by.kid ?? "", ...header }).sign(by.sign);

interface Called {
  method?: string;
  token?: string | null;
  headers?: Record<string, string>;
  body?: unknown;
  bindings?: object;
  /** `ctx.access` of the runtime. */
  runtime?: CloudflareAccessContext;
  host?: string;
}

/** A request of the console's page to a path of the API, unless told otherwise. */
async function ask(
  path: string,
  { method = "GET", token, headers = {}, body, bindings = BINDINGS, runtime, host = "registry.test" }: Called = {},
): Promise<Reply> {
  const sent = token === null ? {} : { "cf-access-jwt-assertion": token ?? (await signed()) };
  const init: RequestInit = { method, headers: { "sec-fetch-site": "same-origin", ...sent, ...headers } };
  if (body !== undefined) init.body = JSON.stringify(body);
  const context = Object.assign(createExecutionContext(), runtime === undefined ? {} : { access: runtime });
  const response = await createApp().request(`https://${host}${path}`, init, bindings, context);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: text === "" ? undefined : JSON.parse(text) };
}

const api = (path: string, called?: Called) => ask(`/console/api/v3${path}`, called);
const REFUSED = { status: 403, body: { error: { code: "AUTH_ERR_NO_ACCESS" } } };

describe("a person whom Access vouches for", () => {
  it("is served by the app and the scope of the list, without an API key", async ({ expect }) => {
    const alice = await login();
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    const { status, body } = await api("/app");
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      appId: "test",
      key: { name: ANNA, scope: "fullAccess", apps: ["test", "caseless", "chat"] },
    });
    expect((await api(`/users/${alice.uid}/push_tokens`)).body.data.pushTokens).toMatchObject([{ token }]);
    const removed = await api(`/users/${alice.uid}/push_tokens/remove`, {
      method: "POST",
      body: { token, kind: "fcm" },
    });
    expect(removed.body.data).toEqual({ success: true, removed: 1 });
    expect((await ask("/console/api/health/deep")).status).toBe(200);
  });

  it("may choose among the apps of the list, and reaches no other", async ({ expect }) => {
    const chosen = await api("/app", { headers: { appId: "caseless" } });
    expect(chosen.body.data).toMatchObject({ appId: "caseless", key: { scope: "sender" } });
    expect(await api("/app", { headers: { appId: "other" } })).toMatchObject(REFUSED);
    const ben = await signed({ email: "ben@acme.example" });
    expect(await api("/app", { token: ben, headers: { appId: "caseless" } })).toMatchObject(REFUSED);
    // A path, a query or a body that names another app changes nothing.
    const { body } = await api("/app?appId=other&app=other", { token: ben });
    expect(body.data).toMatchObject({ appId: "test", key: { name: "ben@acme.example", scope: "sender" } });
  });

  it("of a smaller scope may look, and do nothing", async ({ expect }) => {
    const token = await signed({ email: "ben@acme.example" });
    const { uid } = await login();
    expect((await api(`/users/${uid}/explain`, { token })).status).toBe(200);
    for (const [method, path] of [
      ["DELETE", `/users/${uid}`],
      ["DELETE", `/users/${uid}/sessions`],
      ["GET", `/users/${uid}/export`],
      ["POST", `/users/${uid}/auth_tokens`],
      ["POST", `/users/${uid}/test`],
    ] as const) {
      expect(await api(path, { method, token }), path).toMatchObject(REFUSED);
    }
  });

  it("brings nothing more by an API key that comes with the call", async ({ expect }) => {
    const token = await signed({ email: "ben@acme.example" });
    const headers = { appId: "test", apikey: API_KEYS.fullAccess };
    expect(await api(`/users/${uniqueUid()}`, { method: "DELETE", token, headers })).toMatchObject(REFUSED);
  });

  it("is never passed on to CometChat by an auth token that comes with the call", async ({ expect }) => {
    const headers = { appId: "chat", authToken: "someone_1234567890" };
    const { body } = await api("/app", {
      headers,
      bindings: { ...BINDINGS },
      host: "push-notification-us.registry.test",
    });
    expect(body.data).toMatchObject({ appId: "chat", key: { name: ANNA } });
    expect(asked).toEqual([`${TEAM}/cdn-cgi/access/certs`]);
  });

  it("has a line in the log for each call, without uid", async ({ expect }) => {
    const uid = uniqueUid();
    await api(`/users/${uid}/explain`);
    expect(lines).toContainEqual(
      expect.objectContaining({ message: "server call", app: "test", key: ANNA, call: "GET /v3/users/:uid/explain" }),
    );
    expect(JSON.stringify(lines)).not.toContain(uid);
  });

  it("is read from the runtime where that knows the Access application", async ({ expect }) => {
    const runtime = (aud: string, email?: string): CloudflareAccessContext => ({
      aud,
      getIdentity: async () => (email === undefined ? undefined : { email }),
    });
    const { body } = await api("/app", { token: null, runtime: runtime(AUDIENCE, "BEN@acme.example") });
    expect(body.data.key.name).toBe("ben@acme.example");
    expect(asked).toEqual([]);
    for (const other of [runtime("another", ANNA), runtime(AUDIENCE), runtime(AUDIENCE, "eve@acme.example")]) {
      expect(await api("/app", { token: null, runtime: other })).toMatchObject(REFUSED);
    }
    const broken = { aud: AUDIENCE, getIdentity: () => Promise.reject(new Error("lost")) };
    expect((await api("/app", { runtime: broken })).body.data.key.name).toBe(ANNA);
  });

  it("costs one question for the team's keys, not one per call", async ({ expect }) => {
    const bindings = { ...BINDINGS };
    for (let i = 0; i < 3; i += 1) expect((await api("/app", { bindings })).status).toBe(200);
    expect(asked).toEqual([`${TEAM}/cdn-cgi/access/certs`]);
  });
});

describe("whoever", () => {
  const tokens: Record<string, () => string | null | Promise<string>> = {
    "brings no token of Access": () => null,
    "brings no JWT": () => "anna@acme.example",
    "brings a token of another application": () => signed({ aud: ["0".repeat(64)] }),
    "brings a token without an audience": () => signed({ aud: undefined } as never),
    "brings a token of another team": () => signed({ iss: "https://evil.cloudflareaccess.com" }),
    "brings a token that has expired": () => signed({ iat: nowSeconds() - 7200, exp: nowSeconds() - 1 }),
    "brings a token without a signature (alg none)": () => forged({ alg: "none", typ: "JWT" }, claimsOf()),
    "brings a token without a signature under a genuine header": () =>
      forged({ alg: "RS256", kid: key.kid ?? "" }, claimsOf()),
    "signs by HS256 with the public key": () =>
      signed({}, secretKey(JSON.stringify(key.jwk), key.kid), { alg: "HS256" }),
    "signs with a key of their own under the team's kid": async () => signed({}, await newKey("RS256", key.kid)),
    "signs by another algorithm": async () => signed({}, await newKey("ES256", key.kid)),
    "brings a token whose payload was changed": async () => {
      const [header, , signature] = (await signed({ email: "eve@acme.example" })).split(".");
      return `${header}.${forged({}, claimsOf()).split(".")[1]}.${signature}`;
    },
    "is not on the list": () => signed({ email: "eve@acme.example" }),
    "has an address of which a letter is not from A to Z (the Kelvin sign)": () =>
      signed({ email: "\u212aim@acme.example" }),
    "has an address like one of the list": () => signed({ email: `${ANNA}.evil.example` }),
  };

  it.for(Object.entries(tokens))("%s is refused", async ([, make], { expect }) => {
    const alice = await login();
    const pushToken = uniqueToken();
    await alice.register({ fcmToken: pushToken });
    const token = await make();
    for (const [method, path] of [
      ["GET", `/users/${alice.uid}/export`],
      ["DELETE", `/users/${alice.uid}`],
    ] as const) {
      const reply = await api(path, { method, token });
      expect(reply).toMatchObject(REFUSED);
      expect(reply.text).not.toContain(pushToken);
    }
    expect(await alice.tokens()).toEqual([pushToken]);
  });

  it("is no person (a service token) is refused", async ({ expect }) => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const token = await signed({ email: undefined, common_name: "abc.access", sub: "" } as never);
    expect((await api("/app", { token })).status).toBe(400);
  });

  it.for(["brings no token of Access", "signs with a key of their own under the team's kid", "is not on the list"])(
    "%s is counted by the address, and a person is not",
    async (who, { expect }) => {
      const limit = vi.fn(async () => ({ success: false }));
      const bindings = { ...BINDINGS, RATE_LIMIT_IP: { limit } };
      const headers = { "cf-connecting-ip": "203.0.113.9" };
      expect((await api("/app", { bindings, headers })).status).toBe(200);
      expect(limit).not.toHaveBeenCalled();
      const token = (await tokens[who]?.()) ?? null;
      expect((await api("/app", { token, bindings, headers })).status).toBe(429);
      expect(limit).toHaveBeenCalledWith({ key: expect.stringContaining("203.0.113.9") });
    },
  );

  it("is not on the list has a line in the log", async ({ expect }) => {
    await api("/app", { token: await signed({ email: "eve@acme.example" }) });
    expect(lines).toContainEqual(expect.objectContaining({ level: "info", person: "eve@acme.example" }));
  });
});

describe("a page of another site", () => {
  it.for([undefined, "cross-site", "same-site", "none"])(
    "reaches nothing with the cookie of a person (Sec-Fetch-Site: %s)",
    async (site, { expect }) => {
      const { uid } = await login();
      for (const method of ["GET", "DELETE", "OPTIONS"]) {
        const headers = { origin: "https://evil.example", ...(site === undefined ? {} : { "sec-fetch-site": site }) };
        const request = { "cf-access-jwt-assertion": await signed(), ...headers };
        const path = `https://registry.test/console/api/v3/users/${uid}/sessions`;
        const init = { method, headers: request };
        const response = await createApp().request(path, init, BINDINGS, createExecutionContext());
        expect(response.status).toBe(403);
        expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
      }
    },
  );

  it("is told by no preflight that it may call, though a person's own page asks", async ({ expect }) => {
    const { status, headers } = await api("/app", { method: "OPTIONS" });
    expect(status).toBe(405);
    expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  it("is told by no reply that it may read it", async ({ expect }) => {
    for (const path of ["/app", "/users/x/explain", "/users/x/nothing"]) {
      const { headers } = await api(path);
      expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
      expect(headers.get("cache-control")).toBe("no-store");
    }
  });
});

describe("the paths below /console/api", () => {
  it("are calls of back ends, not of clients, and no others", async ({ expect }) => {
    const { authToken } = await login();
    const headers = { appId: "test", authToken };
    for (const path of [
      "/v2/tokens",
      "/v3/me",
      "/v3.0/me",
      "/v3/me/devices",
      "/v3/settings",
      "/openapi.json",
      "/v3",
      "",
    ]) {
      expect((await ask(`/console/api${path}`, { headers })).status, path).toBe(404);
    }
    for (const { method, path } of SENDER_OPERATIONS.filter((each) => each.method === "get")) {
      const reply = await ask(`/console/api${path.replace("{uid}", "x")}`, { method: method.toUpperCase() });
      expect(reply.status, path).toBe(200);
    }
  });

  it("need a person by whatever spelling they are reached", async ({ expect }) => {
    for (const path of [
      "//console/api/v3/app",
      "/console//api/v3/app",
      "/console/api/v3/app/",
      "/console/api//v3//app?x",
    ]) {
      expect((await ask(path)).status, path).toBe(200);
      expect(await ask(path, { token: null }), path).toMatchObject(REFUSED);
    }
    for (const path of [
      "/Console/api/v3/app",
      "/console/api/%763/app",
      "/x/console/api/v3/app",
      "/v3/console/api/app",
    ]) {
      expect((await ask(path, { token: null })).status, path).toBe(404);
    }
  });

  it("let nobody in without an API key elsewhere: a person is one there alone", async ({ expect }) => {
    expect((await ask("/v3/app", { headers: { appId: "test" } })).status).toBe(401);
  });

  it("are off unless the console and Access are both configured", async ({ expect }) => {
    const { CONSOLE, CONSOLE_ACCESS } = BINDINGS;
    for (const [bindings, open] of [
      [env, false],
      [{ ...env, CONSOLE }, false],
      [{ ...env, CONSOLE_ACCESS }, false],
      [{ ...env, CONSOLE, CONSOLE_ACCESS }, true],
    ] as const) {
      expect((await api("/app", { bindings })).status).toBe(open ? 200 : 404);
      expect((await ask("/console/access", { bindings })).body).toEqual({ data: { open } });
    }
  });

  it.for([
    ["teamDomain", { teamDomain: "https://acme.cloudflareaccess.com" }],
    ["audience", { audience: "" }],
    ["people[0].scope", { people: [{ email: ANNA, app: "test", scope: "admin" }] }],
    ["people", { people: undefined }],
  ] as const)(
    "answer 500 where the configuration is wrong, and the log names %s",
    async ([field, change], { expect }) => {
      const errors = vi.spyOn(console, "error").mockImplementation(() => {});
      const bindings = { ...env, CONSOLE: "true", CONSOLE_ACCESS: { ...access([]), ...change } };
      expect((await api("/app", { bindings })).status).toBe(500);
      expect(errors.mock.calls.join()).toContain(`CONSOLE_ACCESS.${field}: `);
      expect((await ask("/v3/app", { bindings, headers: { appId: "test", apikey: API_KEYS.sender } })).status).toBe(
        200,
      );
    },
  );

  it("answer 503 while the team's keys cannot be had: nobody can tell who that is", async ({ expect }) => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("lost"));
    expect((await api("/app", { bindings: { ...BINDINGS } })).status).toBe(503);
  });
});
