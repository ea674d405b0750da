// The console in real Chromium, against `npm start` with the users of `npm run demo-data`.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, inject, it, onTestFinished } from "vitest";
import { localBindings } from "../../scripts/demo.ts";
import { type Made, makeUsers } from "../../scripts/demo-data.ts";
import { type Registry, registryOf } from "../../scripts/lib/registry.ts";
import { PROJECT, serve } from "../../scripts/lib/workerd.ts";
import { ConsoleTab, type Demo, launchChromium, startDemo } from "../support/node/console.ts";

let demo: Demo;
let browser: Browser;
let registry: Registry;
let users: Made[];

beforeAll(async () => {
  demo = await startDemo();
  browser = await launchChromium();
  const values = { url: demo.url, "app-id": "demo", "api-key": "demo-server-key" };
  registry = registryOf(values);
  users = await makeUsers(values);
});

afterAll(async () => {
  await browser?.close();
  await demo?.stop();
});

async function open(options: Parameters<Browser["newContext"]>[0] = {}): Promise<ConsoleTab> {
  const tab = await ConsoleTab.open(browser, demo.url, options);
  onTestFinished(async ({ expect }) => {
    expect(await tab.close()).toEqual([]);
  });
  return tab;
}

async function signedIn(options = {}): Promise<ConsoleTab> {
  const tab = await open(options);
  await tab.signIn();
  await tab.page.getByRole("heading", { name: "Find a user" }).waitFor();
  return tab;
}

/** A user with one device. */
async function withPhone(
  uid: string,
  {
    token = `token-of-${uid}`,
    device = {},
    at = { url: demo.url, "app-id": "demo", "api-key": "demo-server-key" },
  } = {},
): Promise<string> {
  const path = `/v3/users/${encodeURIComponent(uid)}/auth_tokens`;
  const { authToken } = (await registryOf(at).call("POST", path, {})) as { authToken: string };
  await registryOf({ ...at, "api-key": "" }, { authToken }).call("POST", "/v2/tokens", { fcmToken: token, device });
  return token;
}

async function tokensOf(uid: string, of = registry): Promise<string[]> {
  const path = `/v3/users/${encodeURIComponent(uid)}/push_tokens`;
  const { pushTokens } = (await of.call("GET", path)) as { pushTokens: { token: string }[] };
  return pushTokens.map(({ token }) => token);
}

describe("the console", () => {
  it("shows the verdict of each prepared user, first on the page", async ({ expect }) => {
    const tab = await signedIn();
    for (const { uid, verdict } of users) {
      await tab.find(uid);
      expect(await tab.verdict()).toBe(verdict);
    }
    await tab.find("demo-taken");
    expect(await tab.page.locator(".evidence").innerText()).toContain("Another user logged in on the device");
    // Of an evicted user the record begins with what came later.
    await tab.find("demo-evicted");
    expect(await tab.page.getByRole("region", { name: "Verdict" }).innerText()).toMatch(
      /: There was no more room: the oldest went\.\s+What to do: Let the user open the app/,
    );
  });

  it("counts the app, and finds a user by a token, which never stands in a URL", async ({ expect }) => {
    const tab = await signedIn();
    const urls: string[] = [];
    tab.page.on("request", (request) => urls.push(request.url()));
    const token = await withPhone("found-by-token");
    await tab.page.getByText(/users hold \d+ registrations/).waitFor();
    const byPlatform = tab.page.getByRole("table", { name: "By platform" }).getByRole("row");
    expect(await byPlatform.allInnerTexts()).toEqual([
      expect.stringMatching(/^iOS\s+2\s*$/),
      expect.stringMatching(/^Web\s+0\s*$/),
      expect.stringMatching(/^Android\s+[1-9]\d*\s*$/),
    ]);
    const byAge = tab.page.getByRole("table", { name: "By days since the last launch" }).getByRole("rowheader");
    expect(await byAge.allInnerTexts()).toEqual(["0 to 29", "30 to 89", "90 to 179", "180 to 269", "270 and more"]);
    expect(await tab.page.evaluate("scrollY")).toBe(0);
    await tab.button("Check now").click();
    await tab.page.getByText("The objects: well").waitFor();
    await tab.page.getByLabel("or a push token").fill(token);
    await tab.button("Find its user").click();
    await tab.page.getByRole("heading", { level: 2, name: "found-by-token" }).waitFor();
    expect(urls.length).toBeGreaterThan(2);
    for (const url of urls) expect(url).not.toContain(token);
  });

  it("masks tokens until they are asked for, and removes one registration once that is confirmed", async ({
    expect,
  }) => {
    const token = await withPhone("one-registration");
    const tab = await signedIn();
    await tab.find("one-registration");
    expect(await tab.page.locator("main").innerText()).not.toContain(token);
    await tab.button("Show").click();
    expect(await tab.page.locator("main").innerText()).toContain(token);
    await tab.button("Remove").click();
    await tab.button("Cancel").click();
    expect(await tokensOf("one-registration")).toEqual([token]);
    await tab.button("Remove").click();
    await tab.button("Remove it").click();
    await tab.page.getByText("Removed.", { exact: true }).waitFor();
    expect(await tokensOf("one-registration")).toEqual([]);
    expect(await tab.verdict()).toBe("removed");
  });

  it("ends one session, then all", async ({ expect }) => {
    const [first, second] = [await withPhone("sessions", { token: "a" }), await withPhone("sessions", { token: "b" })];
    expect((await tokensOf("sessions")).sort()).toEqual([first, second]);
    const tab = await signedIn();
    await tab.find("sessions");
    await tab.button("End this session").first().click();
    await tab.button("End the session").click();
    await tab.page.getByText("The session has ended.").waitFor();
    expect(await tokensOf("sessions")).toHaveLength(1);
    await tab.button("End all sessions").click();
    await tab.page.getByRole("dialog").getByRole("button", { name: "End all sessions" }).click();
    await tab.page.getByText("All sessions have ended.").waitFor();
    expect(await tab.verdict()).toBe("ended");
  });

  it("names the user in each question, and takes it for a no when the page changes", async ({ expect }) => {
    const token = await withPhone("asked-about");
    const tab = await signedIn();
    await tab.find("asked-about");
    const dialog = tab.page.getByRole("dialog");
    for (const name of ["Remove", "End this session", "End all sessions", "Erase the user"]) {
      await tab.button(name).click();
      expect(await dialog.locator("p").innerText(), name).toContain("asked-about");
      await tab.button("Cancel").click();
    }
    const calls: string[] = [];
    tab.page.on("request", (request) => calls.push(request.method()));
    await tab.button("End all sessions").click();
    await dialog.waitFor();
    await tab.page.goBack();
    await tab.page.getByText(/users hold/).waitFor();
    expect(await dialog.count()).toBe(0);
    expect(calls).not.toContain("DELETE");
    expect(await tokensOf("asked-about")).toEqual([token]);
  });

  it("says that something was done although the page cannot be shown anew", async ({ expect }) => {
    await withPhone("not-shown-anew");
    const tab = await ConsoleTab.open(browser, demo.url);
    await tab.signIn();
    await tab.find("not-shown-anew");
    await tab.page.route("**/explain", (route) => route.fulfill({ status: 503, json: { error: {} } }));
    await tab.button("Remove").click();
    await tab.button("Remove it").click();
    await tab.page.getByText("Removed.", { exact: true }).waitFor();
    await tab.page.getByRole("heading", { name: "This could not be shown" }).waitFor();
    expect(await tab.page.getByRole("dialog").count()).toBe(0);
    expect(await tab.close(/status of 503/)).toEqual([]);
  });

  it("leaves the page alone to which the reader went while something was done", async ({ expect }) => {
    await withPhone("left-behind");
    const tab = await signedIn();
    await tab.find("left-behind");
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    await tab.page.route("**/sessions", async (route) => {
      await released;
      await route.continue();
    });
    await tab.button("End all sessions").click();
    await tab.page.getByRole("dialog").getByRole("button", { name: "End all sessions" }).click();
    await tab.page.goBack();
    await tab.page.getByText(/users hold/).waitFor();
    release();
    await tab.page.getByText("All sessions have ended.").waitFor();
    expect(await tab.page.getByRole("heading", { level: 2 }).first().innerText()).toBe("Find a user");
  });

  it("erases a user only once the uid is typed again, and downloads the export before", async ({ expect }) => {
    const token = await withPhone("to-erase");
    const tab = await signedIn();
    await tab.find("to-erase");
    const [download] = await Promise.all([
      tab.page.waitForEvent("download"),
      tab.button("Download the export").click(),
    ]);
    expect(JSON.parse(await readFile(await download.path(), "utf8")).registrations).toMatchObject([{ token }]);
    await tab.button("Erase the user").click();
    const dialog = tab.page.getByRole("dialog");
    const erase = dialog.getByRole("button", { name: "Erase the user" });
    await dialog.getByRole("textbox").fill("to-eras");
    expect(await erase.isDisabled()).toBe(true);
    await dialog.getByRole("textbox").fill("to-erase");
    await erase.click();
    await tab.page.getByText("The user is erased.").waitFor();
    expect(await tab.verdict()).toBe("nothing_known");
    expect(await tokensOf("to-erase")).toEqual([]);
  });

  it.for([
    `<img src=x onerror=alert(1)>"'&`,
    `"><script>alert(1)</script>`,
    "\u202ereversed\u202c/../?#%",
    "javascript:alert(1)",
  ])("shows %s as text, in uids and names of devices", async (text, { expect }) => {
    await withPhone(text, { token: `xss-${text.length}<b>`, device: { name: text, model: text, appVersion: text } });
    const tab = await signedIn();
    await tab.find(text);
    expect(await tab.verdict()).toBe("ok");
    expect(await tab.page.locator("article h4").textContent()).toBe(text);
    await tab.button("End this session").click();
    expect(await tab.page.getByRole("dialog").textContent()).toContain(text);
    await tab.button("Cancel").click();
    expect(await tab.page.locator("main img, main script, main b").count()).toBe(0);
    await tab.page.reload();
    await tab.signIn();
    await tab.page.getByRole("heading", { level: 2, name: text, exact: true }).waitFor();
  });

  it("keeps the key in the memory of the tab alone, and the link to a user over a reload", async ({ expect }) => {
    const tab = await signedIn();
    await tab.find("demo-ok");
    const kept = await tab.page.evaluate(
      "JSON.stringify([location.href, document.cookie, {...localStorage}, {...sessionStorage}, document.documentElement.outerHTML])",
    );
    expect(kept).not.toContain("demo-server-key");
    await tab.page.reload();
    await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
    await tab.signIn();
    await tab.page.getByRole("heading", { name: "demo-ok" }).waitFor();
    await tab.button("Sign out").click();
    await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await tab.page.locator("main").innerText()).not.toContain("demo-ok");
  });

  it("offers a key of a smaller scope no actions", async ({ expect }) => {
    const tab = await open();
    await tab.signIn("demo-sender-key");
    await tab.find("demo-ok");
    await tab.page.getByText("This key may look, not change").waitFor();
    expect(await tab.page.locator("button.danger").count()).toBe(0);
    expect(await tab.button("Download the export").count()).toBe(0);
  });

  it.for([
    ["wrong", "The API key does not exist in this app."],
    ["demo-auth-key", "scope is authOnly"],
  ] as const)("says what is wrong with the key %s", async ([key, words], { expect }) => {
    const tab = await ConsoleTab.open(browser, demo.url);
    await tab.signIn(key);
    await tab.page.getByText(words).waitFor();
    await tab.button("Close").click();
    expect(await tab.page.getByLabel("App id").inputValue()).toBe("demo");
    expect(await tab.close(/status of 40[13]/)).toEqual([]);
  });

  it("says what to do when the registry does not answer, and goes on from there", async ({ expect }) => {
    const tab = await ConsoleTab.open(browser, demo.url);
    await tab.signIn();
    await tab.page.getByText(/users hold/).waitFor();
    await tab.page.context().setOffline(true);
    await tab.page.getByLabel("User id").fill("demo-ok");
    await tab.page.getByLabel("User id").press("Enter");
    await tab.page.getByText("The registry does not answer. Check your connection").waitFor();
    await tab.page.context().setOffline(false);
    await tab.button("Try again").click();
    await tab.page.getByRole("region", { name: "Verdict" }).waitFor();
    expect(await tab.close(/ERR_INTERNET_DISCONNECTED/)).toEqual([]);
  });

  it.for(["light", "dark"] as const)("works by keyboard alone at 320 pixels, %s", async (colorScheme, { expect }) => {
    const token = await withPhone(`keyboard-${colorScheme}`, { device: { name: "x".repeat(100) } });
    const tab = await open({ viewport: { width: 320, height: 640 }, colorScheme });
    const { keyboard } = tab.page;
    await keyboard.type("demo");
    await keyboard.press("Tab");
    await keyboard.type("demo-server-key");
    await keyboard.press("Enter");
    await tab.page.getByText(/users hold/).waitFor();
    const overflow = () => tab.page.evaluate("document.documentElement.scrollWidth - innerWidth");
    expect(await overflow()).toBeLessThanOrEqual(0);
    await keyboard.press("Tab");
    await keyboard.type(`keyboard-${colorScheme}`);
    await keyboard.press("Enter");
    await tab.page.getByRole("region", { name: "Verdict" }).waitFor();
    expect(await overflow()).toBeLessThanOrEqual(0);
    const focused = () => tab.page.evaluate("document.activeElement.textContent");
    while ((await focused()) !== "Remove") await keyboard.press("Tab");
    await keyboard.press("Enter");
    expect(await focused()).toBe("Cancel");
    await keyboard.press("Shift+Tab");
    await keyboard.press("Enter");
    await tab.page.getByText("Removed.", { exact: true }).waitFor();
    expect(await tokensOf(`keyboard-${colorScheme}`)).not.toContain(token);
    const background = await tab.page.evaluate("getComputedStyle(document.body).backgroundColor");
    expect(background).toBe(colorScheme === "dark" ? "rgb(22, 22, 22)" : "rgb(255, 255, 255)");
  });
});

/** Answers by what the token says. */
const SENDER = `
import { WorkerEntrypoint } from "cloudflare:workers";
export default {};
export class TestPush extends WorkerEntrypoint {
  push(appId, uid, tokens) {
    return tokens.map(({ token }) =>
      token.startsWith("dead") ? { delivered: false, code: "UNREGISTERED" } : { delivered: true });
  }
}`;

describe("the console with a sender", () => {
  it("sends a test push once that is confirmed, says what came of it per device, and changes nothing", async ({
    expect,
  }) => {
    const { bindings } = localBindings({});
    const server = await serve({ bundle: inject("bundle"), bindings, hasAssets: true, sender: SENDER });
    onTestFinished(() => server.stop());
    const at = { url: server.url, "app-id": "demo", "api-key": "demo-server-key" };
    await withPhone("tested", { token: "alive", device: { name: "Old <b>phone" }, at });
    await withPhone("tested", { token: "dead", at });
    const tab = await ConsoleTab.open(browser, server.url);
    await tab.signIn();
    await tab.find("tested");
    await tab.button("Send a test push").click();
    await tab.button("Cancel").click();
    await tab.button("Send a test push").click();
    await tab.button("Send it").click();
    const answers = tab.page.getByRole("region", { name: "Actions" }).getByRole("listitem");
    await answers.first().waitFor();
    expect((await answers.allInnerTexts()).sort()).toEqual([
      "Android, FCM: the token is dead. The app must register again (UNREGISTERED)",
      expect.stringMatching(/^Old <b>phone, FCM: delivered\./),
    ]);
    // Whatever marks they hold, they turn around nothing beside them.
    expect(await answers.locator("bdi").allInnerTexts()).toContain("UNREGISTERED");
    expect(await tab.verdict()).toBe("ok");
    expect(await tokensOf("tested", registryOf(at))).toHaveLength(2);
    await tab.button("Sign out").click();
    await tab.signIn("demo-sender-key");
    await tab.find("tested");
    await tab.page.getByText("This key may look, not change").waitFor();
    expect(await tab.button("Send a test push").count()).toBe(0);
    expect(await tab.close()).toEqual([]);
    expect(server.logs.join()).toContain('"call":"POST /v3/users/:uid/test","status":200');
  });

  it("is needed for a test push: else none is offered", async ({ expect }) => {
    const tab = await signedIn();
    await tab.find("demo-ok");
    await tab.button("End all sessions").waitFor();
    expect(await tab.button("Send a test push").count()).toBe(0);
  });
});

describe("the console's files", () => {
  it("may load nothing of another host and stand in no frame", async ({ expect }) => {
    for (const path of ["/console", "/console/", "/console/main.js"]) {
      const { status, headers } = await fetch(demo.url + path);
      expect(status).toBe(200);
      expect(headers.get("content-security-policy")).toBe(
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      );
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
    for (const path of ["/console/nothing.js", "/console/..%2Fopenapi.json", "/console/api"]) {
      const { status, headers } = await fetch(demo.url + path);
      expect([status, headers.get("content-type")]).toEqual([404, "application/json"]);
    }
  });

  it("are off unless the deployment switches them on", async ({ expect }) => {
    const server = await serve({ bundle: inject("bundle"), bindings: {} });
    onTestFinished(() => server.stop());
    expect((await fetch(`${server.url}/console/`)).status).toBe(404);
  });

  it("are at most 60 KiB, compressed", async ({ expect }) => {
    const directory = join(PROJECT, "public/console");
    const files = await Promise.all((await readdir(directory)).map((file) => readFile(join(directory, file))));
    const bytes = files.map((file) => gzipSync(file).byteLength).reduce((sum, each) => sum + each, 0);
    expect(bytes).toBeLessThanOrEqual(60 * 1024);
  });
});
