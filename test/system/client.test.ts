// public/client.js against the real server: what it sends, when, and what it makes of each answer.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, it } from "vitest";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import type { Registry } from "../../testing/types.ts";
import { turn } from "../support/node/clock.ts";
import { type BrowserOptions, FakeBrowser, type Fault } from "../support/node/fake-browser.ts";
import { startRegistry, UNLIMITED_APP } from "../support/node/testing.ts";
import { uniqueToken, uniqueUid } from "../support/unique.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let registry: Registry;

beforeAll(async () => {
  registry = await startRegistry({ app: UNLIMITED_APP });
});

afterAll(async () => {
  await registry?.stop();
});

/** A device with one page of the app, and a user who has logged in and is registered. */
async function registered(options: Partial<BrowserOptions> = {}) {
  const browser = new FakeBrowser({ url: registry.url, ...options });
  const uid = uniqueUid();
  const token = uniqueToken();
  browser.authToken = await registry.mint(uid);
  const page = browser.open();
  const result = await browser.clock.until(page.client.register({ fcmToken: token }));
  return { browser, page, uid, token, result };
}

const requests = ({ sent }: FakeBrowser) => sent.map(({ method, path }) => `${method} ${path}`);
const queueOf = ({ stored }: FakeBrowser) => JSON.parse(stored.get("push-token-registry:test") ?? "{}").queue;

describe("public/client.js", () => {
  it("has at most 4 KiB, compressed as servers do, and imports nothing", ({ expect }) => {
    const source = readFileSync(join(PROJECT, "public/client.js"));
    expect(gzipSync(source, { level: 9 }).byteLength).toBeLessThanOrEqual(4096);
    expect(source.toString()).not.toMatch(/^import|\bimport\(|\brequire\(/m);
  });
});

describe.for<Partial<BrowserOptions>>([
  { locks: true, storage: "synchronous" },
  { locks: false, storage: "synchronous" },
  { locks: false, storage: "asynchronous" },
])("the client with %o", (options) => {
  it("registers, refreshes at most once an hour, and logs out", async ({ expect }) => {
    const { browser, page, uid, token, result } = await registered(options);
    expect(result).toEqual({ ok: true, pending: 0 });
    expect(await registry.tokensOf(uid)).toEqual([token]);

    expect(await browser.clock.until(page.client.refresh())).toEqual({ ok: true, pending: 0 });
    await browser.clock.pass(59 * MINUTE);
    browser.close(page);
    const next = browser.open();
    await browser.clock.until(next.client.refresh());
    expect(requests(browser)).toEqual(["POST /v2/tokens"]);
    await browser.clock.pass(2 * MINUTE);
    await browser.clock.until(next.client.refresh());
    expect(requests(browser)).toEqual(["POST /v2/tokens", "POST /v2/tokens"]);

    expect(await browser.clock.until(next.client.logout())).toEqual({ ok: true, pending: 0 });
    expect(requests(browser).slice(2)).toEqual(["POST /v2/tokens/unregister", "DELETE /v3/me"]);
    expect(await registry.tokensOf(uid)).toEqual([]);
    // The session is over: not even its own auth token brings it back.
    expect(await browser.clock.until(next.client.register({ fcmToken: token }))).toMatchObject({
      reason: "logged_out",
    });
    expect(requests(browser)).toHaveLength(4);
  });

  it("sends one request for two tabs that launch at once", async ({ expect }) => {
    const { browser, page } = await registered(options);
    await browser.clock.pass(2 * HOUR);
    const other = browser.open();
    const both = Promise.all([page.client.refresh(), other.client.refresh()]);
    expect(await browser.clock.until(both)).toEqual(Array(2).fill({ ok: true, pending: 0 }));
    expect(requests(browser)).toHaveLength(2);
  });

  it("keeps an offline logout in the queue, over the page's end and the next user's login", async ({ expect }) => {
    const { browser, page, uid, token } = await registered(options);
    browser.isOnline = false;
    const loggedOut = await browser.clock.until(page.client.logout());
    expect(loggedOut).toEqual({ ok: false, reason: "queued", retrying: true, pending: 1 });
    browser.close(page);
    expect(await registry.tokensOf(uid)).toEqual([token]);

    const nextUid = uniqueUid();
    browser.authToken = await registry.mint(nextUid);
    const next = browser.open();
    const offline = await browser.clock.until(next.client.register({ fcmToken: token }));
    expect(offline).toMatchObject({ ok: false, reason: "network", retrying: true });
    browser.goOnline();
    await browser.clock.pass(HOUR);
    expect(await registry.tokensOf(uid)).toEqual([]);
    expect(await registry.tokensOf(nextUid)).toEqual([token]);
    expect(queueOf(browser)).toEqual([]);
  });

  it("empties the queue at the next start, without a call", async ({ expect }) => {
    const { browser, page, uid } = await registered(options);
    browser.isOnline = false;
    await browser.clock.until(page.client.logout());
    browser.close(page);
    browser.authToken = null;
    browser.isOnline = true;
    browser.open();
    await browser.clock.pass(MINUTE);
    expect(await registry.tokensOf(uid)).toEqual([]);
  });
});

describe("the client's logout", () => {
  it("keeps no auth token in the storage, for the ticket is enough", async ({ expect }) => {
    const { browser, page } = await registered();
    browser.isOnline = false;
    await browser.clock.until(page.client.logout());
    expect(queueOf(browser)).toEqual([{ id: expect.any(String), ticket: expect.any(String), end: true }]);
    expect(JSON.stringify([...browser.stored])).not.toContain(browser.authToken);
  });

  it("keeps the auth token where a reply was lost, until the session is over", async ({ expect }) => {
    const browser = new FakeBrowser({ url: registry.url });
    const uid = uniqueUid();
    browser.authToken = await registry.mint(uid);
    const page = browser.open();
    browser.faults = ["lost"];
    await browser.clock.until(page.client.register({ fcmToken: uniqueToken() }));
    expect(await registry.tokensOf(uid)).toHaveLength(1);
    browser.isOnline = false;
    await browser.clock.until(page.client.logout());
    browser.close(page);
    expect(queueOf(browser)).toMatchObject([{ auth: browser.authToken }]);
    browser.authToken = null;
    browser.isOnline = true;
    browser.open();
    await browser.clock.pass(MINUTE);
    expect(await registry.tokensOf(uid)).toEqual([]);
    expect(queueOf(browser)).toEqual([]);
  });

  it("lets a ticket go after a 200 or a 400 only", async ({ expect }) => {
    for (const fault of ["lost", 503, "done-503", 429] as Fault[]) {
      const { browser, page, uid } = await registered();
      browser.faults = [fault, "cut"];
      expect(await browser.clock.until(page.client.logout())).toMatchObject({ ok: false, pending: 1 });
      expect(queueOf(browser)).toMatchObject([{ ticket: expect.any(String) }]);
      await browser.clock.pass(HOUR);
      expect(queueOf(browser)).toEqual([]);
      expect(await registry.tokensOf(uid)).toEqual([]);
    }
    const { browser, page } = await registered();
    const key = "push-token-registry:test";
    const broken = JSON.parse(browser.stored.get(key) ?? "");
    browser.stored.set(key, JSON.stringify({ ...broken, state: { ...broken.state, ticket: "no-ticket" } }));
    expect(await browser.clock.until(page.client.logout())).toEqual({ ok: true, pending: 0 });
  });

  it("ends the session that it was called for, though the app has the next auth token at once", async ({ expect }) => {
    const { browser, page, uid, token } = await registered();
    const nextUid = uniqueUid();
    const next = await registry.mint(nextUid);
    const leaving = page.client.logout();
    browser.authToken = next;
    const coming = page.client.register({ fcmToken: token });
    expect(await browser.clock.until(leaving)).toMatchObject({ ok: true });
    expect(await browser.clock.until(coming)).toMatchObject({ ok: true });
    expect(await registry.tokensOf(uid)).toEqual([]);
    expect(await registry.tokensOf(nextUid)).toEqual([token]);
  });

  it("ends no session where it cannot tell whose auth token it got", async ({ expect }) => {
    const { browser, page, uid } = await registered();
    browser.close(page);
    const nextUid = uniqueUid();
    browser.authToken = await registry.mint(nextUid);
    const reloaded = browser.open();
    expect(await browser.clock.until(reloaded.client.logout())).toMatchObject({ ok: true });
    expect(await registry.tokensOf(uid)).toEqual([]);
    expect(requests(browser)).not.toContain("DELETE /v3/me");
    expect(await browser.clock.until(reloaded.client.register({ fcmToken: uniqueToken() }))).toMatchObject({
      ok: true,
    });
  });

  it("ends the session after a reload too, so that nothing of it arrives late", async ({ expect }) => {
    const { browser, page, uid, token } = await registered();
    browser.close(page);
    const { authToken } = browser;
    const leaving = browser.open().client.logout();
    browser.authToken = null;
    expect(await browser.clock.until(leaving)).toEqual({ ok: true, pending: 0 });
    expect(requests(browser).at(-1)).toBe("DELETE /v3/me");
    const late = { method: "POST", headers: { appId: "test", authToken: authToken ?? "" } };
    const { status } = await fetch(`${registry.url}/v2/tokens`, { ...late, body: JSON.stringify({ fcmToken: token }) });
    expect(status).toBe(401);
    expect(await registry.tokensOf(uid)).toEqual([]);
  });

  it("removes what a registration brings that was under way, in this tab and in another", async ({ expect }) => {
    for (const isOther of [false, true]) {
      const { browser, page, uid } = await registered();
      const leaver = isOther ? browser.open() : page;
      const coming = page.client.register({ fcmToken: uniqueToken() });
      await turn();
      await browser.clock.until(Promise.all([coming, leaver.client.logout()]));
      await browser.clock.pass(HOUR);
      expect(await coming).toMatchObject({ ok: false });
      expect(await registry.tokensOf(uid)).toEqual([]);
      expect(queueOf(browser)).toEqual([]);
    }
  });

  it("sends the ticket too that another tab's registration brings after it", async ({ expect }) => {
    const browser = new FakeBrowser({ url: registry.url });
    browser.authToken = await registry.mint(uniqueUid());
    const coming = browser.open().client.register({ fcmToken: uniqueToken() });
    await turn();
    const leaving = browser.open().client.logout();
    await browser.clock.until(Promise.all([coming, leaving]));
    expect(requests(browser).sort()).toEqual(["DELETE /v3/me", "POST /v2/tokens", "POST /v2/tokens/unregister"]);
    expect(queueOf(browser)).toEqual([]);
  });

  it("sends a beacon while its page is being closed, and keeps the ticket all the same", async ({ expect }) => {
    const { browser, page, uid } = await registered();
    page.dispatch("pagehide");
    page.client.logout().catch(() => {});
    await turn();
    expect(browser.beacons).toHaveLength(1);
    expect(queueOf(browser)).toMatchObject([{ ticket: browser.beacons[0] }]);
    browser.close(page);
    await browser.clock.pass(MINUTE);
    expect(await registry.tokensOf(uid)).toEqual([]);
  });

  it("works without a storage, as long as the page lives", async ({ expect }) => {
    for (const storage of ["forbidden", "full"] as const) {
      const { browser, page, uid, result } = await registered({ storage });
      expect(result).toEqual({ ok: true, pending: 0 });
      browser.isOnline = false;
      expect(await browser.clock.until(page.client.logout())).toMatchObject({ reason: "queued", pending: 1 });
      browser.goOnline();
      await browser.clock.pass(HOUR);
      expect(await registry.tokensOf(uid)).toEqual([]);
    }
  });
});

describe("the client's requests", () => {
  it("follow Retry-After, with jitter, and end with the first that succeeds", async ({ expect }) => {
    const waits = new Set<number>();
    for (let n = 0; n < 5; n++) {
      const { browser, page } = await registered();
      browser.faults = [429];
      const refused = await browser.clock.until(page.client.register({ fcmToken: uniqueToken() }));
      expect(refused).toMatchObject({ ok: false, reason: "unavailable", status: 429, retrying: true });
      // Whoever asks earlier gets the answer without a request.
      await browser.clock.until(page.client.register({ fcmToken: uniqueToken() }));
      await browser.clock.pass(HOUR);
      const [, first, second, ...more] = browser.sent;
      const wait = (second?.at ?? 0) - (first?.at ?? 0);
      expect(wait).toBeGreaterThanOrEqual(20_000);
      expect(wait).toBeLessThanOrEqual(25_000);
      expect(more).toEqual([]);
      waits.add(wait);
    }
    expect(waits.size).toBeGreaterThan(1);
  });

  it("come at longer and longer intervals while there is no network, 5 minutes at most", async ({ expect }) => {
    const { browser, page } = await registered();
    browser.isOnline = false;
    await browser.clock.until(page.client.register({ fcmToken: uniqueToken() }));
    await browser.clock.pass(HOUR);
    const times = browser.sent.slice(1).map(({ at }) => at);
    const gaps = times.slice(1).map((at, n) => at - (times[n] ?? 0));
    expect(gaps.length).toBeLessThan(60);
    expect(gaps.every((gap, n) => gap >= Math.min(150_000, 500 * 2 ** n) && gap <= 300_000)).toBe(true);
  });

  it("are not repeated after a 401, until there is another auth token", async ({ expect }) => {
    const { browser, page, uid, token } = await registered();
    await registry.call("DELETE", `/v3/users/${uid}/sessions`);
    const refused = await browser.clock.until(page.client.register({ fcmToken: token }));
    expect(refused).toMatchObject({ ok: false, reason: "unauthorized", status: 401, retrying: false });
    await browser.clock.pass(30 * MINUTE);
    expect(await browser.clock.until(page.client.refresh())).toMatchObject({ reason: "unauthorized" });
    expect(browser.sent).toHaveLength(2);
    browser.authToken = await registry.mint(uid);
    expect(await browser.clock.until(page.client.refresh())).toEqual({ ok: true, pending: 0 });
    expect(await registry.tokensOf(uid)).toEqual([token]);
  });

  it("give up after 10 s without a reply", async ({ expect }) => {
    const { browser, page } = await registered();
    const begun = browser.clock.now;
    browser.faults = ["hang"];
    expect(await browser.clock.until(page.client.register({ fcmToken: uniqueToken() }))).toMatchObject({
      reason: "network",
    });
    expect(browser.clock.now - begun).toBe(10_000);
  });

  it("go on after the clock was set back", async ({ expect }) => {
    const { browser, page } = await registered({ locks: false });
    browser.faults = [429];
    browser.clockSkew = 48 * HOUR;
    await browser.clock.until(page.client.register({ fcmToken: uniqueToken() }));
    browser.clockSkew = -48 * HOUR;
    expect(await browser.clock.until(page.client.refresh())).toEqual({ ok: true, pending: 0 });
    expect(browser.sent).toHaveLength(3);
  });

  it("do not wait for a lease that was taken before the clock was set back", async ({ expect }) => {
    const { browser, page } = await registered({ locks: false });
    const until = browser.clock.now + 48 * HOUR;
    browser.stored.set("push-token-registry:test:lease", JSON.stringify({ id: "gone", until }));
    const begun = browser.clock.now;
    expect(await browser.clock.until(page.client.register({ fcmToken: uniqueToken() }))).toMatchObject({ ok: true });
    expect(browser.clock.now - begun).toBeLessThan(1000);
  });

  it("end with the last token, when it changes while a request is under way", async ({ expect }) => {
    const { browser, page, uid } = await registered();
    const last = uniqueToken();
    const first = page.client.register({ fcmToken: uniqueToken() });
    await turn();
    await browser.clock.until(Promise.all([first, page.client.register({ fcmToken: last })]));
    expect(await registry.tokensOf(uid)).toEqual([last]);
  });

  it("name all tokens of the device, so that one ticket covers them, and merge what is known of it", async ({
    expect,
  }) => {
    const { browser, page, token } = await registered();
    await browser.clock.until(page.client.register({ voipToken: "aa".repeat(32), device: { name: "iPhone" } }));
    await browser.clock.until(page.client.register({ device: { os: "26" } }));
    expect(JSON.parse(browser.sent.at(-1)?.body ?? "")).toEqual({
      fcmToken: token,
      voipToken: "aa".repeat(32),
      device: { name: "iPhone", os: "26" },
    });
  });

  it("have their refusals answered as values, field by field", async ({ expect }) => {
    const { browser, page, token } = await registered();
    expect(await browser.clock.until(page.client.register({ fcmToken: "two words" }))).toMatchObject({
      ok: false,
      reason: "rejected",
      code: "ERR_BAD_REQUEST",
      details: { fcmToken: [expect.any(String)] },
    });
    expect(await browser.clock.until(page.client.register({ fcmToken: token, voipToken: "two words" }))).toEqual({
      ok: true,
      refused: { voipToken: "invalid" },
      pending: 0,
    });
    browser.authToken = null;
    expect(await browser.clock.until(page.client.register({ fcmToken: token }))).toEqual({
      ok: false,
      reason: "no_auth_token",
      retrying: false,
      pending: 0,
    });
  });
});
