// Identity `cometchat` on workerd itself: the fake CometChat is another process's server, can be killed and comes back, and
// requests are bytes on the wire.
import { once } from "node:events";
import { request } from "node:https";
import { connect } from "node:tls";
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, it } from "vitest";
import { COMETCHAT_REGIONS } from "../support/apps.ts";
import { FakeCometChat } from "../support/fake-cometchat.ts";
import { type FetchServer, serveFetch } from "../support/node/fetch-server.ts";
import { Registry } from "../support/node/registry.ts";
import type { HttpReply } from "../support/node/wire.ts";
import { uniqueToken, uniqueUid } from "../support/unique.ts";

const HOST = "push-notification-us.registry.test";
const SLOW_MS = 800;

/** What a client of the app may reach. */
const OWN_HOSTS = ["chat.apiclient-us.cometchat.io", "push-notification-us.cometchat.io", "polls-us.cometchat.io"];

let cometchat: FakeCometChat;
let upstream: FetchServer;
let registry: Registry;

beforeAll(async () => {
  cometchat = new FakeCometChat({ apps: COMETCHAT_REGIONS });
  upstream = await serveFetch(async (each) => compressed(each, await cometchat.fetch(each)));
  registry = await Registry.start({ hosts: [HOST, "polls-us.registry.test"], outbound: upstream.address });
});

afterAll(async () => {
  await registry?.stop();
  await upstream?.stop();
});

/** A reply in the encoding that the test's request names. */
async function compressed(to: Request, reply: Response): Promise<Response> {
  const encoding = to.headers.get("x-test-encoding");
  if (encoding === null) return reply;
  const plain = Buffer.from(await reply.arrayBuffer());
  const body = encoding === "br" ? brotliCompressSync(plain) : gzipSync(plain);
  const headers = new Headers(reply.headers);
  headers.set("content-encoding", encoding);
  headers.set("content-length", String(body.length));
  return new Response(body, { status: reply.status, headers });
}

interface Session {
  uid: string;
  authToken: string;
}

function session(uid = uniqueUid()): Session {
  return { uid, authToken: cometchat.issue("chat", uid) };
}

const headersOf = ({ authToken }: Session) => ({ appid: "chat", authtoken: authToken, sdk: "android@4.0.10" });

function call(from: Session, method: string, path: string, body?: object, host = HOST): Promise<HttpReply> {
  const rest = body === undefined ? {} : { body: JSON.stringify(body) };
  return registry.send({ method, host, path, headers: headersOf(from), ...rest });
}

const register = (from: Session, fcmToken: string) => call(from, "POST", "/v2/tokens", { fcmToken });
const list = (from: Session) => call(from, "GET", "/v2/tokens");
const verifications = ({ authToken }: Session) => cometchat.count({ method: "GET", path: "/v3.0/me", authToken });

describe("one question to CometChat", () => {
  it("serves fifty requests that come together", async ({ expect }) => {
    const alice = session();
    cometchat.fail({ authToken: alice.authToken, delayMs: SLOW_MS });
    const replies = await Promise.all(Array.from({ length: 50 }, () => list(alice)));
    expect(replies.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect(verifications(alice)).toBe(1);
  });

  it("serves those who wait although the client that led to it has hung up", async ({ expect }) => {
    const alice = session();
    cometchat.fail({ authToken: alice.authToken, delayMs: SLOW_MS });
    const leader = request({
      host: "127.0.0.1",
      port: registry.server.port,
      path: "/v2/tokens",
      headers: { host: HOST, ...headersOf(alice) },
      rejectUnauthorized: false,
    });
    leader.on("error", () => undefined);
    leader.end();
    while (verifications(alice) === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const followers = Array.from({ length: 5 }, () => list(alice));
    setTimeout(() => leader.destroy(), SLOW_MS / 4);
    expect((await Promise.all(followers)).map(({ status }) => status)).toEqual(Array(5).fill(200));
    expect(verifications(alice)).toBe(1);
  });
});

describe("a CometChat that is killed in mid-run", () => {
  it("stops no session that is known, logs nobody out, loses nothing, and is missed only by new sessions", async ({
    expect,
  }) => {
    const known = Array.from({ length: 10 }, () => session());
    const tokens = known.map(() => uniqueToken());
    await Promise.all(known.map((each, i) => register(each, tokens[i] ?? "")));
    const fresh = Array.from({ length: 10 }, () => session());
    const { port } = upstream;
    await upstream.stop();

    for (const reply of await Promise.all(fresh.map((each) => register(each, uniqueToken())))) {
      expect(reply.status).toBe(503);
      expect(reply.headers.get("retry-after")).toBe("2");
      expect(JSON.parse(reply.text)).toMatchObject({ error: { code: "ERR_OPERATION_FAILED", details: {} } });
    }
    for (const [i, each] of known.entries()) {
      expect(JSON.parse((await list(each)).text).data.android).toEqual([tokens[i]]);
    }
    const rotated = known.map(() => uniqueToken());
    const replies = await Promise.all(known.map((each, i) => register(each, rotated[i] ?? "")));
    expect(replies.map(({ status }) => status)).toEqual(Array(10).fill(200));

    // A logout in the outage: the SDK is told of a failure, and the session is over all the same.
    const [leaver, ...stayers] = known;
    if (leaver === undefined) throw new Error("nobody is logged in");
    expect((await call(leaver, "DELETE", "/v3.0/me")).status).toBe(503);
    expect(await registry.pushTokens(leaver.uid, "chat")).toEqual([]);

    upstream = await serveFetch((each) => cometchat.fetch(each), port);
    for (const each of [...stayers, ...fresh]) expect((await register(each, uniqueToken())).status).toBe(200);
    expect((await register(leaver, uniqueToken())).status).toBe(401);
    expect(await registry.pushTokens(leaver.uid, "chat")).toEqual([]);
  });
});

/** Sends the bytes as they are; answers what came until the server closed, or was quiet for so long. */
async function exchange(bytes: string, quietMs?: number): Promise<string> {
  const socket = connect({
    host: "127.0.0.1",
    port: registry.server.port,
    servername: HOST,
    rejectUnauthorized: false,
  });
  await once(socket, "secureConnect");
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.on("error", () => undefined);
  socket.write(bytes);
  if (quietMs !== undefined) socket.setTimeout(quietMs, () => socket.destroy());
  await once(socket, "close");
  return text;
}

const lines = (...all: string[]) => `${all.join("\r\n")}\r\n\r\n`;

describe("on the wire", () => {
  it.for([
    "/v3.0/../v2/users",
    "/v3.0/./users",
    "/v3.0/users/..",
    "/v3.0/%2e%2e/users",
    "/v3.0/.%2e/users",
    "/v3.0/\\evil.example\\users",
  ])("a path with dot segments or backslashes is refused (%s)", async (path, { expect }) => {
    const alice = session();
    const { status } = await call(alice, "GET", path);
    expect(status).toBe(400);
    expect(cometchat.received({ authToken: alice.authToken })).toEqual([]);
  });

  it.for(["https://evil.example/v3.0/users", "http://evil.example/v3.0/users", "//evil.example/v3.0/users"])(
    "a request target that names a host leads nowhere else (%s)",
    async (path, { expect }) => {
      const alice = session();
      await call(alice, "GET", path);
      const hosts = cometchat.received({ authToken: alice.authToken }).map(({ host }) => host);
      for (const host of hosts) expect(OWN_HOSTS).toContain(host);
    },
  );

  it.for([
    ["Host: evil.example"],
    ["Host: polls-us.evil.example"],
    ["Host: user@evil.example"],
    ["Host: evil.example#polls-us.x"],
    ["Host: polls-us.registry.test:80@evil.example"],
    ["Host: a", "Host: polls-us.evil.example"],
    ["Host: "],
  ])("a Host header leads nowhere else (%s)", async (hosts, { expect }) => {
    const alice = session();
    const headers = [...hosts, "appId: chat", `authToken: ${alice.authToken}`, "Connection: close"];
    for (const path of ["/v3.0/users", "/v2/vote"]) await exchange(lines(`GET ${path} HTTP/1.1`, ...headers));
    const asked = cometchat.received({ authToken: alice.authToken }).map(({ host }) => host);
    for (const host of asked) expect(OWN_HOSTS).toContain(host);
  });

  it("a body's end has one reading: what follows it is never a request of its own", async ({ expect }) => {
    const [alice, bob] = [session(), session()];
    await register(bob, uniqueToken());
    const hidden = lines("DELETE /v3.0/me HTTP/1.1", `Host: ${HOST}`, "appId: chat", `authToken: ${bob.authToken}`);
    const head = ["POST /v3.0/messages HTTP/1.1", `Host: ${HOST}`, "appId: chat", `authToken: ${alice.authToken}`];
    const chunked = `0\r\n\r\n${hidden}`;
    for (const [framing, body] of [
      [["Transfer-Encoding: chunked", `Content-Length: ${chunked.length}`], chunked],
      [[`Content-Length: ${chunked.length}`, "Transfer-Encoding: chunked"], chunked],
      [["Content-Length: 0", `Content-Length: ${hidden.length}`], hidden],
      [["Transfer-Encoding: xchunked", `Content-Length: ${hidden.length}`], hidden],
    ] as const) {
      await exchange(`${lines(...head, ...framing)}${body}`, 1_000);
    }
    // The client may send a second request on its own connection; the Worker must not send one of the two to CometChat in
    // a body, and CometChat's server must see as many as the Worker meant.
    for (const asked of cometchat.received({ authToken: alice.authToken })) {
      expect(asked).toMatchObject({ method: "POST", path: "/v3.0/messages" });
      expect([asked.headers["content-length"], asked.headers["transfer-encoding"]].filter(Boolean).length).toBeLessThan(
        2,
      );
    }
  });

  it("a body keeps its length, or comes in chunks as it was sent", async ({ expect }) => {
    const alice = session();
    const body = { text: "x".repeat(100_000) };
    await call(alice, "POST", "/v3.0/messages", body);
    const [asked] = cometchat.received({ authToken: alice.authToken });
    expect(asked?.body).toBe(JSON.stringify(body));
  });

  it.for(["gzip", "br"])(
    "a reply in %s reads as what CometChat said, rewritten or not",
    async (encoding, { expect }) => {
      const decoded = { gzip: gunzipSync, br: brotliDecompressSync } as Record<string, (bytes: Buffer) => Buffer>;
      const [alice, nobody] = [session(), { uid: "nobody", authToken: "nobody_1" }];
      const calls: [Session, string, string, object][] = [
        [alice, "GET", "/v3.0/users", { data: [{ uid: alice.uid }] }],
        [alice, "PUT", "/v3.0/me", { data: { uid: alice.uid, settings: { CLIENT_API_HOST: HOST } } }],
        [alice, "GET", "/v3.0/nothing", { error: { code: "ERR_API_NOT_FOUND" } }],
        [nobody, "GET", "/v3.0/users", { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } }],
        [alice, "DELETE", "/v3.0/me", { data: { success: true } }],
      ];
      for (const [from, method, path, body] of calls) {
        const outgoing = request({
          host: "127.0.0.1",
          port: registry.server.port,
          servername: HOST,
          rejectUnauthorized: false,
          method,
          path,
          headers: { host: HOST, ...headersOf(from), "accept-encoding": encoding, "x-test-encoding": encoding },
        }).end();
        const [incoming] = await once(outgoing, "response");
        const chunks: Buffer[] = [];
        for await (const chunk of incoming) chunks.push(chunk);
        const bytes = Buffer.concat(chunks);
        const { "content-encoding": how = "", "content-length": length } = incoming.headers;
        if (length !== undefined) expect(Number(length)).toBe(bytes.length);
        const text = String((decoded[how] ?? ((plain) => plain))(bytes));
        expect(JSON.parse(text), path).toMatchObject(body);
      }
    },
  );

  it("headers of one connection do not pass", async ({ expect }) => {
    const alice = session();
    await registry.send({
      method: "GET",
      host: HOST,
      path: "/v3.0/users",
      headers: {
        ...headersOf(alice),
        connection: "keep-alive, x-private",
        "x-private": "smuggled",
        te: "smuggled",
        "cf-connecting-ip": "203.0.113.7",
        "x-forwarded-for": "203.0.113.7",
        cookie: "smuggled=1",
      },
    });
    const [asked] = cometchat.received({ authToken: alice.authToken });
    expect(asked?.headers.authtoken).toBe(alice.authToken);
    expect(JSON.stringify(asked?.headers)).not.toMatch(/smuggled|203\.0\.113\.7/);
  });

  it("the headers that say whose call it is pass, whatever Connection says", async ({ expect }) => {
    const alice = session();
    const connection = "authToken, appId";
    const headers = { ...headersOf(alice), connection, authorization: "Bearer another" };
    await registry.send({ method: "GET", host: HOST, path: "/v3.0/users", headers });
    const [asked] = cometchat.received({ authToken: alice.authToken });
    expect(asked?.headers).toMatchObject({ appid: "chat", authtoken: alice.authToken });
  });

  it.for([
    ["GET", ["Content-Length: 0"], ""],
    ["GET", ["Content-Length: 2"], "{}"],
    ["GET", ["Transfer-Encoding: chunked"], "2\r\n{}\r\n0\r\n\r\n"],
    ["HEAD", ["Content-Length: 2"], "{}"],
  ] as const)("a %s with %s is answered as one without a body", async ([method, framing, body], { expect }) => {
    const alice = session();
    const head = [`${method} /v3.0/users HTTP/1.1`, `Host: ${HOST}`, "appId: chat", `authToken: ${alice.authToken}`];
    const reply = await exchange(`${lines(...head, ...framing, "Connection: close")}${body}`);
    // The fake knows no HEAD.
    expect(reply).toMatch(method === "HEAD" ? /^HTTP\/1\.1 404 / : /^HTTP\/1\.1 200 /);
    expect(cometchat.received({ authToken: alice.authToken })).toMatchObject([{ method, body: "" }]);
  });

  it("a reply has no header that a client's request put there", async ({ expect }) => {
    const alice = session();
    const reply = await exchange(
      lines(
        "GET /v3.0/users?q=%0d%0aX-Injected:%20yes HTTP/1.1",
        `Host: ${HOST}`,
        "appId: chat",
        `authToken: ${alice.authToken}`,
        "Connection: close",
      ),
    );
    expect(reply).toMatch(/^HTTP\/1\.1 200 /);
    expect(reply.toLowerCase()).not.toContain("x-injected");
  });
});
