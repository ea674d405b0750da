// The clients of the crash test, the soak and the fuzzer: one app with keys of its own, and its callers over HTTP.
import { createHash, randomBytes } from "node:crypto";
import { Agent, type IncomingHttpHeaders, request } from "node:http";

/** The app that the load runs on: keys made for this run, and a takeover limit that it does not meet by chance. */
export interface LoadApp {
  appId: string;
  /** Vars and secrets of the Worker. */
  bindings: Record<string, string | object>;
  keys: { fullAccess: string; sender: string; authOnly: string };
}

export function loadApp(settings: Record<string, unknown> = {}): LoadApp {
  const keys = { fullAccess: secret(), sender: secret(), authOnly: secret() };
  const unlimited = { perUserAndHour: 1_000_000 };
  return {
    appId: "load",
    keys,
    bindings: {
      APP_LOAD: { appId: "load", takeovers: unlimited, ...settings },
      SECRETS_LOAD: JSON.stringify({
        signingKeys: [{ kid: "load", secret: secret() }],
        apiKeys: Object.entries(keys).map(([scope, key]) => ({
          name: scope,
          scope,
          sha256: createHash("sha256").update(key).digest("hex"),
        })),
      }),
    },
  };
}

function secret(): string {
  return randomBytes(32).toString("base64url");
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface Ask {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

class ClosedWhileIdle extends Error {}

/** A pool of connections to one server. */
export class Connections {
  readonly #agent: Agent;
  readonly #port: number;
  readonly #repeatOnClosed: boolean;

  /** `repeatOnClosed`: where the server is never killed, a connection that ended was idle. */
  constructor(port: number, { maxSockets = 64, repeatOnClosed = false } = {}) {
    this.#port = port;
    this.#repeatOnClosed = repeatOnClosed;
    this.#agent = new Agent({ keepAlive: true, maxSockets });
  }

  /** One request. Rejects where no whole reply came: the outcome is then unknown. */
  async ask(ask: Ask): Promise<Answer> {
    try {
      return await this.#send(ask);
    } catch (error) {
      // An idle connection that the server closed as the request was on its way: it did not read it.
      if (this.#repeatOnClosed && error instanceof ClosedWhileIdle) return await this.#send(ask);
      throw error;
    }
  }

  #send({ method, path, headers = {}, body }: Ask): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const lengths = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const sent = request(
      { host: "127.0.0.1", port: this.#port, agent: this.#agent, method, path, headers: { ...lengths, ...headers } },
      (reply) => {
        const chunks: Buffer[] = [];
        reply.on("data", (chunk: Buffer) => chunks.push(chunk));
        reply.on("error", reject);
        reply.on("aborted", () => reject(new Error("the reply was cut off")));
        reply.on("end", () =>
          resolve({ status: reply.statusCode ?? 0, headers: reply.headers, text: Buffer.concat(chunks).toString() }),
        );
      },
    );
    sent.on("error", (error: NodeJS.ErrnoException) => {
      reject(sent.reusedSocket && error.code === "ECONNRESET" ? new ClosedWhileIdle(error.message) : error);
    });
    sent.end(body);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** A login of a user. */
export interface Login {
  uid: string;
  authToken: string;
}

/** The calls that clients and back ends of the load app make. */
export class LoadClient {
  readonly #app: LoadApp;
  readonly #connections: Connections;

  constructor(app: LoadApp, connections: Connections) {
    this.#app = app;
    this.#connections = connections;
  }

  ask(ask: Ask): Promise<Answer> {
    return this.#connections.ask(ask);
  }

  asServer(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.#json(method, path, { apikey: this.#app.keys.fullAccess }, body);
  }

  asClient({ authToken }: Login, method: string, path: string, body?: unknown): Promise<Answer> {
    return this.#json(method, path, { authToken, sdk: "android@4.0.10" }, body);
  }

  async login(uid: string): Promise<Login> {
    const { status, text } = await this.asServer("POST", `/v3/users/${encodeURIComponent(uid)}/auth_tokens`, {});
    if (status !== 200) throw new Error(`login answered ${status}: ${text}`);
    return { uid, authToken: JSON.parse(text).data.authToken };
  }

  #json(method: string, path: string, headers: Record<string, string>, body: unknown): Promise<Answer> {
    const ask: Ask = { method, path, headers: { appId: this.#app.appId, ...headers } };
    if (body !== undefined) ask.body = JSON.stringify(body);
    return this.#connections.ask(ask);
  }
}

/** The tokens in a reply of `GET /v2/tokens`. */
export function tokensIn({ text }: Answer): string[] {
  const { ios, web, android } = JSON.parse(text).data;
  return [...ios, ...web, ...android];
}

/** Numbers between 0 and 1 that a seed gives again (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The `p`-th percentile of what was measured; 0 of nothing. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)] ?? 0;
}
