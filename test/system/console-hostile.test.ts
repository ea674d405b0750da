// The console shows as text whatever the registry answers: every text of every reply is hostile here.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, it } from "vitest";
import { makeUsers } from "../../scripts/demo-data.ts";
import { axeViolations, sidewaysScroll } from "../support/node/axe.ts";
import { ConsoleTab, type Demo, launchChromium, startDemo } from "../support/node/console.ts";

let demo: Demo;
let browser: Browser;

beforeAll(async () => {
  demo = await startDemo();
  browser = await launchChromium();
  await makeUsers({ url: demo.url, "app-id": "demo", "api-key": "demo-server-key" });
});

afterAll(async () => {
  await browser?.close();
  await demo?.stop();
});

const MARKUP = `"><img src=x onerror=alert(1)><script>alert(2)</script>'\`&amp;`;
/** Turns the text behind it around, and never ends that. */
const TURN = "\u202e";

/** What the page decides by. */
const DECIDING = ["scope", "kind"];
/** What the registry itself says. */
const OURS = [...DECIDING, "sentence", "next", "change", "platform", "platforms"];

/** The same reply with `text` behind every text in it, but for those of the fields `kept`. */
function hostile(value: unknown, text: string, kept: readonly string[], field = ""): unknown {
  if (typeof value === "string") return kept.includes(field) ? value : value + text;
  if (Array.isArray(value)) return value.map((each) => hostile(each, text, kept, field));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, hostile(each, text, kept, name)]));
}

/** A tab for which every reply of the API is hostile. */
async function openHostile(text: string, kept: readonly string[]): Promise<ConsoleTab> {
  const tab = await ConsoleTab.open(browser, demo.url, { viewport: { width: 320, height: 640 } });
  await tab.page.route("**/v3/**", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: hostile(await response.json(), text, kept) });
  });
  return tab;
}

/** Texts with a mark that turns around what follows, outside an element that ends its effect. */
const TURNING = `(() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode;
    if (data.includes("${TURN}") && parentElement.closest("bdi, code") === null) found.push(data);
  }
  return found;
})()`;

/** Shows the views with what the registry answered in them, and the question before a session is ended. */
async function eachView(tab: ConsoleTab, look: () => Promise<void>): Promise<void> {
  const { page } = tab;
  await tab.signIn();
  await page.getByText(/users hold/).waitFor();
  await look();
  for (const uid of ["demo-ok", "demo-all_suspect", "demo-taken"]) {
    await page.getByLabel("User id").fill(uid);
    await page.getByLabel("User id").press("Enter");
    await page.getByRole("heading", { level: 2, name: uid }).waitFor();
    await page.getByRole("region", { name: "Verdict" }).waitFor();
    while ((await tab.button("Show").count()) > 0) await tab.button("Show").first().click();
    await look();
    if (uid === "demo-taken") continue;
    await tab.button("End this session").first().click();
    await look();
    await tab.button("Cancel").click();
    await tab.button("Erase the user").click();
    await look();
    await tab.button("Cancel").click();
  }
}

describe("a tab of these tests", () => {
  it("notices inline script, another host, an error and an alert, which would fail the test", async ({ expect }) => {
    const tab = await ConsoleTab.open(browser, demo.url);
    await tab.page.evaluate(`
      document.body.append(Object.assign(document.createElement("script"), { textContent: "window.ran = true" }));
      document.body.append(Object.assign(new Image(), { src: "https://other.example/x.png" }));
      setTimeout(() => { throw new Error("thrown"); });
      alert("shown");
    `);
    expect(await tab.page.evaluate("window.ran === undefined")).toBe(true);
    const faults = (await tab.close()).join("\n");
    for (const fault of [/inline script/, /other\.example/, /error: thrown/, /a script ran: shown/]) {
      expect(faults).toMatch(fault);
    }
  });
});

describe("a registry that answers nothing but hostile text", () => {
  it("has its markup shown as text: in names of apps, keys and devices, tokens, sessions, codes, sentences", async ({
    expect,
  }) => {
    const tab = await openHostile(MARKUP, DECIDING);
    const faults: string[] = [];
    let shown = "";
    await eachView(tab, async () => {
      shown += await tab.page.locator("body").innerText();
      faults.push(...(await axeViolations(tab.page)));
      if ((await sidewaysScroll(tab.page)) > 0) faults.push(`too wide: ${await tab.page.title()}`);
      expect(await tab.page.locator("body img, body script").count()).toBe(0);
    });
    for (const text of [
      "demo",
      "demo-server",
      "Olga's phone",
      "demo-token-of-demo-ok",
      "There is a device that may be pushed.",
    ]) {
      expect(shown).toContain(text + MARKUP);
    }
    expect(faults).toEqual([]);
    expect(await tab.close()).toEqual([]);
  });

  it("cannot turn around the words beside its own", async ({ expect }) => {
    const tab = await openHostile(TURN, OURS);
    const turning: string[] = [];
    await eachView(tab, async () => {
      turning.push(...(await tab.page.evaluate<string[]>(TURNING)));
    });
    expect(turning).toEqual([]);
    expect(await tab.close()).toEqual([]);
  });
});
