// Random lives of an app with public/client.js: logins, logouts, token rotations and tabs, while the network, the registry and
// the clock misbehave. When everything works again and the app was launched twice more, the registry must hold what the app last
// wanted: the device's token for the user who is logged in, and nothing of anybody else's.
import * as fc from "fast-check";
import type { Result } from "../../../public/client.d.ts";
import type { Registry } from "../../../testing/types.ts";
import { turn } from "./clock.ts";
import { FAULTS, FakeBrowser, type Fault, type Page } from "./fake-browser.ts";

const HOUR = 3600 * 1000;

interface Step {
  /** `rotate`: the platform gives a new token. `end`: the registry ends all sessions of the user. */
  what:
    | "login"
    | "rotate"
    | "register"
    | "refresh"
    | "logout"
    | "open"
    | "close"
    | "end"
    | "wait"
    | "skew"
    | "offline"
    | "online";
  /** Of the users of this story; of the open pages; ms. */
  user: number;
  page: number;
  ms: number;
  /** Whether the app waits for what comes of it. */
  waits: boolean;
  /** What becomes of the next requests. */
  faults: (Fault | null)[];
}

export interface Story {
  locks: boolean;
  storage: "synchronous" | "asynchronous";
  steps: Step[];
}

const step: fc.Arbitrary<Step> = fc.record({
  what: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("login" as const, "logout" as const) },
    {
      weight: 4,
      arbitrary: fc.constantFrom<Step["what"][]>(
        ...(["rotate", "register", "refresh", "open", "close", "end", "wait", "skew", "offline", "online"] as const),
      ),
    },
  ),
  user: fc.nat(2),
  page: fc.nat(3),
  ms: fc.constantFrom(0, 40, 2_000, 11_000, 400_000, 2 * HOUR, 72 * HOUR),
  waits: fc.boolean(),
  faults: fc.oneof(
    fc.constant<(Fault | null)[]>([]),
    fc.array(fc.constantFrom<(Fault | null)[]>(null, ...FAULTS), { maxLength: 4 }),
  ),
});

export const stories: fc.Arbitrary<Story> = fc.record({
  locks: fc.boolean(),
  storage: fc.constantFrom("synchronous" as const, "synchronous" as const, "asynchronous" as const),
  steps: fc.array(step, { minLength: 1, maxLength: 14 }),
});

/** Plays a story; answers what the registry holds at the end beside what it should hold. */
export async function play(story: Story, registry: Registry) {
  const life = new Life(story, registry);
  for (const each of story.steps) await life.take(each);
  return life.end();
}

class Life {
  readonly #browser: FakeBrowser;
  readonly #registry: Registry;
  readonly #story: Story;
  readonly #uids: string[];
  #user: string | null = null;
  #token = `token-${crypto.randomUUID()}`;

  constructor(story: Story, registry: Registry) {
    const id = crypto.randomUUID();
    this.#story = story;
    this.#registry = registry;
    this.#browser = new FakeBrowser({ url: registry.url, locks: story.locks, storage: story.storage });
    this.#uids = [0, 1, 2].map((n) => `user-${n}-${id}`);
  }

  async take(each: Step): Promise<void> {
    const browser = this.#browser;
    browser.faults.push(...each.faults);
    switch (each.what) {
      case "login":
        await this.#logIn(this.#page(each.page), this.#uids[each.user] ?? "", each.waits);
        break;
      case "rotate":
        this.#token = `token-${crypto.randomUUID()}`;
        await this.#run(this.#page(each.page).client.register({ fcmToken: this.#token }), each.waits);
        break;
      case "register":
        await this.#run(this.#page(each.page).client.register({ fcmToken: this.#token }), each.waits);
        break;
      case "refresh":
        await this.#run(this.#page(each.page).client.refresh(), each.waits);
        break;
      case "logout":
        await this.#logOut(this.#page(each.page), each.waits);
        break;
      case "open":
        await this.#open();
        break;
      case "close":
        await this.#close(this.#page(each.page));
        break;
      case "end":
        if (this.#user !== null) await this.#registry.call("DELETE", `/v3/users/${this.#user}/sessions`);
        break;
      case "wait":
        await browser.clock.pass(each.ms);
        break;
      case "skew":
        browser.clockSkew += each.waits ? each.ms : -each.ms;
        break;
      case "offline":
        browser.isOnline = false;
        break;
      case "online":
        browser.goOnline();
    }
  }

  /** Everything works again, and the app is launched. */
  async end() {
    const browser = this.#browser;
    browser.faults = [];
    browser.goOnline();
    // Twice: a clock that was set back may hide that an hour has passed, once.
    for (let launch = 0; launch < 2; launch += 1) {
      await browser.clock.pass(2 * HOUR);
      const page = await this.#open();
      const result = await browser.clock.until(page.client.refresh());
      if (!result.ok && result.reason === "unauthorized" && this.#user !== null) {
        browser.authToken = await this.#registry.mint(this.#user);
        await browser.clock.until(page.client.register({ fcmToken: this.#token }));
      }
    }
    await browser.clock.pass(24 * HOUR);
    const held = await Promise.all(this.#uids.map((uid) => this.#registry.tokensOf(uid)));
    const wanted = this.#uids.map((uid) => (uid === this.#user ? [this.#token] : []));
    return { held, wanted, timersLeft: browser.clock.timers, requests: browser.sent.length };
  }

  async #logIn(page: Page, uid: string, waits: boolean): Promise<void> {
    if (this.#user !== null) await this.#logOut(page, waits);
    const authToken = await this.#registry.mint(uid);
    this.#user = uid;
    this.#browser.authToken = authToken;
    await this.#run(page.client.register({ fcmToken: this.#token }), waits);
  }

  async #logOut(page: Page, waits: boolean): Promise<void> {
    const leaving = page.client.logout();
    this.#user = null;
    this.#browser.authToken = null;
    await this.#run(leaving, waits);
  }

  async #run(work: Promise<Result>, waits: boolean): Promise<void> {
    if (waits) await this.#browser.clock.until(work);
    else await turn();
  }

  #page(n: number): Page {
    const { pages } = this.#browser;
    return pages[n % Math.max(1, pages.length)] ?? this.#browser.open();
  }

  /** Only tabs of a browser share a storage: an app elsewhere is one page. */
  async #open(): Promise<Page> {
    if (this.#story.storage === "asynchronous") for (const page of this.#browser.pages) await this.#close(page);
    return this.#browser.open();
  }

  async #close(page: Page): Promise<void> {
    // What was written to such a storage is there when the app is gone.
    if (this.#story.storage === "asynchronous") await this.#browser.clock.pass(0);
    this.#browser.close(page);
    await turn();
  }
}

export interface ScenarioResult {
  scenarios: number;
  requests: number;
  /** The shortest story that went wrong, and how; `null` if none did. */
  finding: string | null;
}

/** Plays `scenarios` stories, one after the other. */
export async function runScenarios(options: {
  scenarios: number;
  seed: number;
  registry: Registry;
  progress?: (played: number) => void;
}): Promise<ScenarioResult> {
  const result: ScenarioResult = { scenarios: 0, requests: 0, finding: null };
  const property = fc.asyncProperty(stories, async (story) => {
    const { held, wanted, timersLeft, requests } = await play(story, options.registry);
    result.scenarios += 1;
    result.requests += requests;
    options.progress?.(result.scenarios);
    if (JSON.stringify(held) !== JSON.stringify(wanted)) {
      throw new Error(`held: ${JSON.stringify(held)}, wanted: ${JSON.stringify(wanted)}`);
    }
    if (timersLeft > 0) throw new Error("something is still being repeated a day later");
  });
  const details = await fc.check(property, { numRuns: options.scenarios, seed: options.seed });
  if (details.failed) result.finding = `${String(details.errorInstance)}\n${fc.defaultReportMessage(details)}`;
  return result;
}
