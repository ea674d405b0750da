// The code of docs/client.md for other platforms, as it stands there, with fakes of what those platforms have.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import type { ClientStorage, Registration, RegistrationOptions } from "../../public/client.d.ts";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import type { Registry } from "../../testing/types.ts";
import { FakeBrowser } from "../support/node/fake-browser.ts";
import { startRegistry, UNLIMITED_APP } from "../support/node/testing.ts";
import { uniqueToken, uniqueUid } from "../support/unique.ts";

let registry: Registry;

beforeAll(async () => {
  registry = await startRegistry({ app: UNLIMITED_APP });
});

afterAll(() => registry?.stop());

/** The block that begins with `// heading`, without its imports. */
function block(heading: string): string {
  const page = readFileSync(join(PROJECT, "docs/client.md"), "utf8");
  const found = [...page.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, code = ""]) => code);
  const code = found.find((each) => each.startsWith(`// ${heading}`));
  if (code === undefined) throw new Error(`docs/client.md has no block "${heading}"`);
  return code.replace(/^import .*$/gm, "");
}

/** What the block hands to `createRegistration`, run with the packages that it imports. */
function optionsOf(heading: string, packages: Record<string, unknown>, registration: Partial<Registration> = {}) {
  let options: RegistrationOptions | undefined;
  const createRegistration = (given: RegistrationOptions) => {
    options = given;
    return registration;
  };
  const given = { ...packages, createRegistration, url: registry.url, appId: "test", getAuthToken: () => null };
  new Function(...Object.keys(given), block(heading))(...Object.values(given));
  return options as RegistrationOptions;
}

const later = <T>(value: T): Promise<T> => new Promise((resolve) => setImmediate(() => resolve(value)));

/** https://react-native-async-storage.github.io/async-storage/docs/api */
const asyncStorage = (stored: Map<string, string>) => ({
  getItem: (key: string) => later(stored.get(key) ?? null),
  setItem: (key: string, value: string) => later(void stored.set(key, value)),
  removeItem: (key: string) => later(void stored.delete(key)),
});

/** https://capacitorjs.com/docs/apis/preferences */
const preferences = (stored: Map<string, string>) => ({
  get: ({ key }: { key: string }) => later({ value: stored.get(key) ?? null }),
  set: ({ key, value }: { key: string; value: string }) => later(void stored.set(key, value)),
  remove: ({ key }: { key: string }) => later(void stored.delete(key)),
});

interface Platform {
  platform: string;
  storage(stored: Map<string, string>): ClientStorage | null | undefined;
}

const PLATFORMS: Platform[] = [
  {
    platform: "React Native",
    storage: (stored) => {
      const NetInfo = { addEventListener: () => {} };
      return optionsOf("React Native", { AsyncStorage: asyncStorage(stored), NetInfo }).storage;
    },
  },
  {
    platform: "Capacitor",
    storage: (stored) => optionsOf("Capacitor", { Preferences: preferences(stored) }).storage,
  },
];

describe.for(PLATFORMS)("the client in $platform", ({ storage }) => {
  it("registers, is free at the next launch, and logs out offline; the next launch empties the queue", async ({
    expect,
  }) => {
    let used = 0;
    const counted = (stored: Map<string, string>): ClientStorage => {
      const given = storage(stored);
      if (!given) throw new Error("no storage was handed in");
      // Real work, for which the clock of the test waits.
      const tracked = <A extends string[], T>(work: (...args: A) => T) => {
        return (...args: A) => {
          used++;
          return browser.clock.track(Promise.resolve(work(...args)));
        };
      };
      return {
        getItem: tracked((key: string) => given.getItem(key)),
        setItem: tracked((key: string, text: string) => given.setItem(key, text)),
        removeItem: tracked((key: string) => given.removeItem(key)),
      };
    };
    const browser = new FakeBrowser({ url: registry.url, locks: false, storage: counted });
    const uid = uniqueUid();
    const token = uniqueToken();
    browser.authToken = await registry.mint(uid);
    const first = browser.open();
    expect(await browser.clock.until(first.client.register({ fcmToken: token }))).toEqual({ ok: true, pending: 0 });
    expect(await registry.tokensOf(uid)).toEqual([token]);
    expect(used).toBeGreaterThan(2);
    browser.close(first);

    const second = browser.open();
    expect(await browser.clock.until(second.client.refresh())).toEqual({ ok: true, pending: 0 });
    expect(browser.sent).toHaveLength(1);
    browser.isOnline = false;
    const left = await browser.clock.until(second.client.logout());
    expect(left).toMatchObject({ ok: false, reason: "queued", pending: 1 });
    browser.close(second);

    browser.isOnline = true;
    browser.authToken = null;
    const third = browser.open();
    expect(await browser.clock.until(third.client.refresh())).toEqual({ ok: true, pending: 0 });
    expect(await registry.tokensOf(uid)).toEqual([]);
  });
});

describe("the block for React Native", () => {
  it("refreshes when the network is back, and not when it goes", ({ expect }) => {
    let heard: (state: { isConnected: boolean | null }) => void = () => {};
    const NetInfo = {
      addEventListener: (listener: typeof heard) => {
        heard = listener;
      },
    };
    let refreshed = 0;
    const refresh = async () => {
      refreshed++;
      return { ok: true as const, pending: 0 };
    };
    optionsOf("React Native", { AsyncStorage: asyncStorage(new Map()), NetInfo }, { refresh });
    heard({ isConnected: null });
    heard({ isConnected: false });
    expect(refreshed).toBe(0);
    heard({ isConnected: true });
    expect(refreshed).toBe(1);
  });
});
