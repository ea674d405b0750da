// The JavaScript SDK in headless Chromium: pages of real origins over HTTPS, with the browser's own CORS. Host names lead to
// this machine by Chromium's resolver rules. Playwright intercepts nothing: where it does, it answers preflights itself.
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { certificate, type Registry } from "./registry.ts";

const require = createRequire(import.meta.url);

const EMPTY_PAGE = '<!doctype html><link rel="icon" href="data:,">';
const PAGE =
  '<!doctype html><meta charset="utf-8"><title>app</title><link rel="icon" href="data:,"><script src="/CometChat.js"></script>';

/** What the page's `CometChat` has; the SDK in a page is driven by name. */
interface PageGlobals {
  CometChat: Record<string, (...args: unknown[]) => unknown> & {
    AppSettingsBuilder: new () => Record<string, (...args: unknown[]) => unknown>;
  };
  navigator: { sendBeacon(url: string, body: string): boolean };
  localStorage: { clear(): void };
  sessionStorage: { clear(): void };
}

/** Where Chromium is. @throws if it is not there */
export function chromiumPath(): string {
  const path = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
  if (existsSync(path)) return path;
  throw new Error(
    `There is no Chromium at ${path}. Install it (Debian: apt-get install chromium), or say in CHROMIUM_PATH where it is.`,
  );
}

export type Outcome = { resolved: unknown } | { rejected: unknown };

/** Chromium, and the web servers of the apps' pages. */
export class Chromium {
  readonly #browser: Browser;
  readonly #pages: Server;
  readonly #idle: Tab[] = [];

  private constructor(browser: Browser, pages: Server) {
    this.#browser = browser;
    this.#pages = pages;
  }

  /** `pageHosts`: where the apps' pages are; every other name is the registry. */
  static async launch(registry: Registry, pageHosts: string[]): Promise<Chromium> {
    const executablePath = chromiumPath();
    const sdk = await readFile(require.resolve("@cometchat/chat-sdk-javascript"));
    const pages = createServer(await certificate(pageHosts), (request, response) => {
      if (request.url === "/CometChat.js") response.setHeader("content-type", "text/javascript").end(sdk);
      else response.setHeader("content-type", "text/html").end(request.url === "/" ? PAGE : EMPTY_PAGE);
    });
    pages.listen(0, "127.0.0.1");
    await once(pages, "listening");
    const { port } = pages.address() as AddressInfo;
    const rules = [
      ...pageHosts.map((host) => `MAP ${host} 127.0.0.1:${port}`),
      `MAP * 127.0.0.1:${registry.server.port}`,
    ];
    const browser = await chromium.launch({
      executablePath,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--ignore-certificate-errors",
        `--host-resolver-rules=${rules.join(", ")}`,
      ],
    });
    return new Chromium(browser, pages);
  }

  /**
   * A device: a browser profile of its own, with the app's page open. Starting one takes a process, so those that were given
   * back are emptied and used again.
   */
  async device(origin: string): Promise<Tab> {
    let tab = this.#idle.find((candidate) => candidate.origin === origin);
    if (tab === undefined) tab = await Tab.create(await this.#browser.newContext({ ignoreHTTPSErrors: true }), origin);
    else this.#idle.splice(this.#idle.indexOf(tab), 1);
    await tab.goto("/");
    return tab;
  }

  /** Ends a device: nothing of it is left for the next one. */
  async release(tab: Tab): Promise<void> {
    await tab.empty();
    this.#idle.push(tab);
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#pages.close();
  }
}

/** What the page sent: as the network stack tells it, preflights included. */
export interface Sent {
  method: string;
  url: string;
  /** Of a preflight: the method and headers that it asks for. */
  asks?: { method: string; headers: string[] };
}

/** A page with the SDK. */
export class Tab {
  readonly origin: string;
  readonly #page: Page;
  readonly #requests = new Map<string, Sent>();

  private constructor(origin: string, page: Page) {
    this.origin = origin;
    this.#page = page;
  }

  static async create(context: BrowserContext, origin: string): Promise<Tab> {
    // Nearly as long as a test may take: a slow machine is no fault.
    context.setDefaultTimeout(50_000);
    const tab = new Tab(origin, await context.newPage());
    await tab.#record(context);
    return tab;
  }

  async goto(path: string): Promise<void> {
    await this.#page.goto(this.origin + path);
  }

  /** Forgets everything: at `beforeunload` the SDK writes into the storage once more, so the page goes first. */
  async empty(): Promise<void> {
    await this.goto("/empty");
    await this.#page.evaluate(() => {
      const { localStorage, sessionStorage } = globalThis as unknown as PageGlobals;
      localStorage.clear();
      sessionStorage.clear();
    });
    this.#requests.clear();
  }

  /** Everything sent so far, in order, but for the page and the SDK themselves. */
  get sent(): Sent[] {
    return [...this.#requests.values()].filter(({ url }) => new URL(url).origin !== this.origin);
  }

  /** The requests so far, `METHOD host/path`, without preflights. */
  get requests(): string[] {
    return this.sent.filter(({ asks }) => asks === undefined).map(({ method, url }) => `${method} ${bare(url)}`);
  }

  /** The preflights so far: what they ask for, `METHOD host/path`. */
  get preflights(): string[] {
    return this.sent.flatMap(({ asks, url }) => (asks === undefined ? [] : [`${asks.method} ${bare(url)}`]));
  }

  /** `CometChat.init` as an app calls it that lives with this registry; `adminHost` is `null` for one that stays with CometChat. */
  init(appId: string, host: string, adminHost: string | null = host): Promise<Outcome> {
    return this.#page.evaluate(
      async ([appId, host, adminHost]) => {
        const { CometChat } = globalThis as unknown as PageGlobals;
        const builder = new CometChat.AppSettingsBuilder();
        builder.subscribePresenceForAllUsers?.();
        builder.setRegion?.("us");
        builder.autoEstablishSocketConnection?.(false);
        builder.overrideClientHost?.(`${host}/v3.0`);
        if (adminHost !== null) builder.overrideAdminHost?.(`${adminHost}/v3.0`);
        return { resolved: await CometChat.init?.(appId, builder.build?.()) };
      },
      [appId, host, adminHost] as const,
    );
  }

  /** Calls a function of `CometChat`; what comes of it, as plain data. */
  call(name: string, ...args: unknown[]): Promise<Outcome> {
    return this.#page.evaluate(
      async ({ name, args }) => {
        const { CometChat } = globalThis as unknown as PageGlobals;
        try {
          return { resolved: JSON.parse(JSON.stringify((await CometChat[name]?.(...args)) ?? null)) };
        } catch (error) {
          return { rejected: JSON.parse(JSON.stringify(error)) };
        }
      },
      { name, args },
    );
  }

  /** `callExtension` of the push-notification extension. */
  extension(method: string, endpoint: string, body: unknown = null): Promise<Outcome> {
    return this.call("callExtension", "push-notification", method, endpoint, body);
  }

  /** What a page does that is being closed. Answers whether the browser took it. */
  sendBeacon(url: string, text: string): Promise<boolean> {
    return this.#page.evaluate(
      ([url, text]) => (globalThis as unknown as PageGlobals).navigator.sendBeacon(url, text),
      [url, text] as const,
    );
  }

  /** Adds headers to every later `fetch` of the page, as tracing tools do. */
  async addHeaders(added: Record<string, string>): Promise<void> {
    await this.#page.evaluate((added) => {
      const page = globalThis as unknown as { fetch: typeof fetch };
      const { fetch: original } = page;
      page.fetch = (input, init) => {
        const headers = new Headers(init?.headers);
        for (const [name, value] of Object.entries(added)) headers.set(name, value);
        return original(input, { ...init, headers });
      };
    }, added);
  }

  /** Waits for the reply to a request of that method and URL. */
  async reply(method: string, url: string): Promise<number> {
    const response = await this.#page.waitForResponse((r) => r.url() === url && r.request().method() === method);
    return response.status();
  }

  async reload(): Promise<void> {
    await this.#page.reload();
  }

  async #record(context: BrowserContext): Promise<void> {
    this.#page.on("websocket", (socket) =>
      this.#requests.set(socket.url(), { method: "WEBSOCKET", url: socket.url() }),
    );
    const session = await context.newCDPSession(this.#page);
    session.on("Network.requestWillBeSent", ({ requestId, request: { method, url } }) => {
      // A preflight has an id of its own; its headers come in the second event.
      const asks = method === "OPTIONS" ? { asks: { method: "", headers: [] } } : {};
      this.#requests.set(requestId, { method, url, ...asks });
    });
    session.on("Network.requestWillBeSentExtraInfo", ({ requestId, headers }) => {
      const sent = this.#requests.get(requestId);
      if (sent?.asks === undefined) return;
      const header = (name: string) => Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1] ?? "";
      sent.asks.method = header("access-control-request-method");
      sent.asks.headers = header("access-control-request-headers").split(",");
    });
    await session.send("Network.enable");
  }
}

function bare(url: string): string {
  return url.replace(/^https:\/\//, "");
}
