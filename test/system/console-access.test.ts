// The console in Chromium for people who come by Cloudflare Access: the browser brings what Access adds to each request.
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { localBindings } from "../../scripts/demo.ts";
import { type Server, serve } from "../../scripts/lib/workerd.ts";
import { ConsoleTab, launchChromium } from "../support/node/console.ts";
import { type FetchServer, serveFetch } from "../support/node/fetch-server.ts";

const AUDIENCE = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228";

let team: FetchServer;
let server: Server;
let browser: Browser;
let privateKey: CryptoKey;

beforeAll(async () => {
  const keys = await generateKeyPair("RS256", { extractable: true });
  privateKey = keys.privateKey as CryptoKey;
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: "team", alg: "RS256", use: "sig" };
  team = await serveFetch(async () => Response.json({ keys: [jwk] }));
  const { bindings } = localBindings({ APP_SECOND: { appId: "second" } });
  const people = [
    { email: "anna@acme.example", app: "demo", scope: "fullAccess" },
    { email: "anna@acme.example", app: "second", scope: "sender" },
  ];
  const CONSOLE_ACCESS = { teamDomain: "acme.cloudflareaccess.com", audience: AUDIENCE, people };
  server = await serve({
    bundle: inject("bundle"),
    bindings: { ...bindings, CONSOLE_ACCESS },
    hasAssets: true,
    outbound: team.address,
  });
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await team?.stop();
});

async function openAs(email: string): Promise<ConsoleTab> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: "https://acme.cloudflareaccess.com", aud: [AUDIENCE], email, iat: now, exp: now + 600 };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "team" }).sign(privateKey);
  return await ConsoleTab.open(browser, server.url, { extraHTTPHeaders: { "cf-access-jwt-assertion": token } });
}

describe("the console behind Cloudflare Access", () => {
  it("asks a person on the list for no key, offers what the scope allows, and lets choose among apps", async ({
    expect,
  }) => {
    const tab = await openAs("anna@acme.example");
    await tab.page.getByText(/users hold/).waitFor();
    expect(await tab.page.locator("#nav").innerText()).toContain("anna@acme.example (fullAccess)");
    await tab.find("nobody");
    await tab.button("End all sessions").click();
    await tab.page.getByRole("dialog").getByRole("button", { name: "End all sessions" }).click();
    await tab.page.getByText("All sessions have ended.").waitFor();
    await tab.page.reload();
    await tab.page.getByRole("heading", { level: 2, name: "nobody" }).waitFor();
    await tab.page.getByRole("combobox", { name: "App" }).selectOption("second");
    await tab.page.getByText("This key may look, not change").waitFor();
    expect(await tab.page.locator("#nav").innerText()).toContain("anna@acme.example (sender)");
    expect(await tab.close()).toEqual([]);
    expect(server.logs.join("\n")).toMatch(/"key":"anna@acme.example","call":"DELETE \/v3\/users\/:uid\/sessions"/);
  });

  it("acts in the app that is shown until the other one has answered", async ({ expect }) => {
    const tab = await openAs("anna@acme.example");
    await tab.page.getByText(/users hold/).waitFor();
    await tab.find("nobody");
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    await tab.page.route("**/console/api/v3/app", async (route) => {
      await released;
      await route.continue();
    });
    await tab.page.getByRole("combobox", { name: "App" }).selectOption("second");
    const deletion = tab.page.waitForRequest((request) => request.method() === "DELETE");
    await tab.button("End all sessions").click();
    await tab.page.getByRole("dialog").getByRole("button", { name: "End all sessions" }).click();
    expect((await deletion).headers().appid).toBe("demo");
    await tab.page.getByText("All sessions have ended.").waitFor();
    release();
    await tab.page.getByText("This key may look, not change").waitFor();
    expect(await tab.close()).toEqual([]);
  });

  it("stays with its app, in the choice too, when the other one does not answer", async ({ expect }) => {
    const tab = await openAs("anna@acme.example");
    await tab.page.getByText(/users hold/).waitFor();
    await tab.page.route("**/console/api/v3/app", (route) => route.fulfill({ status: 503, json: { error: {} } }));
    const select = tab.page.getByRole("combobox", { name: "App" });
    await select.selectOption("second");
    await tab.button("Close").click();
    expect(await select.inputValue()).toBe("demo");
    await tab.find("nobody");
    await tab.button("End all sessions").waitFor();
    expect(await tab.close(/status of 503/)).toEqual([]);
  });

  it("tells a person who is not on the list so, and still takes a key", async ({ expect }) => {
    const tab = await openAs("eve@acme.example");
    await tab.page.getByText("By Cloudflare Access: You are not on the list").waitFor();
    await tab.signIn();
    await tab.page.getByText(/users hold/).waitFor();
    expect(await tab.close(/status of 403/)).toEqual([]);
  });

  it("says what to do when the login at Access has ended", async ({ expect }) => {
    const tab = await openAs("anna@acme.example");
    await tab.page.getByText(/users hold/).waitFor();
    await tab.page.route("**/console/api/**", (route) =>
      route.fulfill({ status: 302, headers: { location: "https://acme.cloudflareaccess.com/cdn-cgi/access/login" } }),
    );
    await tab.page.getByLabel("User id").fill("alice");
    await tab.page.getByLabel("User id").press("Enter");
    await tab.page.getByText("Your login at Cloudflare Access has ended. Reload this page").waitFor();
    expect(await tab.close()).toEqual([]);
  });
});
