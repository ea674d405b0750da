// examples/web beside a registry, as its `npm start` runs it, and a browser with its page.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { onTestFinished } from "vitest";
import own from "../../../examples/web/package.json" with { type: "json" };
import { PROJECT } from "../../../scripts/lib/workerd.ts";
import type { Registry } from "../../../testing/types.ts";

export interface WebApp {
  url: string;
  stop(): Promise<void>;
}

/** A copy of the folder in `folder`, where nothing of this repository is found, at a free port. */
export async function startWebApp(folder: string, registry: Registry): Promise<WebApp> {
  await cp(join(PROJECT, "examples/web"), folder, { recursive: true });
  const [program, ...args] = own.scripts.start.split(" ");
  if (program !== "node") throw new Error(`npm start runs ${program}`);
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: {
      ...process.env,
      PORT: "0",
      REGISTRY_URL: registry.url,
      REGISTRY_APP_ID: registry.appId,
      REGISTRY_API_KEY: registry.apiKeys.authOnly,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stop = async () => {
    if (child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill();
    await exited;
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^The app is at (\S+),/.exec(line)?.[1];
    if (url !== undefined) return { url, stop };
  }
  throw new Error("the app ended before it was ready");
}

/** One browser of one person after the other: its tabs, and its network. */
export class WebBrowser {
  readonly context: BrowserContext;
  /** What the page threw. */
  readonly errors: string[] = [];
  readonly #app: WebApp;

  private constructor(context: BrowserContext, app: WebApp) {
    this.context = context;
    this.#app = app;
    context.on("weberror", (error) => this.errors.push(error.error().message));
  }

  static async open(browser: Browser, app: WebApp): Promise<WebBrowser> {
    const context = await browser.newContext();
    // Nearly as long as a test may take: a slow machine is no fault.
    context.setDefaultTimeout(50_000);
    onTestFinished(() => context.close());
    await context.grantPermissions(["notifications"], { origin: app.url });
    return new WebBrowser(context, app);
  }

  async tab(): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(this.#app.url);
    return page;
  }
}

export async function logIn(page: Page, uid: string): Promise<void> {
  await page.getByLabel("User").fill(uid);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { name: `Hello, ${uid}` }).waitFor();
}

export async function logOut(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Log out", exact: true }).click();
}

/** Waits for the page's own word on its state. */
export async function says(page: Page, text: string): Promise<void> {
  await page.getByRole("status").filter({ hasText: text }).waitFor();
}
