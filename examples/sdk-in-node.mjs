// Lets CometChat's JavaScript SDK run in Node, for tests and scripts: `node --import ./examples/sdk-in-node.mjs your-file.mjs`.
// The SDK is made for pages. This gives it what it looks for there, and nothing more: storage in memory, a page that never closes.
import { createRequire } from "node:module";

const dns = createRequire(import.meta.url)("node:dns");

class MemoryStorage {
  #items = new Map();
  get length() {
    return this.#items.size;
  }
  key(index) {
    return [...this.#items.keys()][index] ?? null;
  }
  getItem(key) {
    return this.#items.get(String(key)) ?? null;
  }
  setItem(key, value) {
    this.#items.set(String(key), String(value));
  }
  removeItem(key) {
    this.#items.delete(String(key));
  }
  clear() {
    this.#items.clear();
  }
}

const nothing = () => undefined;
const { fetch: nodeFetch } = globalThis;
const page = {
  localStorage: new MemoryStorage(),
  sessionStorage: new MemoryStorage(),
  location: { origin: "http://localhost", hostname: "localhost", href: "http://localhost/", protocol: "http:" },
  navigator: { userAgent: `Node.js/${process.versions.node}`, language: "en-US", onLine: true, platform: "Node" },
  document: {
    hidden: false,
    hasFocus: () => true,
    querySelector: () => null,
    addEventListener: nothing,
    removeEventListener: nothing,
  },
  screen: { width: 1280, height: 720 },
  matchMedia: () => ({ matches: false }),
  addEventListener: nothing,
  removeEventListener: nothing,
  // The SDK asks for no referrer in a way that Node's fetch refuses.
  fetch: (url, { referrer: _, ...init } = {}) => nodeFetch(url, init),
};
for (const [name, value] of Object.entries({ ...page, window: { ...page } })) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}

// A page goes on after a rejection that nobody caught, and the SDK counts on it: it reports about itself some time after a login.
process.on("unhandledRejection", (reason) => console.warn("Unhandled rejection:", reason));

// Names below localhost are this machine, as in browsers (RFC 6761 §6.3); not every system's resolver knows.
const { lookup } = dns;
dns.lookup = (host, ...rest) => lookup(host.endsWith(".localhost") ? "localhost" : host, ...rest);
