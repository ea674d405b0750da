// The Worker over HTTPS, as the SDKs need it (they speak nothing else), and a client that reaches it by any host name.
import { rm } from "node:fs/promises";
import { Agent, request } from "node:https";
import { dirname } from "node:path";
import { generate } from "selfsigned";
import { inject } from "vitest";
import { type Server, serve } from "../../../scripts/lib/workerd.ts";
import { API_KEYS, testBindings } from "../apps.ts";
import { exchange, type HttpCall, type HttpReply } from "./wire.ts";

export interface RegistryOptions {
  /** The names that its certificate is valid for: a client that calls another one gets no connection. */
  hosts: [string, ...string[]];
  bindings?: Record<string, string | object>;
  /** `host:port` of an HTTP server that answers whatever the Worker fetches. */
  outbound?: string;
}

export interface ServerCall {
  app?: string;
  key?: string;
  body?: unknown;
}

/** A running Worker, with its data on disk. */
export class Registry {
  readonly server: Server;
  readonly #host: string;
  readonly #agent: Agent;

  private constructor(server: Server, host: string, certificate: string) {
    this.server = server;
    this.#host = host;
    this.#agent = new Agent({ keepAlive: true, ca: certificate });
  }

  static async start({ hosts, bindings = testBindings, outbound }: RegistryOptions): Promise<Registry> {
    const tls = await certificate(hosts);
    const options = { bundle: inject("bundle"), bindings, tls, ...(outbound === undefined ? {} : { outbound }) };
    return new Registry(await serve(options), hosts[0], tls.cert);
  }

  /** A call of a back end, by the first of the hosts. */
  async serverCall(method: string, path: string, { app = "test", key = API_KEYS.fullAccess, body }: ServerCall = {}) {
    const { status, text } = await this.send({
      method,
      host: this.#host,
      path,
      headers: { appid: app, apikey: key, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status, body: JSON.parse(text) };
  }

  /** Logs a user in as a back end does: a new session. */
  async mint(uid: string, app = "test"): Promise<string> {
    const { status, body } = await this.serverCall("POST", `/v3/users/${uid}/auth_tokens`, { app });
    if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
    return body.data.authToken;
  }

  /** The tokens that a sender would push to. */
  async pushTokens(uid: string, app = "test"): Promise<string[]> {
    const { body } = await this.serverCall("GET", `/v3/users/${uid}/push_tokens`, { app, key: API_KEYS.sender });
    return body.data.pushTokens.map(({ token }: { token: string }) => token).sort();
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.server.stop();
    await rm(dirname(this.server.data), { recursive: true, force: true });
  }

  /** One request with these headers and no others but `Host` and the body's length. */
  send(call: HttpCall): Promise<HttpReply> {
    const where = { host: "127.0.0.1", port: this.server.port, servername: call.host, agent: this.#agent };
    return exchange(request, where, call);
  }
}

/** A certificate for these names that nobody signed, and its key. */
export async function certificate(hosts: string[]): Promise<{ key: string; cert: string }> {
  const { private: key, cert } = await generate([{ name: "commonName", value: "test" }], {
    keyType: "ec",
    extensions: [{ name: "subjectAltName", altNames: hosts.map((value) => ({ type: 2, value })) }],
  });
  return { key, cert };
}
