// A registry in Miniflare for tests. testing/inside/ is what moves its clock.
import { createHash, randomBytes } from "node:crypto";
import { Miniflare } from "miniflare";
import { Data } from "./data.ts";
import type { ApiKeys, Registry, RegistryOptions } from "./types.ts";
import { type Files, optionsOf, REGISTRY } from "./workers.ts";

const DAY_MS = 24 * 3600 * 1000;

/** As `startRegistry`, with the files that it serves. */
export async function startWith(files: Files, options: RegistryOptions): Promise<Registry> {
  const keys: ApiKeys = { fullAccess: secret(), sender: secret(), authOnly: secret() };
  const app = { ...options.app, appId: options.app?.appId ?? "test" };
  const logs: string[] = [];
  const data = new Data(options.directory);
  const now = options.now === undefined ? undefined : Number(options.now);
  const kept = await data.read();
  if (now !== undefined) kept.offsetMs = Math.round(now - Date.now());
  const start = await optionsOf(files, {
    app,
    secrets: secretsOf(keys, options.jwtSecrets),
    workers: options.workers ?? {},
    onLog: (line) => {
      logs.push(line);
      options.onLog?.(line);
    },
  });
  const miniflare = new Miniflare(start({ port: 0, directory: data.directory, clock: kept }));
  const registry = new RunningRegistry({ miniflare, app, keys, data, now, start });
  try {
    await registry.begin(kept, logs);
  } catch (error) {
    await registry.stop();
    throw error;
  }
  return registry;
}

function secret(): string {
  return randomBytes(32).toString("base64url");
}

function secretsOf(keys: ApiKeys, jwtSecrets: readonly string[] = []): object {
  return {
    signingKeys: [{ kid: "testing", secret: secret() }],
    jwtSecrets: jwtSecrets.map((each) => ({ secret: each })),
    apiKeys: Object.entries(keys).map(([scope, key]) => ({
      name: scope,
      scope,
      sha256: createHash("sha256").update(key).digest("hex"),
    })),
  };
}

interface Parts {
  miniflare: Miniflare;
  app: { appId: string; identity?: unknown };
  keys: ApiKeys;
  data: Data;
  now: number | undefined;
  start: Awaited<ReturnType<typeof optionsOf>>;
}

class RunningRegistry implements Registry {
  readonly apiKeys: ApiKeys;
  readonly appId: string;
  readonly #parts: Parts;
  #url = new URL("http://127.0.0.1");
  #offsetMs = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.apiKeys = parts.keys;
    this.appId = parts.app.appId;
  }

  /** Until it serves the app. */
  async begin(kept: { offsetMs: number; alarms: unknown[] }, logs: readonly string[]): Promise<void> {
    this.#url = await this.#parts.miniflare.ready;
    this.#offsetMs = kept.offsetMs;
    await this.#parts.data.keep(this.#offsetMs);
    await this.call("GET", "/v3/app").catch((error) => {
      const why = logs.findLast((line) => line.includes("problems"));
      throw why === undefined ? error : new Error(`the app's configuration is wrong: ${why}`);
    });
    // What came due while it was down.
    if (kept.alarms.length > 0) await this.advance(0);
  }

  get url(): string {
    return this.#url.origin;
  }

  now(): number {
    return Date.now() + this.#offsetMs;
  }

  async mint(uid: string): Promise<string> {
    const { identity = "issued" } = this.#parts.app;
    if (identity !== "issued") throw new Error(`the app has identity ${identity}: its auth tokens come from its login`);
    return (await this.call("POST", `/v3/users/${encodeURIComponent(uid)}/auth_tokens`, {})).authToken;
  }

  async tokensOf(uid: string): Promise<string[]> {
    const { pushTokens } = await this.call("GET", `/v3/users/${encodeURIComponent(uid)}/push_tokens`);
    return pushTokens.map(({ token }: { token: string }) => token).sort();
  }

  async call(method: string, path: string, body?: unknown) {
    const response = await fetch(new URL(path, this.#url), {
      method,
      headers: { appId: this.appId, apikey: this.apiKeys.fullAccess, "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    // biome-ignore lint/suspicious/noExplicitAny: as the interface has it
    const { data, error } = (await response.json()) as any;
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${error.code} ${error.message}`);
    return data;
  }

  async fetchFrom(worker: string, url: string, init: RequestInit = {}): Promise<Response> {
    return await this.#fetch(worker, url, init);
  }

  async #fetch(worker: string, url: string, init: RequestInit): Promise<Response> {
    const beside = await this.#parts.miniflare.getWorker(worker);
    // Miniflare's types are those of Workers.
    return (await beside.fetch(url, init as never)) as unknown as Response;
  }

  async advance(days: number): Promise<void> {
    if (!(days >= 0 && Number.isFinite(days))) throw new RangeError(`days must be a number from 0 on, not ${days}`);
    const ms = String(Math.round(days * DAY_MS));
    const response = await this.#fetch(REGISTRY.clock, "http://clock/", { method: "POST", body: ms });
    if (!response.ok) throw new Error(`the clock does not move: ${response.status} ${await response.text()}`);
    this.#offsetMs = ((await response.json()) as { aheadMs: number }).aheadMs;
    await this.#parts.data.keep(this.#offsetMs);
  }

  async reset(): Promise<void> {
    const { miniflare, data, now, start } = this.#parts;
    const port = Number(this.#url.port);
    this.#offsetMs = now === undefined ? 0 : Math.round(now - Date.now());
    const clock = { offsetMs: this.#offsetMs, alarms: [] };
    if (data.isTemporary) {
      const removeBefore = data.renew();
      await miniflare.setOptions(start({ port, directory: data.directory, clock }));
      await removeBefore();
    } else {
      // Files may go once no process has them open.
      const elsewhere = new Data(undefined);
      await miniflare.setOptions(start({ port, directory: elsewhere.directory, clock }));
      await data.clear();
      await miniflare.setOptions(start({ port, directory: data.directory, clock }));
      await elsewhere.end();
      await data.keep(this.#offsetMs);
    }
  }

  async stop(): Promise<void> {
    await this.#parts.miniflare.dispose();
    await this.#parts.data.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
