// The service worker of docs/client.md, as it stands there, in Chromium: a real IndexedDB, and the event `sync` as the browser
// dispatches it.
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server as PageServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type Browser, type BrowserContext, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, it, onTestFinished } from "vitest";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import type { Registry } from "../../testing/types.ts";
import { startRegistry, UNLIMITED_APP } from "../support/node/testing.ts";
import { uniqueToken, uniqueUid } from "../support/unique.ts";

let registry: Registry;
let pages: PageServer;
let origin: string;
let browser: Browser;
/** The network between the device and the registry, for pages and workers alike. */
let isCut = false;

/** The page of the app, another page that only reads what is stored, and their scripts. */
async function files(): Promise<Record<string, string>> {
  const page = await readFile(join(PROJECT, "docs/client.md"), "utf8");
  const blocks = [...page.matchAll(/^```js\n\/\/ (storage\.js|sw\.js|the page)\n([\s\S]*?)^```$/gm)];
  const code = Object.fromEntries(blocks.map(([, name = "", block = ""]) => [name, block]));
  const given = `const url = location.origin, appId = "test", getAuthToken = () => globalThis.authToken ?? null;`;
  const html = (script: string) =>
    `<!doctype html><link rel="icon" href="data:,"><script type="module">${script}</script>`;
  return {
    "/": html(`${given}\n${code["the page"]}\nObject.assign(globalThis, { registration, logout });`),
    "/reader": html(`import { indexedDbStorage } from "./storage.js";
      globalThis.queue = async () => {
        return JSON.parse((await indexedDbStorage.getItem("push-token-registry:test")) ?? "{}").queue;
      };
      globalThis.emptied = async () => {
        while ((await queue()).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      };`),
    "/sw.js": `${given}\n${code["sw.js"]}`,
    "/storage.js": code["storage.js"] ?? "",
    "/client.js": await readFile(join(PROJECT, "public/client.js"), "utf8"),
  };
}

async function forwarded({ method = "GET", url, headers }: IncomingMessage, body: string): Promise<Response> {
  const names = ["appid", "authtoken", "content-type"].filter((name) => headers[name] !== undefined);
  const sent = Object.fromEntries(names.map((name) => [name, String(headers[name])]));
  return fetch(`${registry.url}${url}`, { method, headers: sent, body: body === "" ? null : body });
}

beforeAll(async () => {
  registry = await startRegistry({ app: UNLIMITED_APP });
  const served = await files();
  pages = createServer(async (request, response) => {
    const file = served[request.url ?? ""];
    if (file !== undefined) {
      const type = request.url?.endsWith(".js") ? "text/javascript" : "text/html";
      response.setHeader("content-type", type).end(file);
    } else if (isCut) request.socket.destroy();
    else {
      const reply = await forwarded(request, await text(request));
      response.writeHead(reply.status, { "content-type": "application/json" }).end(await reply.text());
    }
  });
  pages.listen(0, "127.0.0.1");
  await once(pages, "listening");
  origin = `http://localhost:${(pages.address() as AddressInfo).port}`;
  const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) throw new Error(`There is no Chromium at ${executablePath}.`);
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
});

afterAll(async () => {
  await browser?.close();
  pages?.close();
  await registry?.stop();
});

/** A page without the app, which tells the browser what to do with the service worker. */
async function reader(context: BrowserContext) {
  const page = await context.newPage();
  await page.goto(`${origin}/reader`);
  await page.waitForFunction("globalThis.queue");
  const tools = await context.newCDPSession(page);
  const registered = new Promise<string>((resolve) => {
    tools.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
      const found = registrations.find(({ scopeURL }) => scopeURL === `${origin}/`);
      if (found !== undefined) resolve(found.registrationId);
    });
  });
  await tools.send("ServiceWorker.enable");
  const registrationId = await registered;
  return {
    page,
    stopWorker: () => tools.send("ServiceWorker.stopAllWorkers"),
    sync: () =>
      tools.send("ServiceWorker.dispatchSyncEvent", { origin, registrationId, tag: "registration", lastChance: false }),
  };
}

describe("Background Sync with the service worker of docs/client.md", () => {
  it("sends the ticket of an app that was closed offline, without a page of the app", async ({ expect }) => {
    const context = await browser.newContext();
    onTestFinished(async () => {
      isCut = false;
      await context.close();
    });
    const uid = uniqueUid();
    const token = uniqueToken();
    const app = await context.newPage();
    await app.goto(origin);
    await app.waitForFunction("globalThis.registration");
    await app.evaluate("navigator.serviceWorker.ready.then(() => {})");
    await app.evaluate(`globalThis.authToken = ${JSON.stringify(await registry.mint(uid))}`);
    const registered = await app.evaluate(`registration.register({ fcmToken: ${JSON.stringify(token)} })`);
    expect(registered).toEqual({ ok: true, pending: 0 });
    const { page, stopWorker, sync } = await reader(context);

    isCut = true;
    await app.evaluate("logout()");
    const tags = await app.evaluate("navigator.serviceWorker.ready.then(({ sync }) => sync.getTags())");
    expect(tags).toEqual(["registration"]);
    await app.close();
    // Else a timer of the worker that the browser started when it was asked could do it.
    await stopWorker();
    expect(await page.evaluate("queue()")).toHaveLength(1);
    expect(await registry.tokensOf(uid)).toEqual([token]);

    isCut = false;
    await sync();
    await page.evaluate("emptied()");
    expect(await registry.tokensOf(uid)).toEqual([]);
  });
});
