// One of CometChat's npm SDKs, unmodified, on a simulated device: the globals of a web page, of a WebView or of React Native,
// with storage and timers of their own. What goes over the network is real, and all of it is recorded.
//
// The bundles are CommonJS and keep state in their modules: each device compiles its own copy, whose free names (`window`,
// `fetch`, …) are parameters.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { compileFunction } from "node:vm";
import type { Registry } from "./registry.ts";

const require = createRequire(import.meta.url);

const CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
const ANDROID_WEBVIEW =
  "Mozilla/5.0 (Linux; Android 15; Pixel 9 Build/AP4A.250205.002; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/156.0.0.0 Mobile Safari/537.36";
const IPHONE_WEBVIEW =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148";

interface SdkPackage {
  package: string;
  /** What it sends in the `sdk` header. */
  header: string;
  runtime: "page" | "react-native";
  userAgent: string;
  /** What the browser or WebView sends as `Origin`. */
  origin?: string;
}

export const SDKS = {
  javascript: {
    package: "@cometchat/chat-sdk-javascript",
    header: "javascript@4.2.0",
    runtime: "page",
    userAgent: CHROME,
    origin: "https://app.example.com",
  },
  pro: {
    package: "@cometchat-pro/chat",
    header: "javascript@3.0.12",
    runtime: "page",
    userAgent: CHROME,
    origin: "https://app.example.com",
  },
  "react-native": {
    package: "@cometchat/chat-sdk-react-native",
    header: "react-native@4.0.21",
    runtime: "react-native",
    userAgent: "okhttp/4.12.0",
  },
  ionic: {
    package: "@cometchat/chat-sdk-ionic",
    header: "ionic@4.0.4",
    runtime: "page",
    userAgent: ANDROID_WEBVIEW,
    origin: "https://localhost",
  },
} as const satisfies Record<string, SdkPackage>;

export type SdkName = keyof typeof SDKS;

/** User-Agents of the same apps on an iPhone. */
export const IOS_USER_AGENTS = {
  "react-native": "Example/1 CFNetwork/3860.200.71 Darwin/25.1.0",
  ionic: IPHONE_WEBVIEW,
} as const;

/** What the tests use of the SDKs; the four agree on it. */
interface SdkExports {
  CometChat: {
    AppSettingsBuilder: new () => AppSettingsBuilder;
    init(appId: string, settings: unknown): Promise<boolean>;
    login(authTokenOrUid: string, authKey?: string): Promise<SdkUser>;
    logout(): Promise<unknown>;
    getLoggedinUser(): Promise<SdkUser | null>;
    callExtension(slug: string, method: string, endpoint: string, body?: unknown): Promise<unknown>;
  };
  /** Not in `@cometchat-pro/chat`. */
  CometChatNotifications?: {
    /** The values of `platform` that this SDK knows: for another one it sends no token at all. */
    PushPlatforms: Record<string, string>;
    registerPushToken(pushToken: string, platform: string, providerId?: string): Promise<unknown>;
    unregisterPushToken(): Promise<unknown>;
  };
}

interface AppSettingsBuilder {
  setRegion(region: string): this;
  subscribePresenceForAllUsers(): this;
  autoEstablishSocketConnection(establish: boolean): this;
  overrideClientHost(host: string): this;
  overrideAdminHost(host: string): this;
  build(): unknown;
}

export interface SdkUser {
  getUid(): string;
  getAuthToken(): string;
}

/** What the SDKs pass to `fetch`. */
interface FetchInit extends RequestInit {
  referrer?: string;
}

/** One request of the SDK, as it went over the wire. */
export interface RecordedCall {
  method: string;
  host: string;
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
  status: number;
}

export interface DeviceOptions {
  sdk: SdkName;
  registry: Pick<Registry, "send">;
  appId: string;
  /** What the app passes to `overrideClientHost` and `overrideAdminHost`, without the `/v3.0`. */
  host: string;
  /** `false`: the app overrides the client host only, and stays with CometChat's own admin host. */
  overridesAdminHost?: boolean;
  /** The hosts that the SDK may call; a call of any other fails it, and {@link Device.close} with it. */
  hosts: string[];
  /** Hosts that are not the registry's, and who answers there. */
  elsewhere?: Record<string, (request: Request) => Promise<Response>>;
  region?: string;
  userAgent?: string;
}

/** What outlives a reload of the page or a restart of the app. */
class Storages {
  local = new WebStorage();
  session = new WebStorage();
}

class WebStorage {
  readonly #items = new Map<string, string>();

  get length(): number {
    return this.#items.size;
  }
  key(index: number): string | null {
    return this.keys()[index] ?? null;
  }
  keys(): string[] {
    return [...this.#items.keys()];
  }
  getItem(key: string): string | null {
    return this.#items.get(String(key)) ?? null;
  }
  setItem(key: string, value: unknown): void {
    this.#items.set(String(key), String(value));
  }
  removeItem(key: string): void {
    this.#items.delete(String(key));
  }
  clear(): void {
    this.#items.clear();
  }
}

export class Device {
  readonly #options: DeviceOptions;
  readonly #storages: Storages;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #beforeUnload: (() => void)[] = [];
  readonly #strays: string[] = [];
  readonly #exports: SdkExports;
  /** Every request, in order. */
  readonly calls: RecordedCall[] = [];

  constructor(options: DeviceOptions, storages = new Storages()) {
    this.#options = options;
    this.#storages = storages;
    this.#exports = this.#load();
  }

  get CometChat(): SdkExports["CometChat"] {
    return this.#exports.CometChat;
  }

  get CometChatNotifications(): NonNullable<SdkExports["CometChatNotifications"]> {
    const notifications = this.#exports.CometChatNotifications;
    if (notifications === undefined) throw new Error(`${this.#options.sdk} has no CometChatNotifications`);
    return notifications;
  }

  /** `CometChat.init` as an app calls it that lives with this registry. */
  async init(): Promise<void> {
    const { appId, host, overridesAdminHost = true, region = "us" } = this.#options;
    const builder = new this.CometChat.AppSettingsBuilder()
      .subscribePresenceForAllUsers()
      .setRegion(region)
      // Real-time messaging is CometChat's own; the registry has no socket.
      .autoEstablishSocketConnection(false)
      .overrideClientHost(`${host}/v3.0`);
    if (overridesAdminHost) builder.overrideAdminHost(`${host}/v3.0`);
    await this.CometChat.init(appId, builder.build());
  }

  /** `callExtension` of the push-notification extension. */
  extension(method: string, endpoint: string, ...body: unknown[]): Promise<unknown> {
    return this.CometChat.callExtension("push-notification", method, endpoint, ...body);
  }

  /** The requests so far, `METHOD host/path`. */
  get requests(): string[] {
    return this.calls.map(({ method, host, path }) => `${method} ${host}${path}`);
  }

  /** The hosts called so far. */
  get hostsCalled(): string[] {
    return [...new Set(this.calls.map((call) => call.host))].sort();
  }

  get lastCall(): RecordedCall {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error("the SDK has called nothing yet");
    return call;
  }

  /** The page is reloaded, or the app restarted: storage stays, everything in memory is gone. */
  reload(): Device {
    for (const listener of this.#beforeUnload) listener();
    this.close();
    return new Device(this.#options, this.#storages);
  }

  /** Ends the device. @throws if the SDK tried to reach what it must not */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#strays.length > 0) throw new Error(`the SDK called an unexpected host: ${this.#strays.join(", ")}`);
  }

  #load(): SdkExports {
    const { sdk } = this.#options;
    const path = require.resolve(SDKS[sdk].package);
    const module = { exports: {} };
    const globals = { ...this.#globals(), module, exports: module.exports, require: this.#require() };
    const run = compileFunction(readFileSync(path, "utf8"), Object.keys(globals), { filename: path });
    run(...Object.values(globals));
    return module.exports as SdkExports;
  }

  #globals(): Record<string, unknown> {
    const { local, session } = this.#storages;
    const { runtime } = SDKS[this.#options.sdk];
    const origin = new URL(this.#origin ?? "https://react-native.invalid");
    const userAgent = this.#userAgent;
    const shared = {
      fetch: (url: string, init: FetchInit) => this.#fetch(url, init),
      WebSocket: this.#forbidden("WebSocket"),
      XMLHttpRequest: this.#forbidden("XMLHttpRequest"),
      setTimeout: (callback: () => void, ms?: number) => this.#timer(setTimeout(callback, ms)),
      setInterval: (callback: () => void, ms?: number) => this.#timer(setInterval(callback, ms)),
      location: { origin: origin.origin, hostname: origin.hostname, href: origin.href, protocol: origin.protocol },
      navigator: { userAgent, language: "en-US", onLine: true, platform: "Linux x86_64" },
      addEventListener: (event: string, listener: () => void) => {
        if (event === "beforeunload") this.#beforeUnload.push(listener);
      },
      removeEventListener: () => undefined,
    };
    if (runtime === "react-native") return { ...shared, window: { ...shared }, __DEV__: false };
    const page = {
      ...shared,
      localStorage: local,
      sessionStorage: session,
      document: {
        hidden: false,
        hasFocus: () => true,
        querySelector: () => null,
        addEventListener: () => undefined,
        removeEventListener: () => undefined,
      },
      screen: { width: 1280, height: 720 },
      matchMedia: () => ({ matches: false }),
    };
    return { ...page, window: { ...page }, indexedDB: undefined };
  }

  /** The modules that an app brings along; no others are installed. */
  #require(): (name: string) => unknown {
    const { local } = this.#storages;
    const subscription = { remove: () => undefined };
    const modules: Record<string, unknown> = {
      react: { Component: class {} },
      "react-native": {
        Platform: { OS: "android", Version: 35 },
        AppState: { currentState: "active", addEventListener: () => subscription },
        Dimensions: { get: () => ({ width: 412, height: 915 }), addEventListener: () => subscription },
      },
      "@react-native-async-storage/async-storage": {
        __esModule: true,
        default: {
          getItem: async (key: string) => local.getItem(key),
          setItem: async (key: string, value: string) => local.setItem(key, value),
          removeItem: async (key: string) => local.removeItem(key),
          getAllKeys: async () => local.keys(),
          multiRemove: async (keys: string[]) => {
            for (const key of keys) local.removeItem(key);
          },
        },
      },
    };
    return (name) => {
      if (name in modules && SDKS[this.#options.sdk].runtime === "react-native") return modules[name];
      throw Object.assign(new Error(`Cannot find module '${name}'`), { code: "MODULE_NOT_FOUND" });
    };
  }

  get #userAgent(): string {
    return this.#options.userAgent ?? SDKS[this.#options.sdk].userAgent;
  }

  get #origin(): string | undefined {
    const sdk: SdkPackage = SDKS[this.#options.sdk];
    return sdk.origin;
  }

  #timer(timer: NodeJS.Timeout): NodeJS.Timeout {
    this.#timers.add(timer);
    return timer;
  }

  #forbidden(what: string) {
    const strays = this.#strays;
    return class {
      constructor(url?: string) {
        strays.push(`${what} ${url ?? ""}`);
        throw new TypeError(`${what} is not to be used`);
      }
    };
  }

  /**
   * `fetch` as browsers have it, as far as the SDKs see it. Node's own refuses their `referrer: "no-referrer"`, and cannot
   * reach a host that no DNS knows.
   */
  async #fetch(url: string, { referrer: _, ...init }: FetchInit): Promise<Response> {
    const { registry, hosts, elsewhere = {} } = this.#options;
    // Node's Request makes of method, headers (`undefined` becomes a word) and body what every fetch does.
    const request = new Request(url, init);
    const { host, pathname, search } = new URL(request.url);
    const { method } = request;
    const other = elsewhere[host];
    if (other !== undefined) {
      const reply = await other(request);
      this.calls.push({
        method,
        host,
        path: pathname + search,
        headers: Object.fromEntries(request.headers),
        body: undefined,
        status: reply.status,
      });
      return reply;
    }
    if (!hosts.includes(host)) {
      this.#strays.push(`${method} ${host}${pathname}`);
      throw new TypeError("Failed to fetch");
    }
    const origin = this.#origin;
    const headers = {
      ...Object.fromEntries(request.headers),
      "user-agent": this.#userAgent,
      ...(origin === undefined ? {} : { origin }),
    };
    const body = request.body === null ? undefined : await request.text();
    const path = pathname + search;
    const reply = await registry.send({ method, host, path, headers, ...(body === undefined ? {} : { body }) });
    this.calls.push({ method, host, path, headers, body, status: reply.status });
    const allowed = reply.headers.get("access-control-allow-origin");
    if (origin !== undefined && allowed !== "*" && allowed !== origin) throw new TypeError("Failed to fetch");
    return new Response(reply.text, { status: reply.status, headers: reply.headers });
  }
}

/** What came of a call, as plain data: SDKs reject with objects of their own classes. */
export async function outcome(call: Promise<unknown>): Promise<{ resolved: unknown } | { rejected: unknown }> {
  try {
    return { resolved: await call };
  } catch (error) {
    return { rejected: error instanceof Error ? { error: error.message } : { ...(error as object) } };
  }
}
