// testing/: a registry for tests, whose clock moves.
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, inject, it, onTestFinished } from "vitest";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import type { Registry, RegistryOptions } from "../../testing/types.ts";
import { COMPATIBILITY_DATE } from "../../testing/workers.ts";
import { temporary } from "../support/node/local.ts";
import { startRegistry } from "../support/node/testing.ts";

const DAY_MS = 24 * 3600 * 1000;
const NEW_YEAR = Date.UTC(2027, 0, 1);

/** One that ends with the test. */
async function start(options: RegistryOptions = {}): Promise<Registry> {
  const registry = await startRegistry(options);
  onTestFinished(() => registry.stop());
  return registry;
}

async function post(registry: Registry, authToken: string, body: object): Promise<number> {
  const { status } = await fetch(`${registry.url}/v2/tokens`, {
    method: "POST",
    headers: { appId: registry.appId, authToken },
    body: JSON.stringify(body),
  });
  return status;
}

/** A new login of the user, that registers the token; answers its auth token. */
async function register(registry: Registry, uid: string, fcmToken: string): Promise<string> {
  const authToken = await registry.mint(uid);
  const status = await post(registry, authToken, { fcmToken });
  if (status !== 200) throw new Error(`answered ${status}`);
  return authToken;
}

/** When the registration of the user expired on record. */
async function expiredAt(registry: Registry, uid: string): Promise<number | undefined> {
  const { changes } = await registry.call("GET", `/v3/users/${uid}/export`);
  return changes.find(({ change }: { change: string }) => change === "expired")?.at;
}

describe("a registry for tests", () => {
  it("serves an app of one's own, and knows nothing of another that runs", async ({ expect }) => {
    const [ours, theirs] = await Promise.all([
      start({ app: { appId: "acme", retentionDays: 30 } }),
      start({ app: { appId: "acme" } }),
    ]);
    await register(ours, "anna", "phone-of-anna");
    expect(await ours.tokensOf("anna")).toEqual(["phone-of-anna"]);
    expect(await theirs.tokensOf("anna")).toEqual([]);
    expect((await ours.call("GET", "/v3/app")).appId).toBe("acme");
    await Promise.all([ours.advance(31), theirs.advance(31)]);
    expect(await ours.tokensOf("anna")).toEqual([]);
    const client = await fetch(`${ours.url}/client.js`);
    expect(client.headers.get("content-type")).toContain("text/javascript");
    expect(await client.text()).toBe(await readFile(join(PROJECT, "public/client.js"), "utf8"));
  });

  it("says which field of the app is wrong, and leaves no process", async ({ expect }) => {
    await expect(startRegistry({ app: { appId: "acme", retentionDays: -1 } })).rejects.toThrow(
      /configuration is wrong.*retentionDays/,
    );
  });

  it("takes the JWTs of an app's own login, and mints none for it", async ({ expect }) => {
    const jwt = { algorithms: ["HS256"], issuer: "acme", sessionClaim: "sid", maximumSessionDays: 30 };
    const secret = "secret-of-the-login-in-these-tests";
    const registry = await start({ app: { identity: "jwt", jwt }, jwtSecrets: [secret], now: NEW_YEAR });
    const { SignJWT } = await import("jose");
    const authToken = await new SignJWT({ iss: "acme", sub: "anna", sid: "phone", iat: registry.now() / 1000 })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime(registry.now() / 1000 + 3600)
      .sign(new TextEncoder().encode(secret));
    expect(await post(registry, authToken, { fcmToken: "phone-of-anna" })).toBe(200);
    expect(await registry.tokensOf("anna")).toEqual(["phone-of-anna"]);
    await registry.advance(1);
    expect(await post(registry, authToken, { fcmToken: "phone-of-anna" })).toBe(401);
    await expect(registry.mint("anna")).rejects.toThrow("identity jwt");
  });

  it("has the compatibility date of a deploy", async ({ expect }) => {
    const wrangler = await readFile(join(PROJECT, "wrangler.toml"), "utf8");
    expect(wrangler).toContain(`compatibility_date = "${COMPATIBILITY_DATE}"`);
  });
});

describe("the clock of a registry for tests", () => {
  it("starts when it is told to, and runs on", async ({ expect }) => {
    const registry = await start({ now: new Date(NEW_YEAR) });
    const before = registry.now();
    await register(registry, "anna", "phone-of-anna");
    const { pushTokens } = await registry.call("GET", "/v3/users/anna/push_tokens");
    expect(before - NEW_YEAR).toBeLessThan(DAY_MS);
    expect(pushTokens[0].registeredAt).toBeGreaterThanOrEqual(before);
    expect(pushTokens[0].registeredAt).toBeLessThanOrEqual(registry.now());
  });

  it("expires a registration when its time is over, and no day earlier", async ({ expect }) => {
    const registry = await start({ now: NEW_YEAR });
    await register(registry, "anna", "phone-of-anna");
    await registry.advance(269);
    expect(await registry.tokensOf("anna")).toEqual(["phone-of-anna"]);
    await registry.advance(1);
    expect(await registry.tokensOf("anna")).toEqual([]);
  });

  it("rings every alarm at its time, of objects that nobody asked since", async ({ expect }) => {
    const registry = await start({ now: NEW_YEAR });
    await register(registry, "anna", "phone-of-anna");
    await registry.advance(290);
    const at = await expiredAt(registry, "anna");
    expect(at).toBeGreaterThanOrEqual(NEW_YEAR + 270 * DAY_MS);
    expect(at).toBeLessThan(NEW_YEAR + 272 * DAY_MS);
    await registry.advance(31);
    await expect(registry.call("GET", "/v3/users/anna/export")).rejects.toThrow("404 ERR_UID_NOT_FOUND");
  });

  it("lets an alarm ring by itself when it has come near it", async ({ expect }) => {
    const [first, second] = await Promise.all([start({ now: NEW_YEAR }), start({ now: NEW_YEAR })]);
    await Promise.all([first, second].map((registry) => register(registry, "anna", "phone-of-anna")));
    await first.advance(290);
    const at = (await expiredAt(first, "anna")) ?? 0;
    await second.advance((at - 60_000 - second.now()) / DAY_MS);
    expect(await expiredAt(second, "anna")).toBe(undefined);
    await second.advance((at - 1000 - second.now()) / DAY_MS);
    await expect.poll(() => expiredAt(second, "anna"), { interval: 100 }).toBeGreaterThanOrEqual(at);
    expect(second.now()).toBeGreaterThanOrEqual(at);
  });

  it("ends windows and auth tokens", async ({ expect }) => {
    const registry = await start({
      app: { takeovers: { perUserAndHour: 1 }, authTokens: { defaultSeconds: 7200, maximumSeconds: 7200 } },
    });
    await register(registry, "anna", "phone");
    await register(registry, "ben", "tablet");
    const { authToken } = await registry.call("POST", "/v3/users/eve/auth_tokens", {});
    expect(await post(registry, authToken, { fcmToken: "phone" })).toBe(200);
    expect(await post(registry, authToken, { fcmToken: "tablet" })).toBe(429);
    await registry.advance(1.1 / 24);
    expect(await post(registry, authToken, { fcmToken: "tablet" })).toBe(200);
    await registry.advance(1 / 24);
    expect(await post(registry, authToken, { fcmToken: "tablet" })).toBe(401);
  });

  it("does not go back", async ({ expect }) => {
    const registry = await start();
    for (const days of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(registry.advance(days)).rejects.toThrow(RangeError);
    }
  });
});

describe("what a registry for tests keeps", () => {
  it("is nothing after a reset, at the same address", async ({ expect }) => {
    for (const directory of [undefined, await temporary("testing")]) {
      const registry = await start({ now: NEW_YEAR, ...(directory === undefined ? {} : { directory }) });
      const { url } = registry;
      await register(registry, "anna", "phone-of-anna");
      await registry.advance(100);
      await registry.reset();
      expect(registry.url).toBe(url);
      expect(registry.now()).toBeLessThan(NEW_YEAR + DAY_MS);
      await expect(registry.call("GET", "/v3/users/anna/export")).rejects.toThrow("404");
      await register(registry, "ben", "phone-of-anna");
      expect(await registry.tokensOf("ben")).toEqual(["phone-of-anna"]);
    }
  });

  it("is in a folder of its own: a reset removes nothing else of the directory", async ({ expect }) => {
    const directory = await temporary("testing");
    for (const name of ["do", "cache"]) {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, "mine.txt"), "mine");
    }
    const registry = await start({ directory });
    await register(registry, "anna", "phone-of-anna");
    await registry.reset();
    expect((await readdir(directory)).sort()).toEqual(["cache", "do", "push-token-registry"]);
    for (const name of ["do", "cache"]) expect(await readdir(join(directory, name))).toEqual(["mine.txt"]);
  });

  it("goes on at a later start on the same directory: data, clock and alarms", async ({ expect }) => {
    const directory = await temporary("testing");
    const before = await startRegistry({ directory });
    await register(before, "anna", "phone-of-anna");
    await before.advance(100);
    const stoppedAt = before.now();
    await before.stop();
    const registry = await start({ directory });
    expect(registry.now()).toBeGreaterThanOrEqual(stoppedAt);
    await registry.advance(160);
    expect(await registry.tokensOf("anna")).toEqual(["phone-of-anna"]);
    await registry.advance(20);
    expect(await expiredAt(registry, "anna")).toBeLessThan(stoppedAt + 172 * DAY_MS);
  });

  it.for([
    "await registry.stop();",
    "process.exit();",
    'process.kill(process.pid, "SIGTERM"); await new Promise(() => {});',
  ])("is no file and no process after %s", async (end, { expect }) => {
    const folder = await temporary("testing");
    const TMPDIR = join(folder, "tmp");
    await mkdir(TMPDIR);
    const files = { bundle: inject("bundle"), statics: join(PROJECT, "public") };
    const program = `
        import { startWith } from ${JSON.stringify(join(PROJECT, "testing/registry.ts"))};
        const registry = await startWith(${JSON.stringify(files)}, {});
        await registry.mint("anna");
        console.log(registry.url);
        ${end}`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
      env: { ...process.env, TMPDIR },
    }).catch((error: { stdout: string }) => error);
    await expect(fetch(`${stdout.trim()}/health`)).rejects.toThrow("fetch failed");
    expect(await readdir(TMPDIR)).toEqual([]);
  });
});
