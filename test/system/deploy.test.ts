// What a deploy uploads, served without what only `npm start` adds: everybody knows the demo app's keys, and none of them may
// ever work on a deployed Worker.
import { createHash } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SignJWT } from "jose";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { unstable_readConfig } from "wrangler";
import { DEMO_APP, DEMO_SECRETS, DEMO_KEYS as KEYS } from "../../scripts/demo.ts";
import { PROJECT, type Server, serve } from "../../scripts/lib/workerd.ts";
import { parseConfig } from "../../src/config/apps.ts";

const DEMO_KEYS = Object.values(KEYS);
const OWN_KEY = "a-key-of-the-operator";

const demoSecrets = JSON.stringify(DEMO_SECRETS);
const demoSigningKey = DEMO_SECRETS.signingKeys[0]?.secret ?? "";
/** The vars that `wrangler deploy` uploads. */
const { vars, secrets } = unstable_readConfig({ config: join(PROJECT, "wrangler.toml") });

const ownSecrets = JSON.stringify({
  signingKeys: [{ kid: "2026", secret: "a signing key that the operator has made" }],
  apiKeys: [{ name: "own", scope: "fullAccess", sha256: createHash("sha256").update(OWN_KEY).digest("hex") }],
});

/** As if the demo app had come into wrangler.toml. */
async function deployed(extra: Record<string, string> = {}): Promise<Server> {
  const server = await serve({ bundle: inject("bundle"), bindings: { APP_DEMO: DEMO_APP, ...extra } });
  onTestFinished(async () => {
    await server.stop();
    await rm(dirname(server.data), { recursive: true, force: true });
  });
  return server;
}

async function call(server: Server, method: string, path: string, headers: Record<string, string>) {
  const response = await fetch(`${server.url}${path}`, { method, headers: { appId: "demo", ...headers } });
  return { status: response.status, code: ((await response.json()) as { error?: { code: string } }).error?.code };
}

/** A call that each scope may make, with each key. */
function withKey(server: Server, apikey: string) {
  return Promise.all([
    call(server, "POST", "/v3/users/alice/auth_tokens", { apikey }),
    call(server, "GET", "/v3/users/alice/push_tokens", { apikey }),
  ]);
}

/** An auth token as the demo app's development key signs it. */
function demoAuthToken(): Promise<string> {
  return new SignJWT({ app: "demo", sid: crypto.randomUUID() })
    .setProtectedHeader({ alg: "HS256", typ: "auth+jwt", kid: "development" })
    .setSubject("alice")
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(demoSigningKey));
}

const UNKNOWN_KEY = { status: 401, code: "AUTH_ERR_APIKEY_NOT_FOUND" };

describe("a deployed Worker", () => {
  it("refuses every demo key and the demo signing key while it has no secrets", async ({ expect }) => {
    const server = await deployed();
    for (const key of DEMO_KEYS) expect(await withKey(server, key), key).toEqual([UNKNOWN_KEY, UNKNOWN_KEY]);
    // Not 401: that would log out whoever has a good one.
    expect(await call(server, "GET", "/v2/tokens", { authToken: await demoAuthToken() })).toEqual({
      status: 500,
      code: "ERR_OPERATION_FAILED",
    });
  });

  it("refuses them beside its operator's own secrets, which work", async ({ expect }) => {
    const server = await deployed({ SECRETS_DEMO: ownSecrets });
    for (const key of DEMO_KEYS) expect(await withKey(server, key), key).toEqual([UNKNOWN_KEY, UNKNOWN_KEY]);
    expect(await call(server, "GET", "/v2/tokens", { authToken: await demoAuthToken() })).toMatchObject({
      status: 401,
    });
    expect((await withKey(server, OWN_KEY)).map(({ status }) => status)).toEqual([200, 200]);
  });

  it.each([
    ["without DEVELOPMENT", {}],
    ["with DEVELOPMENT=false", { DEVELOPMENT: "false" }],
    ["with DEVELOPMENT=1", { DEVELOPMENT: "1" }],
  ])("answers 500 to everything of an app that holds the development secret, %s", async (_, extra) => {
    const server = await deployed({ SECRETS_DEMO: demoSecrets, ...extra });
    const broken = { status: 500, code: "ERR_OPERATION_FAILED" };
    for (const key of [...DEMO_KEYS, OWN_KEY]) expect(await withKey(server, key), key).toEqual([broken, broken]);
    expect(await call(server, "GET", "/v2/tokens", { authToken: await demoAuthToken() })).toEqual(broken);
    const named = server.logs.filter((line) => line.includes("SECRETS_DEMO: holds a development secret"));
    expect(named.length).toBeGreaterThan(0);
    for (const line of server.logs) expect(line).not.toContain(demoSigningKey);
  });

  it("would accept them as npm start runs it: the cases above refuse real keys", async ({ expect }) => {
    const server = await deployed({ SECRETS_DEMO: demoSecrets, DEVELOPMENT: "true" });
    expect(await call(server, "POST", "/v3/users/alice/auth_tokens", { apikey: "demo-auth-key" })).toMatchObject({
      status: 200,
    });
    expect(await call(server, "GET", "/v3/users/alice/push_tokens", { apikey: "demo-sender-key" })).toMatchObject({
      status: 200,
    });
    expect(await call(server, "GET", "/v3/users/alice/export", { apikey: "demo-server-key" })).toMatchObject({
      status: 404,
      code: "ERR_UID_NOT_FOUND",
    });
    expect(await call(server, "GET", "/v2/tokens", { authToken: await demoAuthToken() })).toMatchObject({
      status: 200,
    });
  });

  it("consists of one script that holds no demo key, and of vars that switch nothing on", async ({ expect }) => {
    const files = await readdir(dirname(inject("bundle")));
    expect(files.filter((file) => !/\.(js\.map|md)$/.test(file))).toEqual(["index.js"]);
    const script = await readFile(inject("bundle"), "utf8");
    for (const secret of [...DEMO_KEYS, demoSigningKey]) expect(script).not.toContain(secret);
    expect(Object.keys(vars)).not.toContain("DEVELOPMENT");
    expect(JSON.stringify(vars)).not.toMatch(/signingKeys|apiKeys|demo|1000000/);
  });

  it("finds no demo app in any file that a deploy reads", async ({ expect }) => {
    const files = await readdir(PROJECT);
    expect(files.filter((file) => /^\.(dev\.vars|env)/.test(file))).toEqual([]);
    const { apps } = parseConfig(vars as Record<string, unknown>);
    expect([...apps.keys()]).not.toContain(DEMO_APP.appId);
  });

  it("has no cache before it, no further host names, and does not list its dependencies", async ({ expect }) => {
    expect(unstable_readConfig({ config: join(PROJECT, "wrangler.toml") })).toMatchObject({
      cache: { enabled: false },
      preview_urls: false,
      dependencies_instrumentation: { enabled: false },
    });
  });

  it("declares the secrets of each of its apps as required: wrangler refuses a deploy without them", async ({
    expect,
  }) => {
    const apps = Object.keys(vars).filter((name) => name.startsWith("APP_"));
    expect(secrets?.required).toEqual(apps.map((name) => name.replace("APP_", "SECRETS_")));
  });
});
