// What HTTP clients do to a request: bodies that are compressed, headers that are sent twice.
import { describe, it } from "vitest";
import { API_KEYS } from "../support/apps.ts";
import { call, login, type TestSession, uniqueToken } from "../support/client.ts";

const BODY_LIMIT = 16 * 1024;

async function compressed(text: string, format: "gzip" | "deflate" | "deflate-raw"): Promise<Uint8Array> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream(format));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function post(session: TestSession, body: unknown, encoding: string) {
  return session.call("POST", "/v2/tokens", { body, headers: { "content-encoding": encoding } });
}

const streamOf = (bytes: Uint8Array) => new Blob([bytes]).stream();

// Clients that compress what they send, and servers that took it for text: okhttp#350, cpp-httplib#50, httpbin#577,
// certificate-transparency#1109, docker-http-https-echo#31; a header without a compressed body: dropwizard#4176; what is not read is
// a 415: harper#1438; two forms of deflate: expressjs/compression#179.
describe("a compressed body", () => {
  it.for([
    ["gzip", "gzip"],
    ["x-gzip", "gzip"],
    ["GZIP", "gzip"],
    [" deflate ", "deflate"],
  ] as const)("is inflated: Content-Encoding %s (okhttp#350)", async ([encoding, format], { expect }) => {
    const session = await login();
    for (const [fcmToken, toBody] of [
      [uniqueToken(), (bytes: Uint8Array) => bytes],
      [uniqueToken(), streamOf],
    ] as const) {
      const reply = await post(session, toBody(await compressed(JSON.stringify({ fcmToken }), format)), encoding);
      expect(reply).toMatchObject({ status: 200, body: { data: { success: true } } });
      expect(await session.tokens()).toEqual([fcmToken]);
    }
  });

  it.for(["identity", "", "undefined"])("is none for Content-Encoding %j", async (encoding, { expect }) => {
    const session = await login();
    const fcmToken = uniqueToken();
    expect((await post(session, JSON.stringify({ fcmToken }), encoding)).status).toBe(200);
    expect(await session.tokens()).toEqual([fcmToken]);
  });

  it("is measured inflated, and a bomb of 64 MB is not inflated to its end", async ({ expect }) => {
    const session = await login();
    const fits = `{"fcmToken":"t"}`.padEnd(BODY_LIMIT);
    expect((await post(session, await compressed(fits, "gzip"), "gzip")).status).toBe(200);
    for (const length of [BODY_LIMIT + 1, 64 * 1024 * 1024]) {
      const bytes = await compressed(" ".repeat(length), "gzip");
      const reply = await post(session, streamOf(bytes), "gzip");
      expect(reply).toMatchObject({ status: 413, body: { error: { code: "ERR_BAD_REQUEST" } } });
      if (bytes.byteLength > BODY_LIMIT) continue;
      expect((await post(session, bytes, "gzip")).status).toBe(413);
    }
  });

  it.for([
    ["gzip", "is none", new TextEncoder().encode('{"fcmToken":"t"}')],
    ["deflate", "is none", new TextEncoder().encode('{"fcmToken":"t"}')],
    ["gzip", "is empty", new Uint8Array()],
  ] as const)("that says %s and %s is a 400", async ([encoding, , bytes], { expect }) => {
    const reply = await post(await login(), bytes, encoding);
    expect(reply).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST" } } });
  });

  it("that was cut off, or goes on behind its end, is a 400", async ({ expect }) => {
    const session = await login();
    const whole = await compressed(JSON.stringify({ fcmToken: uniqueToken() }), "gzip");
    for (const bytes of [whole.subarray(0, whole.length - 4), new Uint8Array([...whole, 0x7b])]) {
      expect(await post(session, bytes, "gzip")).toMatchObject({
        status: 400,
        body: { error: { message: "The body is not complete, or not gzip." } },
      });
    }
    expect(await session.tokens()).toEqual([]);
  });

  it.for(["br", "zstd", "compress", "gzip, gzip", "constructor", "aes128gcm"])(
    "of a coding that is not read is a 415 that names those that are: %s",
    async (encoding, { expect }) => {
      const session = await login();
      const reply = await post(session, "{}", encoding);
      expect(reply).toMatchObject({ status: 415, body: { error: { code: "ERR_BAD_REQUEST", details: {} } } });
      expect(reply.body.error.message).toContain("gzip or deflate");
      expect(reply.headers.get("accept-encoding")).toBe("gzip, deflate");
    },
  );
});

describe("a header that holds a word for nothing", () => {
  // Words that Android must not take for a dead auth token: it logs its user out on the 401 for one.
  it.for(["undefined", "null", "nil", "(null)", "[object Object]", "NaN", "None"])(
    "is absent: %s",
    async (word, { expect }) => {
      const session = await login();
      for (const headers of [
        { authToken: word },
        { authToken: word, Authorization: word },
        { Authorization: `Bearer ${word}` },
      ]) {
        const reply = await call("GET", "/v2/tokens", { headers: { appId: "test", ...headers } });
        expect(reply).toMatchObject({ status: 401, body: { error: { code: "AUTH_ERR_EMPTY_AUTH_TOKEN" } } });
      }
      const unsure = {
        appId: "test",
        authToken: word,
        Authorization: `Bearer ${session.authToken}`,
        sdk: word,
        apikey: word,
      };
      expect((await call("GET", "/v2/tokens", { headers: unsure })).status).toBe(200);
      const nobody = await call("GET", "/v2/tokens", { headers: { appId: word, authToken: session.authToken } });
      expect(nobody).toMatchObject({ status: 401, body: { error: { code: "AUTH_ERR_EMPTY_APPID" } } });
    },
  );
});

describe("a header that is sent twice", () => {
  const names = ["authToken", "appId"] as const;

  it.for([
    ["T, T", (value: string) => `${value}, ${value}`],
    ["T,T,T", (value: string) => `${value},${value},${value}`],
    ["T and a word for nothing", (value: string) => `undefined, ${value}`],
    ["T and nothing", (value: string) => `${value},`],
    ["T with space between", (value: string) => `${value} ,  ${value}`],
  ] as const)(
    "with one value is one: %s (retrofit#3775, janus#3163, aurelia-auth#116, pinot#17134)",
    async ([, twice], { expect }) => {
      const session = await login();
      const token = uniqueToken();
      await session.register({ fcmToken: token });
      const headers = { appId: twice("test"), authToken: twice(session.authToken) };
      const reply = await call("GET", "/v2/tokens", { headers });
      expect([reply.status, reply.body.data?.android]).toEqual([200, [token]]);
      const bearer = { appId: "test", Authorization: twice(`Bearer ${session.authToken}`) };
      expect((await call("GET", "/v2/tokens", { headers: bearer })).status).toBe(200);
      const server = { appId: "test", apikey: twice(API_KEYS.sender) };
      expect((await call("GET", `/v3/users/${session.uid}/push_tokens`, { headers: server })).status).toBe(200);
    },
  );

  it.for(names)("with different values is a 400 that does not log Android out: %s", async (name, { expect }) => {
    const [one, other] = [await login(), await login()];
    const values = { appId: "test, other", authToken: `${one.authToken}, ${other.authToken}` };
    const headers = { appId: "test", authToken: one.authToken, [name]: values[name] };
    const reply = await call("GET", "/v2/tokens", { headers });
    expect(reply).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST" } } });
    expect(Object.keys(reply.body.error.details)).toEqual([name]);
  });
});
