// Cloudflare's REST API as far as `wrangler deploy`, `secret list` and `whoami` see it, and the Workers that were uploaded, served by
// workerd. Paths, replies and error codes are those that wrangler was observed to need.
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse, request as send } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve, type Server as Worker } from "../../../scripts/lib/workerd.ts";
import { exchange, type HttpCall, type HttpReply } from "./wire.ts";

export interface FakeOptions {
  accounts?: { id: string; name: string }[];
  /** The account's name on workers.dev; `null` if it has none. */
  subdomain?: string | null;
}

interface Binding {
  name: string;
  type: string;
  text?: string;
  json?: unknown;
  part?: string;
}

export interface Script {
  /** What works now: secrets that were inherited are there. */
  bindings: Binding[];
  /** As the last upload sent them. */
  sent: Binding[];
  metadata: Record<string, unknown>;
  code: string;
  isOnWorkersDev: boolean;
}

export interface Received {
  method: string;
  /** Without `/client/v4`. */
  path: string;
  body: Buffer;
}

const API = "/client/v4";
const NOT_FOUND = { code: 10_007, message: "This Worker does not exist on your account." };

class Refusal extends Error {
  readonly status: number;
  readonly code: number;
  constructor(status: number, { code, message }: { code: number; message: string }) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class FakeCloudflare {
  readonly scripts = new Map<string, Script>();
  readonly received: Received[] = [];
  /** Called before a request is answered, also one to the Worker, and, with `true`, after it took effect: to fail there. */
  interrupt: (received: Received, tookEffect: boolean) => void = () => undefined;
  readonly #options: Required<FakeOptions>;
  readonly #server: Server;
  #worker: Worker | undefined;
  #directory: string | undefined;

  private constructor(options: FakeOptions) {
    this.#options = { accounts: [{ id: "acc", name: "Acme" }], subdomain: "acme", ...options };
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  static async start(options: FakeOptions = {}): Promise<FakeCloudflare> {
    const fake = new FakeCloudflare(options);
    fake.#server.listen(0, "127.0.0.1");
    await once(fake.#server, "listening");
    return fake;
  }

  /** Where the API is, and everything else is the Worker that was uploaded last. */
  get url(): string {
    return `http://localhost:${this.#port}`;
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** A call of the Worker by any name, as each of them leads here. */
  send(call: HttpCall): Promise<HttpReply> {
    return exchange(send, { host: "127.0.0.1", port: this.#port, agent: false }, call);
  }

  /** What leads wrangler here, beside the account. */
  get env(): Record<string, string> {
    return {
      CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${this.#port}${API}`,
      CLOUDFLARE_API_TOKEN: "token-of-the-fake",
    };
  }

  /** A Worker of somebody else. */
  put(name: string, secrets: readonly string[] = []): void {
    const bindings = secrets.map((secret) => ({ name: secret, type: "secret_text", text: "theirs" }));
    this.scripts.set(name, { bindings, sent: [], metadata: {}, code: "theirs", isOnWorkersDev: true });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#worker?.stop();
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", url = "/" } = request;
    if (!url.startsWith(API)) return this.#toWorker(request, response);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const received = { method, path: url.slice(API.length), body: Buffer.concat(chunks) };
    this.received.push(received);
    this.interrupt(received, false);
    let [status, reply]: [number, object] = [200, { success: true, errors: [], messages: [] }];
    try {
      const result = await this.#answer(received, String(request.headers["content-type"]));
      reply = { ...reply, result, result_info: { page: 1, per_page: 50, total_pages: 1, count: 1, total_count: 1 } };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      status = error.status;
      reply = { success: false, errors: [{ code: error.code, message: error.message }], messages: [], result: null };
    }
    this.interrupt(received, true);
    if (received.path.includes("/assets/upload?")) status = 201;
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(reply));
  }

  async #answer({ method, path, body }: Received, type: string): Promise<unknown> {
    const { accounts, subdomain } = this.#options;
    if (path === "/user/tokens/verify") return { id: "token", status: "active" };
    if (path === "/user") return { id: "user", email: "operator@example.com" };
    if (path.startsWith("/accounts?")) return accounts;
    if (path.startsWith("/memberships")) return accounts.map((account) => ({ id: account.id, account }));
    const [, rest = ""] = path.match(/^\/accounts\/[^/]+\/workers\/(.*)$/) ?? [];
    if (rest === "subdomain") {
      if (subdomain === null) throw new Refusal(404, { code: 10_007, message: "no subdomain" });
      return { subdomain };
    }
    if (rest.startsWith("assets/upload")) return { jwt: jwt() };
    const [, what, name = "", call = ""] = rest.match(/^(services|scripts|workers)\/([^/?]+)\/?([^?]*)/) ?? [];
    if (call === "assets-upload-session") {
      const { manifest } = JSON.parse(body.toString()) as { manifest: Record<string, { hash: string }> };
      return { jwt: jwt(), buckets: [Object.values(manifest).map(({ hash }) => hash)] };
    }
    if (what === "scripts" && method === "PUT" && call === "") return await this.#upload(name, body, type);
    const script = this.scripts.get(name);
    if (script === undefined) throw new Refusal(404, NOT_FOUND);
    if (what === "services") {
      return {
        default_environment: {
          environment: "production",
          script: { tag: "t", tags: [], last_deployed_from: "wrangler" },
        },
      };
    }
    if (what === "workers") return { subdomain: { enabled: script.isOnWorkersDev, previews_enabled: false } };
    if (call === "secrets") {
      return script.bindings
        .filter((each) => each.type === "secret_text")
        .map((each) => ({ name: each.name, type: each.type }));
    }
    if (call === "deployments") return { deployments: [{ id: "d", versions: [{ version_id: "v", percentage: 100 }] }] };
    if (call === "settings")
      return { bindings: script.bindings.map(({ name: of, type: as }) => ({ name: of, type: as })) };
    if (call === "subdomain" && method === "POST") {
      script.isOnWorkersDev = JSON.parse(body.toString()).enabled;
      return { enabled: script.isOnWorkersDev, previews_enabled: false };
    }
    if (call === "subdomain") return { enabled: script.isOnWorkersDev, previews_enabled: false };
    throw new Refusal(404, { code: 7003, message: `the fake has no ${method} ${path}` });
  }

  async #upload(name: string, body: Buffer, type: string): Promise<object> {
    const form = await new Response(new Uint8Array(body), { headers: { "content-type": type } }).formData();
    const metadata = JSON.parse(await textOf(form.get("metadata")));
    const before = this.scripts.get(name);
    const sent: Binding[] = metadata.bindings;
    const bindings = sent.map((binding) => {
      if (binding.type !== "inherit") return binding;
      const held = before?.bindings.find((each) => each.name === binding.name);
      if (held !== undefined) return held;
      throw new Refusal(400, { code: 10_057, message: `inherit binding '${binding.name}' is invalid` });
    });
    const keeps = (metadata.keep_bindings ?? []) as string[];
    const named = new Set(bindings.map((each) => each.name));
    const rest = (before?.bindings ?? []).filter((each) => keeps.includes(each.type) && !named.has(each.name));
    const script: Script = {
      bindings: [...bindings, ...rest],
      sent,
      metadata,
      code: await textOf(form.get(metadata.main_module)),
      isOnWorkersDev: before?.isOnWorkersDev ?? false,
    };
    this.scripts.set(name, script);
    await this.#serve(script);
    return { id: name, tag: "t", etag: "e", deployment_id: "0".repeat(32), startup_time_ms: 5 };
  }

  /** As it was uploaded, and with nothing else. */
  async #serve({ bindings, code }: Script): Promise<void> {
    await this.#worker?.stop();
    this.#directory ??= await mkdtemp(join(tmpdir(), "push-token-registry-cloudflare-"));
    const bundle = join(this.#directory, "index.js");
    await writeFile(bundle, code);
    const values = bindings.flatMap(({ name, type, text, json }): [string, string | object][] => {
      if (type === "json") return [[name, json as object]];
      return type === "secret_text" || type === "plain_text" ? [[name, text ?? ""]] : [];
    });
    const data = join(this.#directory, "data");
    this.#worker = await serve({ bundle, bindings: Object.fromEntries(values), data });
  }

  #toWorker(request: IncomingMessage, response: ServerResponse): void {
    if (this.#worker === undefined) return void response.writeHead(404).end("There is nothing here yet");
    const { method, url, headers } = request;
    this.interrupt({ method: method ?? "", path: url ?? "", body: Buffer.alloc(0) }, false);
    const onward = send({ host: "127.0.0.1", port: this.#worker.port, method, path: url, headers }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  }
}

function jwt(): string {
  return `a.${Buffer.from(JSON.stringify({ exp: 4_000_000_000 })).toString("base64url")}.b`;
}

async function textOf(part: ReturnType<FormData["get"]>): Promise<string> {
  return part === null ? "" : typeof part === "string" ? part : await part.text();
}
