// A browser for public/client.js: pages that share a storage and can be closed at any moment, a network that fails as told,
// and a clock that can be set. What gets through goes to the real server.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createContext, Script } from "node:vm";
import type { ClientStorage, Registration, RegistrationOptions } from "../../../public/client.d.ts";
import { PROJECT } from "../../../scripts/lib/workerd.ts";
import { Clock } from "./clock.ts";

const SOURCE = readFileSync(join(PROJECT, "public/client.js"), "utf8");
const CLIENT = new Script(`${SOURCE.replace(/^export /gm, "")}\ncreateRegistration;`, { filename: "client.js" });

/**
 * What becomes of a request: `cut`: it never leaves. `hang`: the same, and nobody says so. `lost`, `mute`: it arrives, and the
 * reply is cut or never comes. A number: that status instead of the registry's reply, and the registry never sees it.
 * `done-503`: it arrives, and the reply is a 503.
 */
export type Fault = "cut" | "hang" | "lost" | "mute" | 401 | 429 | 503 | "done-503";
export const FAULTS: readonly Fault[] = ["cut", "hang", "lost", "mute", 429, 503, "done-503"];

export interface SentRequest {
  method: string;
  path: string;
  body: string | undefined;
  authToken: string | null;
  at: number;
  fault: Fault | null;
}

export interface BrowserOptions {
  url: string;
  /** Web Locks, or none as on plain http. */
  locks?: boolean;
  /** `forbidden`: any use throws, as in some private modes. A function: what an app makes of what is stored. */
  storage?: "synchronous" | "asynchronous" | "forbidden" | "full" | ((stored: Map<string, string>) => ClientStorage);
  appId?: string;
}

export class FakeBrowser {
  readonly clock = new Clock();
  readonly stored = new Map<string, string>();
  readonly sent: SentRequest[] = [];
  readonly beacons: string[] = [];
  /** For the next requests, one each. */
  faults: (Fault | null)[] = [];
  isOnline = true;
  /** Who is logged in now, for every page of the app. */
  authToken: string | null = null;
  /** How far the device's clock is off. */
  clockSkew = 0;
  readonly #options: Required<BrowserOptions>;
  readonly #pages = new Set<Page>();
  readonly locks = new Map<string, { page: Page; grant: () => void }[]>();

  constructor(options: BrowserOptions) {
    this.#options = { locks: true, storage: "synchronous", appId: "test", ...options };
  }

  open(): Page {
    const page = new Page(this, this.#options);
    this.#pages.add(page);
    return page;
  }

  get pages(): Page[] {
    return [...this.#pages];
  }

  close(page: Page): void {
    this.#pages.delete(page);
    page.dispatch("pagehide");
    page.isClosed = true;
    this.clock.forget(page);
    for (const queue of this.locks.values()) {
      const isHolder = queue[0]?.page === page;
      queue.splice(0, queue.length, ...queue.filter((each) => each.page !== page));
      if (isHolder) queue[0]?.grant();
    }
  }

  /** The network is back, and every page hears of it. */
  goOnline(): void {
    this.isOnline = true;
    for (const page of this.#pages) page.dispatch("online");
  }

  /** What the app hands in. */
  storageOf(page: Page): ClientStorage {
    const { stored } = this;
    const { storage } = this.#options;
    if (typeof storage === "function") return storage(stored);
    const refuse = () => {
      throw new Error("SecurityError");
    };
    const item = {
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, text: string) => void (page.isClosed || stored.set(key, text)),
      removeItem: (key: string) => void (page.isClosed || stored.delete(key)),
    };
    if (this.#options.storage === "forbidden") return { getItem: refuse, setItem: refuse, removeItem: refuse };
    if (this.#options.storage === "full") return { ...item, setItem: refuse };
    if (this.#options.storage === "synchronous") return item;
    const later = <A extends string[], T>(work: (...args: A) => T) => {
      return async (...args: A): Promise<T> => {
        await this.clock.track(new Promise((resolve) => setImmediate(resolve)));
        return work(...args);
      };
    };
    return { getItem: later(item.getItem), setItem: later(item.setItem), removeItem: later(item.removeItem) };
  }

  async request(url: string, init: RequestInit = {}): Promise<Response> {
    const fault = this.isOnline ? (this.faults.shift() ?? null) : "cut";
    const { method = "GET", headers, body } = init;
    const { pathname: path } = new URL(url);
    const authToken = new Headers(headers).get("authToken");
    this.sent.push({ method, path, body: body as string | undefined, authToken, at: this.clock.now, fault });
    if (fault === "cut") throw new TypeError("Failed to fetch");
    if (fault === "hang") return new Promise(() => {});
    if (typeof fault === "number") return refusal(fault);
    const sending = fetch(url, { method, headers: headers ?? {}, body: body ?? null });
    const response = await this.clock.track(sending.then(async (reply) => new Response(await reply.text(), reply)));
    if (fault === "lost") throw new TypeError("Failed to fetch");
    if (fault === "mute") return new Promise(() => {});
    return fault === "done-503" ? refusal(503) : response;
  }
}

function refusal(status: number): Response {
  const code = status === 401 ? "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" : "ERR_OPERATION_FAILED";
  const headers: Record<string, string> =
    status === 429 ? { "Retry-After": "20" } : status === 503 ? { "Retry-After": "2" } : {};
  return Response.json({ error: { code, message: "as documented", details: {} } }, { status, headers });
}

/** A page with the client. After it is closed nothing of it goes on; what it had sent is on its way. */
export class Page {
  isClosed = false;
  readonly client: Registration;
  readonly #listeners = new Map<string, ((event: object) => void)[]>();

  constructor(browser: FakeBrowser, { url, locks, appId }: Required<BrowserOptions>) {
    const { clock } = browser;
    const context = createContext({
      Date: { now: () => clock.now + browser.clockSkew },
      AbortController,
      setTimeout: (fire: (...args: unknown[]) => void, ms: number, ...args: unknown[]) =>
        clock.setTimeout(this, () => fire(...args), ms),
      clearTimeout: (timer: Parameters<Clock["clearTimeout"]>[0]) => clock.clearTimeout(timer),
      addEventListener: (event: string, listener: (event: object) => void) => {
        this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
      },
      navigator: {
        ...(locks
          ? { locks: { request: (name: string, work: () => unknown) => this.#lock(browser, name, work) } }
          : {}),
        sendBeacon: (to: string, text: string) => {
          browser.beacons.push(text);
          const sending = browser.request(to, { method: "POST", body: text });
          sending.catch(() => {});
          return true;
        },
      },
    });
    const create = CLIENT.runInContext(context) as (options: RegistrationOptions) => Registration;
    this.client = create({
      url,
      appId,
      getAuthToken: () => browser.authToken,
      storage: browser.storageOf(this),
      fetch: (to, init) => (this.isClosed ? new Promise(() => {}) : this.#whileOpen(browser.request(to, init))),
    });
  }

  dispatch(event: string): void {
    for (const listener of this.#listeners.get(event) ?? []) listener({});
  }

  /** A closed page hears of no reply. */
  #whileOpen<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      work.then(
        (value) => this.isClosed || resolve(value),
        (error) => this.isClosed || reject(error),
      );
    });
  }

  async #lock(browser: FakeBrowser, name: string, work: () => unknown): Promise<unknown> {
    if (this.isClosed) return new Promise(() => {});
    const queue = browser.locks.get(name) ?? [];
    browser.locks.set(name, queue);
    await new Promise<void>((grant) => {
      queue.push({ page: this, grant });
      if (queue.length === 1) grant();
    });
    const result = await work();
    if (!this.isClosed) {
      queue.shift();
      queue[0]?.grant();
    }
    return result;
  }
}
