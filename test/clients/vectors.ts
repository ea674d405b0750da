// Plays the scenarios of clients/vectors with public/client.js. clients/README.md says what a step means.
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createContext, runInContext } from "node:vm";
import type { ClientStorage, Registration, RegistrationOptions, Result, Wanted } from "../../public/client.d.ts";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import { Clock } from "../support/node/clock.ts";

export interface Answer {
  status: number;
  retryAfter?: string;
  body: unknown;
}

export interface ExpectedRequest {
  method: string;
  path: string;
  /** `null`: neither `authToken` nor `appId` is sent. */
  authToken: string | null;
  /** JSON, the text of a ticket, or `null`. */
  body: unknown;
  answer: Answer | "network" | "none";
}

export interface Step {
  do: "start" | "register" | "refresh" | "logout" | "wait" | "online" | "clock";
  authToken?: string | null;
  wanted?: Wanted;
  ms?: number;
  as?: string;
  requests: ExpectedRequest[];
  result?: object;
  results?: Record<string, object>;
  stored?: object | null;
}

export interface Scenario {
  name: string;
  storage?: "none" | "refuses";
  stored?: string;
  random?: number;
  steps: Step[];
}

/** What a step came to: the requests without their answers, the results of calls that ended, and the stored text. */
export interface Outcome {
  requests: Omit<ExpectedRequest, "answer">[];
  results: Map<string, Result>;
  stored: string | null;
}

export const FILES: readonly { file: string; scenarios: Scenario[] }[] = globSync("clients/vectors/*.json", {
  cwd: PROJECT,
})
  .sort()
  .map((path) => ({ file: basename(path), scenarios: JSON.parse(readFileSync(join(PROJECT, path), "utf8")) }));

export const CLIENT = readFileSync(join(PROJECT, "public/client.js"), "utf8");
const URL_OF_REGISTRY = "https://registry.example";
const KEY = "push-token-registry:acme";
const NOW = 1_767_225_600_000;

/** A device on which the app is started, used and closed. */
export class Device {
  readonly #clock = new Clock();
  readonly #source: string;
  readonly #scenario: Scenario;
  readonly #stored = new Map<string, string>();
  #skew = 0;
  #randoms = 0;
  #authToken: string | null = null;
  #answers: ExpectedRequest["answer"][] = [];
  #sent: Outcome["requests"] = [];
  #results = new Map<string, Result>();
  #app: { client: Registration; listeners: Map<string, () => void> } | undefined;

  constructor(scenario: Scenario, source: string = CLIENT) {
    this.#scenario = scenario;
    this.#source = source;
    this.#clock.now = NOW;
    if (scenario.stored !== undefined) this.#stored.set(KEY, scenario.stored);
  }

  async play(step: Step): Promise<Outcome> {
    if (step.authToken !== undefined) this.#authToken = step.authToken;
    this.#answers = step.requests.map(({ answer }) => answer);
    this.#sent = [];
    this.#results = new Map();
    if (step.do === "start") this.#start();
    else if (step.do === "online") this.#app?.listeners.get("online")?.();
    else if (step.do === "clock") this.#skew += step.ms ?? 0;
    else if (step.do !== "wait") void this.#call(step);
    await this.#clock.pass(step.do === "wait" ? (step.ms ?? 0) : 0);
    return { requests: this.#sent, results: this.#results, stored: this.#stored.get(KEY) ?? null };
  }

  async #call({ do: name, wanted = {}, as = "result" }: Step): Promise<void> {
    const app = this.#app;
    if (app === undefined || !(name === "register" || name === "refresh" || name === "logout")) return;
    const result = await (name === "register" ? app.client.register(wanted) : app.client[name]());
    if (app === this.#app) this.#results.set(as, result);
  }

  /** The app before this one is closed: its timers are forgotten, and no reply reaches it. */
  #start(): void {
    const clock = this.#clock;
    if (this.#app !== undefined) clock.forget(this.#app.listeners);
    const listeners = new Map<string, () => void>();
    const context = createContext({
      Date: { now: () => clock.now + this.#skew },
      AbortController,
      navigator: { locks: { request: (_: string, work: () => unknown) => work() } },
      setTimeout: (fire: (...args: unknown[]) => void, ms: number, ...args: unknown[]) =>
        clock.setTimeout(listeners, () => fire(...args), ms),
      clearTimeout: (timer: Parameters<Clock["clearTimeout"]>[0]) => clock.clearTimeout(timer),
      addEventListener: (event: string, listener: () => void) => listeners.set(event, listener),
    });
    // Ids are made of it too, so no two are the same.
    const { random = 0.5 } = this.#scenario;
    const setRandom = runInContext("(next) => { Math.random = next; }", context) as (next: () => number) => void;
    setRandom(() => random + this.#randoms++ * 1e-12);
    const create = runInContext(`${this.#source.replace(/^export /gm, "")}\ncreateRegistration;`, context) as (
      options: RegistrationOptions,
    ) => Registration;
    const options = { url: `${URL_OF_REGISTRY}/`, appId: "acme", getAuthToken: () => this.#authToken };
    const isOpen = () => this.#app?.listeners === listeners;
    const app = { listeners, client: undefined as unknown as Registration };
    this.#app = app;
    app.client = create({
      ...options,
      storage: this.#storage(isOpen),
      fetch: (to, init) => (isOpen() ? this.#fetch(to, init) : new Promise(() => {})),
    });
  }

  #storage(isOpen: () => boolean): ClientStorage | null {
    if (this.#scenario.storage === "none") return null;
    const use = <T>(work: () => T): T => {
      if (this.#scenario.storage === "refuses") throw new Error("SecurityError");
      return work();
    };
    return {
      getItem: (key) => use(() => this.#stored.get(key) ?? null),
      setItem: (key, text) => use(() => void (isOpen() && this.#stored.set(key, text))),
      removeItem: (key) => use(() => void (isOpen() && this.#stored.delete(key))),
    };
  }

  async #fetch(to: string, { method = "GET", headers, body, signal }: RequestInit): Promise<Response> {
    const authToken = new Headers(headers).get("authToken");
    const isCalled = (new Headers(headers).get("appId") !== null) === (authToken !== null);
    if (!isCalled || !to.startsWith(URL_OF_REGISTRY)) throw new Error(`not a request to the registry: ${to}`);
    const text = typeof body === "string" ? body : null;
    const sent = { method, path: to.slice(URL_OF_REGISTRY.length), authToken };
    this.#sent.push({ ...sent, body: text?.startsWith("{") ? JSON.parse(text) : text });
    const answer = this.#answers.shift() ?? "none";
    if (answer === "network") throw new TypeError("Failed to fetch");
    if (answer === "none") {
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted"))));
    }
    const { status, retryAfter, body: reply } = answer;
    return new Response(typeof reply === "string" ? reply : JSON.stringify(reply), {
      status,
      headers: retryAfter === undefined ? {} : { "Retry-After": retryAfter },
    });
  }
}

/** What `actual` lacks of `expected`, by path. Fields that `expected` does not name may be anything; `null` is absent. */
export function differences(expected: unknown, actual: unknown, path = ""): string[] {
  if (expected === null)
    return (actual ?? null) === null ? [] : [`${path}: ${JSON.stringify(actual)} should be absent`];
  if (typeof expected !== "object") {
    return expected === actual ? [] : [`${path}: ${JSON.stringify(actual)} should be ${JSON.stringify(expected)}`];
  }
  if (typeof actual !== "object" || actual === null) return [`${path}: ${JSON.stringify(actual)} should be an object`];
  if (Array.isArray(expected) && expected.length !== (actual as unknown[]).length) {
    return [`${path}: ${JSON.stringify(actual)} should have ${expected.length} entries`];
  }
  return Object.entries(expected).flatMap(([key, value]) =>
    differences(value, (actual as Record<string, unknown>)[key], `${path}.${key}`),
  );
}

/** The first step that went wrong, and how; `null` if none did. */
export async function play(scenario: Scenario, source?: string): Promise<string | null> {
  const device = new Device(scenario, source);
  for (const [n, step] of scenario.steps.entries()) {
    const { requests, results, stored } = await device.play(step);
    const found = [
      ...differences(
        step.requests.map(({ answer: _, ...request }) => request),
        requests,
        "requests",
      ),
      ...differences({ ...(step.result && { result: step.result }), ...step.results }, Object.fromEntries(results)),
      ...[...results.keys()]
        .filter((name) => name !== "result" && !step.results?.[name])
        .map((name) => `${name} ended`),
      ...(step.stored === undefined || scenario.storage !== undefined
        ? []
        : differences(step.stored, stored === null ? null : JSON.parse(stored), "stored")),
    ];
    if (found.length > 0) return `step ${n + 1} (${step.do}): ${found.join("; ")}`;
  }
  return null;
}
