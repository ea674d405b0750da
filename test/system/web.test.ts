// examples/web in Chromium, with a network that is cut and restored.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, it } from "vitest";
import type { Registry } from "../../testing/types.ts";
import { chromiumPath } from "../support/node/browser.ts";
import { startRegistry, UNLIMITED_APP } from "../support/node/testing.ts";
import { logIn, logOut, says, startWebApp, type WebApp, WebBrowser } from "../support/node/web-app.ts";
import { uniqueUid } from "../support/unique.ts";

let registry: Registry;
let app: WebApp;
let folder: string;
let browser: Browser;

beforeAll(async () => {
  registry = await startRegistry({ app: UNLIMITED_APP });
  folder = await mkdtemp(join(tmpdir(), "push-token-registry-web-"));
  app = await startWebApp(folder, registry);
  browser = await chromium.launch({ executablePath: chromiumPath(), args: ["--no-sandbox", "--disable-gpu"] });
});

afterAll(async () => {
  await browser?.close();
  await app?.stop();
  await registry?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const ON = "Notifications are on.";

const fcmToken = (page: Page) => page.evaluate(`localStorage.getItem("fake-fcm-token")`) as Promise<string>;

/** A browser with one tab, in which the user is logged in and registered. */
async function registered(uid: string) {
  const person = await WebBrowser.open(browser, app);
  const page = await person.tab();
  await logIn(page, uid);
  await says(page, ON);
  return { person, page, token: await fcmToken(page) };
}

/** What senders see of these users, by each of their three reads, which must agree. */
async function seen(...uids: string[]): Promise<string[][]> {
  const tokens = ({ pushTokens }: { pushTokens: { token: string }[] }) => pushTokens.map(({ token }) => token);
  const single = await Promise.all(uids.map((uid) => registry.tokensOf(uid)));
  const lookup = await registry.call("POST", "/v3/push_tokens/lookup", { uids });
  const list = await registry.call("GET", "/v3/push_tokens?limit=1000");
  const listed = new Map(list.users.map((user: { uid: string; pushTokens: [] }) => [user.uid, tokens(user)]));
  const all = [single, lookup.users.map(tokens), uids.map((uid) => listed.get(uid) ?? [])].map((each) =>
    JSON.stringify(each),
  );
  if (new Set(all).size !== 1) throw new Error(`the reads differ: ${all.join(" ")}`);
  return single;
}

/** A browser in which the page has a Firebase project, and the first registration of a service worker fails. */
async function withFirebase(): Promise<WebBrowser> {
  const person = await WebBrowser.open(browser, app);
  const module = { contentType: "text/javascript", headers: { "Access-Control-Allow-Origin": "*" } };
  await person.context.route("**/config.js", async (route) => {
    const text = await (await route.fetch()).text();
    await route.fulfill({ ...module, body: text.replace('"firebase":null', '"firebase":{"projectId":"acme"}') });
  });
  await person.context.route("https://www.gstatic.com/**", (route) =>
    route.fulfill({
      ...module,
      body: `export const initializeApp = () => {}, getMessaging = () => {}, isSupported = async () => true;
        export const getToken = async () => "token-of-" + crypto.randomUUID();`,
    }),
  );
  await person.context.addInitScript(`
    let tries = 0;
    const { serviceWorker = {} } = navigator;
    serviceWorker.register = async () => {
      if (tries++ === 0) throw new Error("no network");
      return {};
    };`);
  return person;
}

/** Resolves when the registry has answered a ticket of this browser. */
function ticketSent(person: WebBrowser): Promise<unknown> {
  return person.context.waitForEvent("response", (response) => response.url().endsWith("/v2/tokens/unregister"));
}

describe("the example web app in Chromium", () => {
  it("registers, reloads, follows a new token, lives in two tabs, and logs out", async ({ expect }) => {
    const uid = uniqueUid();
    const { person, page, token } = await registered(uid);
    expect(await registry.tokensOf(uid)).toEqual([token]);

    const sent: string[] = [];
    person.context.on("request", (request) => {
      if (request.url() === `${registry.url}/v2/tokens`) sent.push(request.method());
    });
    await page.reload();
    await says(page, ON);
    expect(sent.filter((method) => method === "POST")).toEqual([]);

    await page.evaluate(`localStorage.removeItem("fake-fcm-token")`);
    await page.reload();
    await says(page, ON);
    const second = await fcmToken(page);
    expect(second).not.toBe(token);
    expect(await registry.tokensOf(uid)).toEqual([second]);

    const other = await person.tab();
    await says(other, ON);
    expect(await registry.tokensOf(uid)).toEqual([second]);
    await logOut(page);
    await says(page, "Logged out.");
    await other.getByLabel("User").waitFor();
    expect(await registry.tokensOf(uid)).toEqual([]);
    expect(person.errors).toEqual([]);
  });

  it("asks for permission in a click, and registers nothing before", async ({ expect }) => {
    const uid = uniqueUid();
    const person = await WebBrowser.open(browser, app);
    await person.context.clearPermissions();
    const page = await person.tab();
    await logIn(page, uid);
    await says(page, "Notifications are off.");
    expect(await registry.tokensOf(uid)).toEqual([]);
    await person.context.grantPermissions(["notifications"], { origin: app.url });
    await page.getByRole("button", { name: "Turn notifications on" }).click();
    await says(page, ON);
    expect(await registry.tokensOf(uid)).toHaveLength(1);
  });

  it("lists the user's devices, mutes one and logs one out", async ({ expect }) => {
    const uid = uniqueUid();
    const phone = await registered(uid);
    const laptop = await registered(uid);
    expect(await registry.tokensOf(uid)).toEqual([phone.token, laptop.token].sort());
    const items = laptop.page.getByRole("listitem");
    const here = items.filter({ hasText: "Chrome on Linux (this one)" });
    const there = items.filter({ hasNotText: "this one" });
    await there.getByRole("button", { name: "Mute" }).click();
    await there.getByRole("button", { name: "Unmute" }).waitFor();
    expect(await registry.tokensOf(uid)).toEqual([laptop.token]);
    await there.getByRole("button", { name: "Unmute" }).click();
    await there.getByRole("button", { name: "Mute", exact: true }).waitFor();
    expect(await registry.tokensOf(uid)).toHaveLength(2);

    await there.getByRole("button", { name: "Log out this device" }).click();
    await there.waitFor({ state: "detached" });
    await here.waitFor();
    expect(await registry.tokensOf(uid)).toEqual([laptop.token]);
    await phone.page.evaluate(`localStorage.removeItem("fake-fcm-token")`);
    await phone.page.reload();
    await says(phone.page, "You were logged out.");
    expect(await registry.tokensOf(uid)).toEqual([laptop.token]);
  });

  it("logs out offline; the ticket that is sent later takes nothing from the next user", async ({ expect }) => {
    const [anna, ben] = [uniqueUid(), uniqueUid()];
    const { person, page, token } = await registered(anna);
    await person.context.setOffline(true);
    await logOut(page);
    await says(page, "The registry will hear of it when there is a network.");
    expect(await registry.tokensOf(anna)).toEqual([token]);

    // The app is reached again, and the registry's answer to a registration; what ends Anna's is held back still.
    const held = [`${registry.url}/v2/tokens/unregister`, `${registry.url}/v3/me`];
    for (const url of held) await person.context.route(url, (route) => route.abort());
    await person.context.setOffline(false);
    await logIn(page, ben);
    await says(page, ON);
    expect(await registry.tokensOf(ben)).toEqual([token]);

    const sent = ticketSent(person);
    for (const url of held) await person.context.unroute(url);
    await page.evaluate(`dispatchEvent(new Event("online"))`);
    await sent;
    expect(await seen(anna, ben)).toEqual([[], [token]]);
    await page.reload();
    await says(page, ON);
    expect(await seen(anna, ben)).toEqual([[], [token]]);
    expect(person.errors).toEqual([]);
  });

  it("shows the devices while Firebase fails, says so, and tries again when the tab is looked at", async ({
    expect,
  }) => {
    const uid = uniqueUid();
    const { token } = await registered(uid);
    const person = await withFirebase();
    const page = await person.tab();
    await logIn(page, uid);
    await says(page, "Firebase cannot be reached.");
    await page.getByRole("button", { name: "Log out this device" }).waitFor();
    expect(await registry.tokensOf(uid)).toEqual([token]);

    await page.evaluate(`document.dispatchEvent(new Event("visibilitychange"))`);
    await says(page, ON);
    expect(await registry.tokensOf(uid)).toHaveLength(2);
    expect(person.errors).toEqual([]);
  });

  it("sends what a closed page had queued at the next visit: from then on no sender sees the first user", async ({
    expect,
  }) => {
    const [anna, ben] = [uniqueUid(), uniqueUid()];
    const { person, page } = await registered(anna);
    await person.context.setOffline(true);
    await logOut(page);
    await says(page, "The registry will hear of it");
    await page.close();

    await person.context.setOffline(false);
    const sent = ticketSent(person);
    const next = await person.tab();
    await sent;
    expect(await seen(anna, ben)).toEqual([[], []]);
    await logIn(next, ben);
    await says(next, ON);
    expect(await seen(anna, ben)).toEqual([[], [await fcmToken(next)]]);
  });
});
