// `npm run screenshots`: the pictures of docs/images, taken of `npm start` with the users of `npm run demo-data`.
import { mkdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { ConsoleTab, launchChromium, startDemo } from "../test/support/node/console.ts";
import { DEMO_APP, DEMO_KEYS } from "./demo.ts";
import { makeUsers } from "./demo-data.ts";
import { defineCommand, main } from "./lib/command.ts";
import { text } from "./lib/options.ts";
import { PROJECT } from "./lib/workerd.ts";
import { shortPath } from "./lib/wrangler-config.ts";

const WIDE = { width: 960, height: 720 };
const PHONE = { width: 390, height: 844 };

interface Picture {
  name: string;
  path: string;
  options: BrowserContextOptions;
  /** Brings the page to what is to be seen. */
  prepare(tab: ConsoleTab): Promise<void>;
}

async function showUser(tab: ConsoleTab, uid: string): Promise<void> {
  await tab.signIn();
  await tab.find(uid);
}

const PICTURES: readonly Picture[] = [
  {
    name: "console-sign-in",
    path: "/console/",
    options: { viewport: { ...WIDE, height: 420 } },
    async prepare({ page }) {
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
    },
  },
  {
    name: "console-overview",
    path: "/console/",
    options: { viewport: WIDE },
    async prepare(tab) {
      await tab.signIn();
      await tab.page.getByText(/users hold/).waitFor();
      await tab.page.getByText("Still counting").waitFor({ state: "detached" });
    },
  },
  {
    name: "console-user",
    path: "/console/",
    options: { viewport: WIDE },
    prepare: (tab) => showUser(tab, "demo-taken"),
  },
  {
    name: "console-user-dark",
    path: "/console/",
    options: { viewport: WIDE, colorScheme: "dark" },
    prepare: (tab) => showUser(tab, "demo-ok"),
  },
  {
    name: "console-user-phone",
    path: "/console/",
    options: { viewport: PHONE },
    prepare: (tab) => showUser(tab, "demo-all_suspect"),
  },
  {
    name: "reference",
    path: "/reference",
    options: { viewport: { width: 1060, height: 640 } },
    async prepare({ page }) {
      await page.locator("#listUserTokens details").first().click();
      await page.getByRole("link", { name: "What may be pushed for a user now" }).click();
    },
  },
];

async function take(browser: Browser, url: string, { path, options, prepare }: Picture, file: string): Promise<void> {
  const settings: BrowserContextOptions = { locale: "en-GB", timezoneId: "UTC", ...options };
  const tab = await ConsoleTab.open(browser, url, settings, path);
  await prepare(tab);
  await settle(tab.page);
  await tab.page.screenshot({ path: file });
  await tab.close();
}

/** Nothing is under way, and no cursor blinks in a field. */
async function settle(page: Page): Promise<void> {
  await page.evaluate("document.activeElement.blur()");
  await page.waitForLoadState("networkidle");
}

export const command = defineCommand({
  name: "screenshots",
  summary:
    "Takes the pictures of the console and of the reference that the documentation shows, of a local server with the users of " +
    "npm run demo-data. Needs Chromium at /usr/bin/chromium, or where CHROMIUM_PATH says.",
  options: {
    to: text({ help: "Where the pictures go.", placeholder: "DIRECTORY", default: null, defaultSays: "docs/images" }),
  },
  examples: ["", "--to /tmp/pictures"],
  hasJson: false,
  async run({ to }, { output }) {
    const directory = to === null ? join(PROJECT, "docs/images") : resolve(to);
    await mkdir(directory, { recursive: true });
    const demo = await startDemo();
    const browser = await launchChromium();
    try {
      await makeUsers({ url: demo.url, "app-id": DEMO_APP.appId, "api-key": DEMO_KEYS.fullAccess });
      for (const picture of PICTURES) {
        const file = join(directory, `${picture.name}.png`);
        await take(browser, demo.url, picture, file);
        output.say(`${shortPath(file)}: ${Math.ceil((await stat(file)).size / 1024)} KiB`);
      }
    } finally {
      await browser.close();
      await demo.stop();
    }
    return 0;
  },
});

if (import.meta.main) await main(command);
