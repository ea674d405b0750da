// What is refused, and what is told: one envelope, the right code and status, nothing changed.
import { env } from "cloudflare:workers";
import { describe, type ExpectStatic, it, vi } from "vitest";
import { createApp } from "../../src/app.ts";
import { API_KEYS } from "../support/apps.ts";
import { DEAD, expiredTwin, forge, outcome, signingKey } from "../support/auth-tokens.ts";
import { call, login, type Reply, serverCall, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import { tablesOf, userObject } from "../support/objects.ts";

const BODY_LIMIT = 16 * 1024;

/** Android reads `details` as an object on 400; a browser reads nothing without the CORS header. */
function expectRefusal(expect: ExpectStatic, reply: Reply, status: number, code: string, fields?: string[]) {
  expect(reply.body).toEqual({
    error: { code, message: expect.stringMatching(/^[A-Z][^<>{}]+\.$/), details: expect.any(Object) },
  });
  expect(reply.status).toBe(status);
  const { details } = reply.body.error;
  expect(Array.isArray(details)).toBe(false);
  if (fields !== undefined) expect(Object.keys(details)).toEqual(fields);
  for (const messages of Object.values(details)) expect(messages).toEqual([expect.stringMatching(/\.$/)]);
  expect(reply.headers.get("content-type")).toBe("application/json");
  expect(reply.headers.get("access-control-allow-origin")).toBe("*");
  expect(reply.headers.get("cache-control")).toBe("no-store");
  expect(JSON.stringify(reply.body)).not.toMatch(/\bat \w+ \(|\.ts:\d|Error:/);
}

async function expectNothingStored(expect: ExpectStatic, { app, uid }: TestSession) {
  expect(await tablesOf(await userObject(app, uid))).toEqual([]);
}

function streamOf(...chunks: Uint8Array[]): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

const utf8 = (text: string) => new TextEncoder().encode(text);
const padded = (length: number) => `{"fcmToken":"t","pad":"${"x".repeat(length - 25)}"}`;

describe("POST /v2/tokens stores nothing and answers 400", () => {
  it.for<[string, unknown, string[]]>([
    ["no body", undefined, ["body"]],
    ["an empty body", "", ["body"]],
    ["a blank body", " \r\n", ["body"]],
    ["an empty object", {}, ["body"]],
    ["only nulls", { fcmToken: null, apnsToken: null, voipToken: null }, ["body"]],
    ["only unknown fields", { pushToken: "t", FcmToken: "t" }, ["body"]],
    ["an empty token", { fcmToken: "" }, ["body"]],
    ["a word for nothing", { fcmToken: "null" }, ["fcmToken"]],
    ["a token of 4097 characters", { fcmToken: "t".repeat(4097) }, ["fcmToken"]],
    ["a token with a space", { apnsToken: "a b" }, ["apnsToken"]],
    ["a token with a trailing line feed", { voipToken: "a\n" }, ["voipToken"]],
    ["a token with a NUL", { fcmToken: "a\u0000b" }, ["fcmToken"]],
    ["a token with a DEL", { fcmToken: "a\u007f" }, ["fcmToken"]],
    ["a token with a letter beyond ASCII", { fcmToken: "tökén" }, ["fcmToken"]],
    ["a token with a lone surrogate", '{"fcmToken":"\\ud800"}', ["fcmToken"]],
    ["a number for a token", { fcmToken: 1 }, ["fcmToken"]],
    ["a boolean for a token", { fcmToken: true }, ["fcmToken"]],
    ["a list for a token", { fcmToken: ["t"] }, ["fcmToken"]],
    ["an object for a token", { fcmToken: { toString: "t" } }, ["fcmToken"]],
    ["two wrong tokens", { apnsToken: "a b", voipToken: 1 }, ["apnsToken", "voipToken"]],
    ["a wrong token and a hint", { apnsToken: "a b", platform: "windows" }, ["apnsToken"]],
    ["malformed JSON", '{"fcmToken":', []],
    ["a form", "fcmToken=t", []],
    ["two JSON values", '{"fcmToken":"t"}{}', []],
    ["a JSON array", '[{"fcmToken":"t"}]', []],
    ["a JSON null", "null", []],
    ["a JSON number", "1", []],
    ["a JSON text", '"fcmToken"', []],
    ["invalid UTF-8", new Uint8Array([0x7b, 0xff, 0x7d]), []],
    ["UTF-8 that was cut off", utf8('{"fcmToken":"é"}').subarray(0, 14), []],
    ["JSON deep enough to exhaust a stack", "[".repeat(BODY_LIMIT), []],
  ])("to %s", async ([, body, fields], { expect }) => {
    const session = await login();
    const reply = await session.call("POST", "/v2/tokens", { body });
    expectRefusal(expect, reply, 400, "ERR_BAD_REQUEST", fields);
    await expectNothingStored(expect, session);
  });

  it("to a body that breaks off", async ({ expect }) => {
    const session = await login();
    const broken = new ReadableStream({
      start: (controller) => controller.enqueue(utf8('{"fcmToken":')),
      pull: (controller) => controller.error(new Error("the client is gone")),
    });
    const headers = { appId: "test", authToken: session.authToken };
    const request = new Request("https://registry.test/v2/tokens", { method: "POST", headers, body: broken });
    const response = await createApp().request(request, undefined, env);
    const text = await response.text();
    const reply = { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
    expectRefusal(expect, reply, 400, "ERR_BAD_REQUEST", []);
    await expectNothingStored(expect, session);
  });
});

describe("a body", () => {
  it("may hold three tokens of 4096 characters, and 16384 bytes in all", async ({ expect }) => {
    const session = await login();
    const tokens = { fcmToken: "f", apnsToken: "a", voipToken: "v" };
    const longest = Object.fromEntries(Object.entries(tokens).map(([field, t]) => [field, t.repeat(4096)]));
    expect((await session.register(longest)).status).toBe(200);
    expect((await session.tokens()).map((token) => token.length)).toEqual([4096, 4096, 4096]);
    expect((await session.call("POST", "/v2/tokens", { body: padded(BODY_LIMIT) })).status).toBe(200);
  });

  it.for<[string, () => unknown]>([
    ["that says so", () => padded(BODY_LIMIT + 1)],
    ["that does not", () => streamOf(utf8(padded(BODY_LIMIT)), utf8(" "))],
    ["that is far larger and does not", () => streamOf(utf8(padded(BODY_LIMIT)), new Uint8Array(1024 * 1024))],
  ])("above 16384 bytes %s is refused with 413 on every call that reads one", async ([, body], { expect }) => {
    const session = await login();
    const uid = uniqueUid();
    expectRefusal(expect, await session.call("POST", "/v2/tokens", { body: body() }), 413, "ERR_BAD_REQUEST", []);
    await expectNothingStored(expect, session);
    expectRefusal(expect, await session.call("DELETE", "/v2/tokens", { body: body() }), 413, "ERR_BAD_REQUEST", []);
    const mint = await serverCall("POST", `/v3/users/${uid}/auth_tokens`, { body: body() });
    expectRefusal(expect, mint, 413, "ERR_BAD_REQUEST", []);
  });
});

describe("DELETE /v2/tokens removes nothing and answers 400", () => {
  it.for<[string, unknown, string[]]>([
    ["a text for `all`", { all: "false" }, ["all"]],
    ["a number for `all`", { all: 1 }, ["all"]],
    ["a token field that is empty", { fcmToken: "" }, ["body"]],
    ["a token field that is null", { voipToken: null, all: false }, ["body"]],
    ["a token field that holds a word for nothing", { apnsToken: "(null)" }, ["apnsToken"]],
    ["a malformed token", { fcmToken: "a b" }, ["fcmToken"]],
    ["all tokens and a single one", { all: true, fcmToken: "t" }, ["all"]],
    ["malformed JSON", "{all:true}", []],
    ["a JSON array", "[true]", []],
  ])("to %s", async ([, body, fields], { expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    expectRefusal(expect, await session.delete(body), 400, "ERR_BAD_REQUEST", fields);
    expect(await session.tokens()).toEqual([token]);
  });
});

describe("a call that does not exist", () => {
  it.for([
    ["GET", "/"],
    ["GET", "/v2"],
    ["POST", "/v1/tokens"],
    ["POST", "/v2/tokens/more"],
    ["GET", "/v2/Tokens"],
    ["GET", "/v3.1/me"],
    ["GET", "/v3.00/me"],
    ["POST", "/v3/users//auth_tokens"],
    ["GET", "/constructor"],
  ])("is 404: %s %s", async ([method = "", path = ""], { expect }) => {
    expectRefusal(expect, await serverCall(method, path), 404, "ERR_API_NOT_FOUND", []);
  });

  it.for([
    ["PATCH", "/v2/tokens", "POST, GET, HEAD, DELETE"],
    ["PUT", "//v2//tokens/", "POST, GET, HEAD, DELETE"],
    ["GET", "/v2/tokens/unregister", "POST"],
    ["POST", "/v3.0/me", "PUT, GET, HEAD, DELETE"],
    ["PATCH", "/v3/me", "PUT, GET, HEAD, DELETE"],
    ["PUT", "/v3/settings", "GET, HEAD"],
    ["HEAD", "/v3/user_sessions", "POST"],
    ["GET", "/v3/users/someone/auth_tokens", "POST"],
    ["DELETE", "/health", "GET, HEAD"],
  ])(
    "with that method is 405 with what is allowed: %s %s",
    async ([method = "", path = "", allow = ""], { expect }) => {
      const reply = await serverCall(method, path);
      expect(reply.headers.get("allow")?.split(", ").sort()).toEqual(allow.split(", ").sort());
      if (method === "HEAD") expect(reply.status).toBe(405);
      else expectRefusal(expect, reply, 405, "ERR_API_NOT_FOUND", []);
    },
  );

  it("is 400 if its path is not percent-encoded UTF-8, so that no uid has two spellings", async ({ expect }) => {
    for (const uid of ["%zz", "%", "%E4", "%ED%A0%80", "%C0%AF", "a%2"]) {
      const reply = await serverCall("POST", `/v3/users/${uid}/auth_tokens`);
      expectRefusal(expect, reply, 400, "ERR_BAD_REQUEST", []);
    }
  });
});

const CLIENT_CALLS = [
  ["POST", "/v2/tokens"],
  ["GET", "/v2/tokens"],
  ["DELETE", "/v2/tokens"],
  ["PUT", "/v3.0/me"],
  ["GET", "/v3.0/me"],
  ["DELETE", "/v3.0/me"],
  ["GET", "/v3.0/settings"],
  ["POST", "/v3.0/user_sessions"],
] as const;

describe.each(CLIENT_CALLS)("%s %s without a right to it", (method, path) => {
  const body = method === "POST" ? { body: { fcmToken: "t" } } : {};

  it("says whether the app or the auth token is missing or unknown", async ({ expect }) => {
    const { authToken } = await login();
    const refusals: [Record<string, string>, string][] = [
      [{}, "AUTH_ERR_EMPTY_APPID"],
      [{ authToken }, "AUTH_ERR_EMPTY_APPID"],
      [{ authToken, appId: "" }, "AUTH_ERR_EMPTY_APPID"],
      [{ authToken, appId: "undefined" }, "AUTH_ERR_EMPTY_APPID"],
      [{ authToken, appId: "no-such-app" }, "AUTH_ERR_INVALID_APPID"],
      [{ authToken, appId: "__proto__" }, "AUTH_ERR_INVALID_APPID"],
      [{ appId: "test" }, "AUTH_ERR_EMPTY_AUTH_TOKEN"],
      [{ appId: "test", authToken: "" }, "AUTH_ERR_EMPTY_AUTH_TOKEN"],
      [{ appId: "test", authToken: "undefined" }, "AUTH_ERR_EMPTY_AUTH_TOKEN"],
      [{ appId: "test", authToken: "null" }, "AUTH_ERR_EMPTY_AUTH_TOKEN"],
      [{ appId: "test", Authorization: "Basic dXNlcjpwYXNz" }, "AUTH_ERR_EMPTY_AUTH_TOKEN"],
      [{ appId: "test", apikey: API_KEYS.fullAccess }, "AUTH_ERR_EMPTY_AUTH_TOKEN"],
    ];
    for (const [headers, code] of refusals) {
      expectRefusal(expect, await call(method, path, { ...body, headers }), 401, code, []);
    }
  });

  it("says of an auth token that is not genuine, or of another app, that it is not there", async ({ expect }) => {
    const session = await login();
    const [head = "", payload = "", signature = ""] = session.authToken.split(".");
    const uid = session.uid;
    const forged = [
      await forge({ uid, secret: "a-key-that-nobody-here-has-0123456789" }),
      await forge({ uid, app: "other" }),
      await forge({ uid, secret: signingKey.new("other") }),
      await forge({ uid, claims: { app: "other" } }),
    ];
    const authTokens = [
      ...forged.map(({ authToken }) => authToken),
      "nonsense",
      `${uid}_1630306819c3027ce530b2367f3c97b4106f0cb8`,
      `${head}.${payload}.`,
      `${head}.${payload}`,
      `${head}..${signature}`,
      `${head}.${payload}.${[...signature].reverse().join("")}`,
      `${session.authToken}.${signature}`,
      "a.b.c",
      "..",
      "é.ü.ß",
      "x".repeat(8193),
    ];
    for (const authToken of authTokens) {
      const reply = await call(method, path, { ...body, headers: { appId: "test", authToken } });
      expectRefusal(expect, reply, ...DEAD, []);
      expect(JSON.stringify(reply.body)).not.toContain(authToken);
    }
    await expectNothingStored(expect, session);
  });

  it("lets a session that has ended, or whose auth token has expired, only remove tokens", async ({ expect }) => {
    const ended = await login();
    await ended.logout();
    const expired = await expiredTwin(await login());
    // Telemetry asks no object whether its session has ended.
    const asks = path !== "/v3.0/user_sessions";
    for (const session of [ended, expired]) {
      const reply = await session.call(method, path, body);
      if (method === "DELETE") expect(outcome(reply)).toEqual([200, "ok"]);
      else if (asks || session === expired) expectRefusal(expect, reply, ...DEAD, []);
    }
    await expectNothingStored(expect, expired);
  });
});

describe("a wrong configuration", () => {
  it("answers 500 for its app alone, with no word of it; the log names the field", async ({ expect }) => {
    const lines = vi.spyOn(console, "error");
    const reply = await serverCall("POST", `/v3/users/${uniqueUid()}/auth_tokens`, {}, "broken");
    const written = lines.mock.calls.flat().map(String);
    lines.mockRestore();
    expectRefusal(expect, reply, 500, "ERR_OPERATION_FAILED", []);
    expect(JSON.stringify(reply.body)).not.toContain("retention");
    expect(written.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({
        level: "error",
        problems: ["APP_BROKEN.retentionDays: must be a number of days above 0"],
      }),
    );
    expect((await serverCall("POST", `/v3/users/${uniqueUid()}/auth_tokens`)).status).toBe(200);
  });

  it("makes every API key wrong for an app without secrets", async ({ expect }) => {
    const reply = await serverCall("POST", `/v3/users/${uniqueUid()}/auth_tokens`, {}, "leaky");
    expectRefusal(expect, reply, 401, "AUTH_ERR_APIKEY_NOT_FOUND", []);
  });

  it.for([
    ["leaky", "SECRETS_LEAKY.signingKeys: is missing"],
    ["jwt-leaky", "SECRETS_LEAKY_JWT.jwtSecrets: is missing"],
  ] as const)(
    "of an app without secrets, %s, calls no auth token dead: that would log its user out",
    async ([app, problem], { expect }) => {
      const lines = vi.spyOn(console, "error");
      const claims = { iss: "https://login.leaky.test", aud: "registry" };
      const session = await forge({ app, claims });
      for (const reply of [await session.register({ fcmToken: uniqueToken() }), await session.logout()]) {
        expectRefusal(expect, reply, 500, "ERR_OPERATION_FAILED", []);
      }
      const written = lines.mock.calls.map(([line]) => JSON.parse(String(line)));
      lines.mockRestore();
      expect(written).toContainEqual(expect.objectContaining({ level: "error", problems: [problem] }));
    },
  );
});

it("an app without signing keys refuses no ticket for good: its client would throw it away", async ({ expect }) => {
  const ticket = (text: string) => btoa(text).replaceAll("=", "");
  const made = `${ticket('{"alg":"HS256","typ":"unregister+jwt","kid":"gone"}')}.${ticket('{"app":"leaky"}')}.c2ln`;
  expectRefusal(expect, await call("POST", "/v2/tokens/unregister", { body: made }), 500, "ERR_OPERATION_FAILED", []);
});

describe("logs", () => {
  it("hold no token, key or uid, whatever happens", async ({ expect }) => {
    const spies = [vi.spyOn(console, "log"), vi.spyOn(console, "warn"), vi.spyOn(console, "error")];
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken("very-secret");
    await alice.register({ fcmToken: token });
    await bob.register({ fcmToken: token });
    await bob.call("POST", "/v2/tokens", { body: `{"fcmToken":"${token}"` });
    await bob.call("PATCH", `/v2/tokens?token=${token}`);
    await bob.delete({ all: true });
    await alice.logout();
    await alice.register({ fcmToken: token });
    await serverCall("GET", `/v3/users/${alice.uid}/push_tokens`);
    await serverCall("DELETE", `/v3/users/${alice.uid}`);
    await call("GET", "/v2/tokens", { headers: { appId: "broken", authToken: alice.authToken } });
    const written = spies.flatMap((spy) => spy.mock.calls.flat().map(String));
    for (const spy of spies) spy.mockRestore();
    expect(written.length).toBeGreaterThan(3);
    const secrets = [token, alice.uid, bob.uid, alice.authToken, bob.authToken, API_KEYS.fullAccess];
    for (const secret of secrets) expect(written.join("\n")).not.toContain(secret);
  });
});
