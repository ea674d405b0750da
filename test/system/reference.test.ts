// The pages that anybody can open, in real Chromium: the reference, and what stands at `/`.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, it, onTestFinished } from "vitest";
import { OPERATIONS } from "../../scripts/openapi/operations.ts";
import { axeViolations, sidewaysScroll } from "../support/node/axe.ts";
import { ConsoleTab, type Demo, launchChromium, startDemo } from "../support/node/console.ts";

let demo: Demo;
let browser: Browser;

beforeAll(async () => {
  demo = await startDemo();
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await demo?.stop();
});

type Options = Parameters<Browser["newContext"]>[0];

async function open(path: string, options: Options = {}): Promise<ConsoleTab> {
  const tab = await ConsoleTab.open(browser, demo.url, options, path);
  onTestFinished(async ({ expect }) => {
    expect(await tab.close()).toEqual([]);
  });
  return tab;
}

const LOOKS = [
  { colorScheme: "light", viewport: { width: 1280, height: 900 } },
  { colorScheme: "dark", viewport: { width: 390, height: 844 } },
  { colorScheme: "light", viewport: { width: 320, height: 640 } },
] as const;

/** Lines to paste, by the id of their call; what comes before them is `undefined`'s. */
async function lines(): Promise<{ id: string | undefined; line: string }[]> {
  const tab = await open("/reference");
  return await tab.page.evaluate(
    "[...document.querySelectorAll('pre.curl')].map((pre) => ({ id: pre.closest('article')?.id, line: pre.textContent }))",
  );
}

describe.for(["/reference", "/"] as const)("%s", (path) => {
  it.for(LOOKS)(
    "has nothing that axe-core is against, or that must be scrolled to sideways: $colorScheme, $viewport.width pixels",
    async (options, { expect }) => {
      const tab = await open(path, options);
      await tab.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true");
      expect(await axeViolations(tab.page)).toEqual([]);
      expect(await sidewaysScroll(tab.page)).toBe(0);
      expect(await tab.page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe(
        options.colorScheme === "dark" ? "rgb(22, 22, 22)" : "rgb(255, 255, 255)",
      );
    },
  );
});

describe("/", () => {
  it("leads to the reference and to the console", async ({ expect }) => {
    const tab = await open("/");
    for (const name of ["Reference", "Console"]) {
      await tab.page.getByRole("link", { name, exact: true }).click();
      await tab.page.getByRole("heading", { name: /Push Token Registry/ }).waitFor();
      expect(tab.page.url()).not.toBe(`${demo.url}/`);
      await tab.page.goBack();
    }
  });
});

describe("the reference", () => {
  it("finds calls by what stands in them, and says how many", async ({ expect }) => {
    const tab = await open("/reference");
    const shown = () => tab.page.locator("article:visible").count();
    expect(await shown()).toBe(OPERATIONS.length);
    await tab.page.getByLabel("Search").fill("lookup uids");
    expect(await shown()).toBeLessThan(OPERATIONS.length);
    await tab.page.locator("article#lookup").waitFor();
    await tab.page.getByLabel("Search").fill("timestamp  ERASE owner");
    expect(await tab.page.locator("article:visible").evaluateAll((all) => all.map(({ id }) => id))).toEqual([
      "eraseUser",
    ]);
    expect(await tab.page.locator("nav li:visible").allInnerTexts()).toEqual(["Erase a user"]);
    expect(await tab.page.getByRole("heading", { level: 2 }).allInnerTexts()).toEqual([
      "Back ends",
      "To paste",
      "Back ends",
    ]);
    expect(await tab.page.getByRole("status").innerText()).toBe(`1 of ${OPERATIONS.length} calls`);
    await tab.page.getByLabel("Search").fill("xyzzy");
    expect([await shown(), await tab.page.getByRole("status").innerText()]).toEqual([
      0,
      `0 of ${OPERATIONS.length} calls`,
    ]);
    await tab.page.getByLabel("Search").fill("");
    expect(await shown()).toBe(OPERATIONS.length);
  });

  it("groups the calls by who makes them, and names their headers as they are sent", async ({ expect }) => {
    const tab = await open("/reference");
    expect(await tab.page.locator("main h2").allInnerTexts()).toEqual([
      "To paste",
      "Apps",
      "Open",
      "Senders",
      "Back ends",
    ]);
    const headers = (id: string) => tab.page.locator(`#${id} p`, { hasText: /^Headers:/ }).innerText();
    expect(await headers("registerTokens")).toBe("Headers: appId and authToken, or appId and Authorization: Bearer ….");
    expect(await headers("lookup")).toBe("Headers: appId and apikey.");
    expect(await headers("health")).toBe("Headers: none.");
  });

  it("copies a line, with the address that the page came from", async ({ expect }) => {
    const tab = await open("/reference", { permissions: ["clipboard-read", "clipboard-write"] });
    const copied = () => tab.page.evaluate<string>("navigator.clipboard.readText()");
    await tab.button("Copy: What may be pushed for a user now").click();
    expect(await copied()).toBe('curl "$URL/v3/users/alice/push_tokens" -H "appId: $APP_ID" -H "apikey: $API_KEY"');
    expect(await tab.page.getByRole("status").innerText()).toBe("Copied");
    await tab.button("Copy: what comes first").click();
    expect(await copied()).toContain(`URL=${demo.url} APP_ID=demo`);
  });

  it("has a line for every call that works as it is pasted, after what comes first", { timeout: 180_000 }, async ({
    expect,
  }) => {
    const [first, ...calls] = await lines();
    expect(calls.map((call) => call.id).sort()).toEqual(OPERATIONS.map((operation) => operation.id).sort());
    const here = OPERATIONS.filter(({ elsewhere }) => elsewhere === undefined).map(({ id }) => id);
    for (const { id, line } of calls.filter((call) => here.includes(call.id ?? ""))) {
      const status = line.replace(/^curl /, "curl -sS -o /dev/null -w '%{http_code}' ");
      const { stdout, stderr } = await promisify(execFile)("bash", ["-eu", "-c", `${first?.line}\n${status}`]);
      expect({ id, stdout, stderr }).toEqual({ id, stdout: "200", stderr: "" });
    }
  });
});
