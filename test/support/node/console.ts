// The console in Chromium, against `npm start`. Nothing that a page must not do goes unseen: errors, CSP, other hosts.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Browser, chromium, type Page } from "playwright-core";
import { PROJECT } from "../../../scripts/lib/workerd.ts";

export interface Demo {
  url: string;
  stop(): Promise<void>;
}

/** `npm start` on a free port, with data of its own. */
export async function startDemo(): Promise<Demo> {
  const data = await mkdtemp(join(tmpdir(), "push-token-registry-console-"));
  const script = join(PROJECT, "scripts/start.ts");
  const child = spawn(process.execPath, [script, "--port", "0", "--ip", "127.0.0.1", "--persist-to", data], {
    cwd: PROJECT,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
    }
    await rm(data, { recursive: true, force: true });
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const url = line.match(/^Console: (http:\/\/[^/]+)/)?.[1];
    if (url === undefined) continue;
    child.stdout.resume();
    return { url, stop };
  }
  await stop();
  throw new Error("npm start ended before it was ready");
}

export function launchChromium(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--no-first-run"] });
}

/** A tab with the console, or another page of ours, and what it did that it must not. */
export class ConsoleTab {
  readonly page: Page;
  readonly #faults: string[] = [];

  private constructor(page: Page, origin: string) {
    this.page = page;
    page.on("pageerror", (error) => this.#faults.push(`error: ${error.message}`));
    // Violations of the CSP are errors of the console, too.
    page.on("console", (message) => {
      if (message.type() === "error") this.#faults.push(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
      const { protocol, origin: asked } = new URL(request.url());
      if (protocol !== "blob:" && asked !== origin) this.#faults.push(`another host: ${request.url()}`);
    });
    page.on("dialog", (dialog) => {
      this.#faults.push(`a script ran: ${dialog.message()}`);
      dialog.dismiss().catch(() => {});
    });
  }

  static async open(
    browser: Browser,
    url: string,
    options: Parameters<Browser["newContext"]>[0] = {},
    path = "/console/",
  ): Promise<ConsoleTab> {
    const context = await browser.newContext(options);
    // Nearly as long as a test may take: a slow machine is no fault.
    context.setDefaultTimeout(50_000);
    const tab = new ConsoleTab(await context.newPage(), new URL(url).origin);
    await tab.page.goto(`${url}${path}`);
    // It asks first whether the reader may look by Cloudflare Access.
    await tab.page.locator("#content:not(:empty), body:not(:has(#content))").first().waitFor();
    return tab;
  }

  async signIn(apiKey = "demo-server-key", appId = "demo"): Promise<void> {
    await this.page.getByLabel("App id").fill(appId);
    await this.page.getByLabel("API key").fill(apiKey);
    await this.page.getByLabel("API key").press("Enter");
  }

  async find(uid: string): Promise<void> {
    await this.page.getByLabel("User id").fill(uid);
    await this.page.getByLabel("User id").press("Enter");
    await this.page.getByRole("heading", { level: 2, name: uid, exact: true }).waitFor();
    await this.page.getByRole("region", { name: "Verdict" }).waitFor();
  }

  async verdict(): Promise<string> {
    return await this.page.getByRole("region", { name: "Verdict" }).locator("code").innerText();
  }

  button(name: string) {
    return this.page.getByRole("button", { name, exact: true });
  }

  /** Ends the tab; answers what it did that it must not, but for errors that `expected` names. */
  async close(expected: RegExp = /^$/): Promise<string[]> {
    await this.page.context().close();
    return this.#faults.filter((fault) => !expected.test(fault));
  }
}
