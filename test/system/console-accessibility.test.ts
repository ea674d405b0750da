// The console for everybody: each of its views by axe-core, light and dark, wide and as narrow as a phone.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type Made, makeUsers } from "../../scripts/demo-data.ts";
import { axeViolations, sidewaysScroll } from "../support/node/axe.ts";
import { ConsoleTab, type Demo, launchChromium, startDemo } from "../support/node/console.ts";

let demo: Demo;
let browser: Browser;
let users: Made[];

beforeAll(async () => {
  demo = await startDemo();
  browser = await launchChromium();
  users = await makeUsers({ url: demo.url, "app-id": "demo", "api-key": "demo-server-key" });
});

afterAll(async () => {
  await browser?.close();
  await demo?.stop();
});

/** What is wrong with the page as it is now, each with the view's name. */
async function faultsOf({ page }: ConsoleTab, view: string): Promise<string[]> {
  const sideways = await sidewaysScroll(page);
  const faults = [...(await axeViolations(page)), ...(sideways > 0 ? [`${sideways} pixels too wide`] : [])];
  return faults.map((fault) => `${view}: ${fault}`);
}

/** Goes through every view, and has each looked at. */
async function eachView(tab: ConsoleTab, look: (view: string) => Promise<void>): Promise<void> {
  const { page } = tab;
  await look("sign in");
  await tab.signIn("wrong");
  await page.getByRole("dialog").waitFor();
  await look("wrong key");
  await tab.button("Close").click();
  await tab.signIn("demo-sender-key");
  await page.getByText(/users hold/).waitFor();
  await tab.find("demo-ok");
  await look("user, by a key that may only look");
  await tab.button("Sign out").click();
  await tab.signIn();
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByText(/users hold/).waitFor();
  await tab.button("Check now").click();
  await page.getByText("The objects: well").waitFor();
  await look("overview");
  for (const { uid, verdict } of users) {
    await tab.find(uid);
    await look(verdict);
  }
  await tab.find("demo-ok");
  await tab.button("Show").first().click();
  for (const action of ["Remove", "End this session", "End all sessions", "Erase the user"]) {
    await tab.button(action).first().click();
    await look(action);
    await tab.button("Cancel").click();
  }
}

describe("the console", () => {
  it.for([
    { colorScheme: "light", viewport: { width: 1280, height: 900 } },
    { colorScheme: "dark", viewport: { width: 320, height: 640 } },
  ] as const)(
    "has nothing in any view that axe-core is against, or that must be scrolled to sideways: $colorScheme, $viewport.width pixels",
    { timeout: 120_000 },
    async (options, { expect }) => {
      const tab = await ConsoleTab.open(browser, demo.url, options);
      const faults: string[] = [];
      await eachView(tab, async (view) => {
        faults.push(...(await faultsOf(tab, view)));
      });
      expect(faults).toEqual([]);
      expect(await tab.close(/status of 401/)).toEqual([]);
    },
  );
});
