// public/client.js in Chromium: real tabs, a real localStorage, real Web Locks, and a network that is cut.
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server as PageServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, it, onTestFinished } from "vitest";
import type { Registration, Result } from "../../public/client.d.ts";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import type { Registry } from "../../testing/types.ts";
import { startRegistry, UNLIMITED_APP } from "../support/node/testing.ts";
import { uniqueToken, uniqueUid } from "../support/unique.ts";

let registry: Registry;
let pages: PageServer;
let browser: Browser;

const APP_PAGE = (url: string) => `<!doctype html><link rel="icon" href="data:,"><script type="module">
  import { createRegistration } from "/client.js";
  const options = { url: "${url}", appId: "test", getAuthToken: () => localStorage.getItem("authToken") };
  globalThis.registration = createRegistration(options);
</script>`;

interface AppGlobals {
  registration: Registration;
  localStorage: { getItem(key: string): string | null; setItem(key: string, text: string): void };
  navigator: { locks?: object };
}

beforeAll(async () => {
  registry = await startRegistry({ app: UNLIMITED_APP });
  const client = await readFile(join(PROJECT, "public/client.js"));
  pages = createServer((request, response) => {
    if (request.url === "/client.js") response.setHeader("content-type", "text/javascript").end(client);
    else response.setHeader("content-type", "text/html").end(APP_PAGE(registry.url));
  });
  pages.listen(0, "127.0.0.1");
  await once(pages, "listening");
  const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) throw new Error(`There is no Chromium at ${executablePath}.`);
  const args = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP app.test 127.0.0.1"];
  browser = await chromium.launch({ executablePath, args });
});

afterAll(async () => {
  await browser?.close();
  pages?.close();
  await registry?.stop();
});

/** A browser profile with one tab of the app, and what it sent to the registry. */
class Device {
  readonly context: BrowserContext;
  readonly sent: string[] = [];
  readonly #origin: string;

  constructor(context: BrowserContext, host: string) {
    this.context = context;
    this.#origin = `http://${host}:${(pages.address() as AddressInfo).port}`;
    context.on("request", (request) => {
      const { origin, pathname } = new URL(request.url());
      if (origin === registry.url) this.sent.push(`${request.method()} ${pathname}`);
    });
  }

  async open(): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(this.#origin);
    await page.waitForFunction(() => "registration" in globalThis);
    return page;
  }
}

async function device(host: string): Promise<Device> {
  const context = await browser.newContext();
  // Nearly as long as a test may take: a slow machine is no fault.
  context.setDefaultTimeout(50_000);
  onTestFinished(() => context.close());
  return new Device(context, host);
}

async function logIn(page: Page, uid: string): Promise<void> {
  const authToken = await registry.mint(uid);
  await page.evaluate(
    (text) => (globalThis as unknown as AppGlobals).localStorage.setItem("authToken", text),
    authToken,
  );
}

const register = (page: Page, fcmToken: string): Promise<Result> =>
  page.evaluate((token) => (globalThis as unknown as AppGlobals).registration.register({ fcmToken: token }), fcmToken);
const call = (page: Page, name: "refresh" | "logout"): Promise<Result> =>
  page.evaluate((called) => (globalThis as unknown as AppGlobals).registration[called](), name);

/** Until the queue is empty and what the app wants is confirmed. */
async function atRest(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const text = (globalThis as unknown as AppGlobals).localStorage.getItem("push-token-registry:test");
    const { queue, state } = JSON.parse(text ?? "{}");
    return queue.length === 0 && (state === undefined || state.done);
  });
}

// `app.test` is no secure context: there are no Web Locks, and tabs take turns by the lease.
describe.for([
  { host: "localhost", hasLocks: true },
  { host: "app.test", hasLocks: false },
])("the client in Chromium at http://$host", ({ host, hasLocks }) => {
  it("registers, reloads, refreshes its token, lives in two tabs, and logs out", async ({ expect }) => {
    const phone = await device(host);
    const { sent } = phone;
    const page = await phone.open();
    expect(await page.evaluate(() => (globalThis as unknown as AppGlobals).navigator.locks !== undefined)).toBe(
      hasLocks,
    );
    const uid = uniqueUid();
    const [first, second] = [uniqueToken(), uniqueToken()];
    await logIn(page, uid);
    expect(await register(page, first)).toEqual({ ok: true, pending: 0 });
    expect(await registry.tokensOf(uid)).toEqual([first]);

    await page.reload();
    await page.waitForFunction(() => "registration" in globalThis);
    expect(await call(page, "refresh")).toEqual({ ok: true, pending: 0 });
    expect(sent).toEqual(["POST /v2/tokens"]);

    expect(await register(page, second)).toEqual({ ok: true, pending: 0 });
    expect(await registry.tokensOf(uid)).toEqual([second]);

    const other = await phone.open();
    const both = await Promise.all([call(page, "refresh"), call(other, "refresh"), register(other, second)]);
    expect(both).toEqual(Array(3).fill({ ok: true, pending: 0 }));
    expect(await registry.tokensOf(uid)).toEqual([second]);

    expect(await call(page, "logout")).toEqual({ ok: true, pending: 0 });
    expect(await registry.tokensOf(uid)).toEqual([]);
    const before = sent.length;
    expect(await call(other, "refresh")).toEqual({ ok: true, pending: 0 });
    expect(sent).toHaveLength(before);
  });

  it("logs out offline; the next user's registration stands when the network is back, and the first one's is gone", async ({
    expect,
  }) => {
    const phone = await device(host);
    const page = await phone.open();
    const [anna, ben] = [uniqueUid(), uniqueUid()];
    const token = uniqueToken();
    await logIn(page, anna);
    await register(page, token);

    await phone.context.setOffline(true);
    expect(await call(page, "logout")).toMatchObject({ ok: false, reason: "queued", pending: 1 });
    await logIn(page, ben);
    expect(await register(page, token)).toMatchObject({ ok: false, reason: "network", pending: 1 });
    expect(await registry.tokensOf(anna)).toEqual([token]);

    await phone.context.setOffline(false);
    await atRest(page);
    expect(await registry.tokensOf(anna)).toEqual([]);
    expect(await registry.tokensOf(ben)).toEqual([token]);
  });

  it("sends at the next user's start what a closed page had queued, and takes nothing from that user", async ({
    expect,
  }) => {
    const phone = await device(host);
    const page = await phone.open();
    const [anna, ben] = [uniqueUid(), uniqueUid()];
    const [hers, his] = [uniqueToken(), uniqueToken()];
    await logIn(page, anna);
    await register(page, hers);
    await phone.context.setOffline(true);
    await call(page, "logout");
    await page.close();

    await phone.context.setOffline(false);
    const next = await phone.open();
    await atRest(next);
    expect(await registry.tokensOf(anna)).toEqual([]);
    await logIn(next, ben);
    expect(await register(next, his)).toEqual({ ok: true, pending: 0 });
    expect(await registry.tokensOf(ben)).toEqual([his]);
  });

  it("gets a logout through whose page is closed at once", async ({ expect }) => {
    const phone = await device(host);
    const page = await phone.open();
    const uid = uniqueUid();
    await logIn(page, uid);
    await register(page, uniqueToken());
    await page.evaluate(() => void (globalThis as unknown as AppGlobals).registration.logout());
    await page.close();
    const next = await phone.open();
    await atRest(next);
    expect(await registry.tokensOf(uid)).toEqual([]);
  });
});
