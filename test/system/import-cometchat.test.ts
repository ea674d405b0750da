// `npm run import -- --from cometchat-api` against the fake CometChat: what it brings, at which pace, and what it tells nobody.
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, inject, it, onTestFinished } from "vitest";
import { serve } from "../../scripts/lib/workerd.ts";
import { sha256 } from "../../src/durable/names.ts";
import { API_KEYS, COMETCHAT_REGIONS, testBindings } from "../support/apps.ts";
import { FakeCometChat } from "../support/fake-cometchat.ts";
import { FAKE_API_KEY } from "../support/fake-cometchat-rest.ts";
import { command, directory } from "../support/node/estate.ts";
import { serveFetch } from "../support/node/fetch-server.ts";

const APP = "chat";
const REST_HOST = `${APP}.api-us.cometchat.io`;
const CLIENT_HOST = `${APP}.apiclient-us.cometchat.io`;
const PUSH_PATH = "/notifications/push/v1/tokens";
const ARGS = ["--from", "cometchat-api", "--yes", "--json"];

interface Device {
  uid: string;
  authToken: string;
  token: string;
}

/** A registry, CometChat behind it, and the command's environment. */
async function start({ usersPerPage = 1000 } = {}) {
  const cometchat = new FakeCometChat({ apps: COMETCHAT_REGIONS, usersPerPage });
  const upstream = await serveFetch((request) => cometchat.fetch(request));
  // The command is told of an address of this machine.
  const rest = await serveFetch((request) => {
    const { pathname, search } = new URL(request.url);
    return cometchat.fetch(new Request(`https://${REST_HOST}${pathname}${search}`, request));
  });
  const server = await serve({ bundle: inject("bundle"), bindings: testBindings, outbound: upstream.address });
  onTestFinished(async () => {
    await server.stop();
    await Promise.all([upstream.stop(), rest.stop()]);
  });
  const cwd = await directory();
  const file = join(cwd, "found.ndjson");
  const env = {
    REGISTRY_URL: server.url,
    REGISTRY_APP_ID: APP,
    REGISTRY_API_KEY: API_KEYS.fullAccess,
    COMETCHAT_APP_ID: APP,
    COMETCHAT_REGION: "us",
    COMETCHAT_API_KEY: FAKE_API_KEY,
    COMETCHAT_URL: `http://${rest.address}/v3`,
  };

  /** A device on which the app uses CometChat alone. */
  async function device(uid: string, token: string, platform = "fcm_android", of?: string): Promise<Device> {
    const authToken = cometchat.issue(APP, uid, of);
    const field = platform.startsWith("fcm") ? "fcmToken" : "deviceToken";
    await cometchat.fetch(
      new Request(`https://${CLIENT_HOST}/v3.0${PUSH_PATH}`, {
        method: "POST",
        headers: { appid: APP, authtoken: authToken },
        body: JSON.stringify({ providerId: "main", platform, [field]: token }),
      }),
    );
    return { uid, authToken, token };
  }
  const client = ({ authToken }: Device, method: string, path: string, body?: object) =>
    fetch(`${server.url}${path}`, {
      method,
      headers: { appid: APP, authtoken: authToken, sdk: "android@4.0.10", "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  /** What the registry holds for a user: tokens by session. */
  async function held(uid: string): Promise<Record<string, string>> {
    const headers = { appId: APP, apikey: API_KEYS.fullAccess };
    const reply = await fetch(`${server.url}/v3/users/${uid}/push_tokens`, { headers });
    const { data } = (await reply.json()) as { data: { pushTokens: { sessionId: string; token: string }[] } };
    return Object.fromEntries(data.pushTokens.map(({ sessionId, token }) => [sessionId, token]));
  }
  const run = (args: string[] = [], more: Record<string, string> = {}, into = file) =>
    command([...ARGS, "--repeats", "2", ...args, into], { ...env, ...more });
  return { cometchat, device, client, held, run, cwd, file, env };
}

const asked = (cometchat: FakeCometChat, path: string) => cometchat.count({ host: REST_HOST, path: `/v3${path}` });

describe("npm run import, from CometChat itself", { timeout: 120_000 }, () => {
  it("brings each push token into the slot that its device uses here", async ({ expect }) => {
    const { cometchat, device, client, held, run, cwd } = await start();
    const phone = await device("ann", "fcm-ann-phone");
    const pad = await device("ann", "aabb".padEnd(64, "0"), "apns_ios_device");
    const ben = await device("ben", "fcm-ben");
    await device("cem", "pigeon-1", "fcm_carrier_pigeon");
    cometchat.issue(APP, "nobody");
    const { code, out } = await run().ended;
    expect([code, JSON.parse(out).outcomes]).toEqual([0, { imported: 3, skipped: 1 }]);
    const sessions = await Promise.all([phone, pad].map(({ authToken }) => sha256(authToken)));
    expect(await held("ann")).toEqual({ [sessions[0] ?? ""]: phone.token, [sessions[1] ?? ""]: pad.token });
    expect(await readdir(cwd)).toEqual([]);

    // The launch finds its slot, and the logout takes it.
    expect((await client(phone, "POST", "/v2/tokens", { fcmToken: phone.token })).status).toBe(200);
    expect(Object.keys(await held("ann")).sort()).toEqual([...sessions].sort());
    expect((await client(phone, "DELETE", "/v3.0/me")).status).toBe(200);
    expect(await held("ann")).toEqual({ [sessions[1] ?? ""]: pad.token });

    // Were it listed there still, and seen later: its session has ended here.
    await device("ann", phone.token, "fcm_android", phone.authToken);
    await device("dan", "fcm-dan");
    const again = await run().ended;
    expect(JSON.parse(again.out).outcomes).toEqual({ already: 2, ended: 1, imported: 1, skipped: 1 });
    expect(await held("ann")).toEqual({ [sessions[1] ?? ""]: pad.token });
    expect(Object.values(await held("ben"))).toEqual([ben.token]);
  });

  it("tells no auth token and no key: not on its streams, nor in any file", async ({ expect }) => {
    const { cometchat, device, run, cwd, file } = await start();
    const devices = await Promise.all(["ann", "ben"].map((uid) => device(uid, `fcm ${uid}`)));
    cometchat.fail({
      path: `/v3${PUSH_PATH}`,
      times: 1,
      status: 500,
      body: { error: { message: devices[0]?.authToken } },
    });
    const dry = await run(["--dry-run"]).ended;
    expect(dry.code).toBe(0);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const [one, two] = [dry, await run().ended];
    const files = (await readdir(cwd)).sort();
    expect(files).toEqual(["found.ndjson", "found.ndjson.rejects.ndjson"]);
    const texts = await Promise.all(files.map((name) => readFile(join(cwd, name), "utf8")));
    const all = [...texts, one.out, one.errors, two.out, two.errors].join("\n");
    expect(JSON.parse(two.out).outcomes).toEqual({ rejected: 2 });
    for (const secret of [FAKE_API_KEY, ...devices.map(({ authToken }) => authToken)])
      expect(all).not.toContain(secret);
    const [, rejects] = texts;
    expect(rejects).not.toMatch(/fcm ann|"uid"/);
  });

  it("waits where CometChat says so, and asks for what failed again", async ({ expect }) => {
    const { cometchat, device, held, run } = await start();
    for (let n = 0; n < 30; n += 1) await device(`user-${n}`, `fcm-${n}`);
    cometchat.fail({ path: `/v3${PUSH_PATH}`, times: 2, status: 429, headers: { "retry-after": "3" }, body: {} });
    cometchat.fail({ path: "/v3/users/user-7/auth_tokens", times: 1, status: 502, body: "bad gateway" });
    cometchat.fail({
      path: "/v3/users/user-9/auth_tokens",
      status: 404,
      body: { error: { code: "ERR_UID_NOT_FOUND", message: "gone" } },
    });
    const { code, out, errors } = await run().ended;
    expect([code, JSON.parse(out).outcomes]).toEqual([0, { imported: 29 }]);
    expect(errors).toContain("CometChat asks to wait: 3 s.");
    const [first, ...later] = cometchat.received({ host: REST_HOST, path: `/v3${PUSH_PATH}` });
    // What was refused, and whatever had not set out when that was heard, came after the wait.
    expect((later.at(-1)?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(2_900);
    expect(later).toHaveLength(29 + 2 - 1);
    expect(Object.values(await held("user-7"))).toEqual(["fcm-7"]);
  });

  it("says how what was not taken is sent, and that way works", async ({ expect }) => {
    const { device, run, file, env } = await start();
    await device("ann", "fcm ann");
    const { code, errors } = await run().ended;
    const way = `--from cometchat ${file}`;
    expect([code, errors]).toEqual([0, expect.stringContaining(`${way} sends what is left`)]);
    expect(errors).toContain("Delete it before the next --from cometchat-api.");
    expect(await run().ended).toMatchObject({ code: 2 });
    const left = await command([...way.split(" "), "--yes", "--json"], env).ended;
    expect(JSON.parse(left.out).outcomes).toEqual({ rejected: 1 });
    await rm(file);
    expect(await run().ended).toMatchObject({ code: 0 });
  });

  it("asks no more often than it was told", async ({ expect }) => {
    const { cometchat, device, run } = await start();
    for (let n = 0; n < 10; n += 1) await device(`user-${n}`, `fcm-${n}`);
    const startedAt = Date.now();
    // A call each 150 ms.
    expect(await run(["--cometchat-rate", "400"]).ended).toMatchObject({ code: 0 });
    const times = cometchat.received({ host: REST_HOST }).map(({ at }) => at);
    expect(times).toHaveLength(1 + 10 + 10);
    // Since before the first one: it may have come here late.
    expect((times.at(-1) ?? 0) - startedAt).toBeGreaterThan(20 * 150 - 10);
  });

  it("goes on after kill -9 with the page that it had not finished", async ({ expect }) => {
    const { cometchat, device, held, run, cwd, file } = await start({ usersPerPage: 10 });
    for (let n = 0; n < 60; n += 1) await device(`user-${n}`, `fcm-${n}`);
    // In which page it waits in vain, and is killed: between two, and in the middle of one.
    for (const [path, times] of [
      ["/users", 2],
      ["/users/user-25/auth_tokens", 0],
      ["/users/user-47/auth_tokens", 0],
    ] as const) {
      const before = asked(cometchat, path);
      if (times > 0) cometchat.fail({ path: `/v3${path}`, times });
      cometchat.fail({ path: `/v3${path}`, isHeld: true });
      const { child, ended } = run();
      while (child.exitCode === null && asked(cometchat, path) <= before + times) await wait(5);
      child.kill("SIGKILL");
      expect(await ended).toMatchObject({ code: null });
      cometchat.heal({ path: `/v3${path}` });
      expect(await readFile(`${file}.import-checkpoint.json`, "utf8")).not.toMatch(/user-|fcm-/);
    }
    const { code, out } = await run().ended;
    expect([code, JSON.parse(out).outcomes]).toEqual([0, { imported: 60 }]);
    // 6 pages, and at most one of them again for each kill.
    expect(asked(cometchat, "/users")).toBeLessThanOrEqual(6 + 3);
    for (const n of [0, 29, 59]) expect(Object.values(await held(`user-${n}`))).toEqual([`fcm-${n}`]);
    expect(await readdir(cwd)).toEqual([]);
  });

  it("ends at once when CometChat stays away, and goes on later", async ({ expect }) => {
    const { cometchat, device, run } = await start();
    for (let n = 0; n < 40; n += 1) await device(`user-${n}`, `fcm-${n}`);
    const path = `/v3${PUSH_PATH}`;
    cometchat.fail({ path, status: 503, body: "away" });
    const { code, errors } = await run().ended;
    expect([code, errors]).toEqual([1, expect.stringContaining("CometChat answered 503")]);
    // Those under way, each as often as it was told; the others were not begun.
    expect(asked(cometchat, PUSH_PATH)).toBeLessThanOrEqual(16 * 3);
    cometchat.heal({ path });
    expect(JSON.parse((await run().ended).out).outcomes).toEqual({ imported: 40 });
  });

  it("credits nobody with what CometChat says is another user's, and names no user", async ({ expect }) => {
    const { cometchat, device, run, file } = await start();
    const phone = await device("ann", "fcm-ann");
    cometchat.listFor(APP, phone.authToken, "ben-of-elsewhere");
    const { code, out, errors } = await run().ended;
    expect([code, errors]).toEqual([1, expect.stringContaining("CometChat answered for another user")]);
    expect(`${out}${errors}`).not.toMatch(/ann|ben/);
    expect(await readFile(file, "utf8")).toBe("");

    // Uids have no case there.
    cometchat.listFor(APP, phone.authToken, "Ann");
    expect(JSON.parse((await run().ended).out).outcomes).toEqual({ imported: 1 });
  });

  it("says what is missing or refused, and overwrites no file of yours", async ({ expect }) => {
    const { run, file } = await start();
    expect(await run([], { COMETCHAT_API_KEY: "" }).ended).toMatchObject({
      code: 2,
      errors: expect.stringContaining("COMETCHAT_API_KEY is needed in the environment"),
    });
    expect(await run([], { COMETCHAT_URL: "chat.example.com/v3" }).ended).toMatchObject({
      code: 2,
      errors: expect.stringContaining("COMETCHAT_URL must be an http or https URL"),
    });
    expect(await run([], { COMETCHAT_API_KEY: "wrong" }).ended).toMatchObject({
      code: 1,
      errors: expect.stringContaining("CometChat answered 401: AUTH_ERR_APIKEY_NOT_FOUND"),
    });
    expect(await run([], { COMETCHAT_APP_ID: "another" }).ended).toMatchObject({
      code: 2,
      errors: expect.stringContaining("is of another app"),
    });
    const mine = `${file}.mine`;
    await writeFile(mine, "mine");
    expect(await run([], {}, mine).ended).toMatchObject({
      code: 2,
      errors: expect.stringContaining("is there already"),
    });
    expect(await readFile(mine, "utf8")).toBe("mine");
  });
});

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
