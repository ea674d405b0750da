// The registry's calls for back ends. Copy this file and api.d.ts into your project: they need nothing else, and run wherever
// there is `fetch` (Node, Deno, Bun, Workers). README.md has a program that uses them.
import type { Calls } from "./api.js";

export interface RegistryOptions {
  /** `https://push-notification-us.<account>.workers.dev` */
  url: string;
  appId: string;
  /** Scope `sender` reads and reports, `authOnly` mints, `fullAccess` does everything. */
  apiKey: string;
  /** How often a call is repeated that was answered 429 or 503; 2 by default. */
  retries?: number;
  /** The platform's by default. */
  fetch?: typeof fetch;
}

/** What goes into a call. `path`, `query` and `body` as the call has them. */
export type Input<Name extends keyof Calls> = Omit<Calls[Name], "data"> & { signal?: AbortSignal };

/** `data` of a call's success. */
export type Data<Name extends keyof Calls> = Calls[Name]["data"];

/** Nothing has to be given where a call has no field that must be there. */
type Given<Name extends keyof Calls> = Record<never, never> extends Input<Name> ? [input?: Input<Name>] : [Input<Name>];

/** `registry("POST /v3/push_tokens/lookup", { body: { uids } })`. Throws a {@link RegistryError}, or what `fetch` throws. */
export type Registry = <Name extends keyof Calls>(call: Name, ...given: Given<Name>) => Promise<Data<Name>>;

/** The registry refused a call. */
export class RegistryError extends Error {
  override name = "RegistryError";
  readonly status: number;
  /** `ERR_BAD_REQUEST`, `AUTH_ERR_APIKEY_NOT_FOUND`, …; empty if something else than the registry answered. */
  readonly code: string;
  /** Field of the request → what is wrong with it. */
  readonly details: Record<string, string[]>;
  /** After which time (ms) a repeat may help; `null` if the registry did not say. */
  readonly retryAfterMs: number | null;
  /** Names the call in the registry's log. */
  readonly requestId: string | null;

  constructor(call: string, response: Response, error: { code?: string; message?: string; details?: object }) {
    super(`${call}: ${response.status} ${error.code ?? ""} ${error.message ?? "no JSON: is that a registry?"}`);
    this.status = response.status;
    this.code = error.code ?? "";
    this.details = { ...error.details } as Record<string, string[]>;
    const seconds = Number(response.headers.get("Retry-After") ?? Number.NaN);
    this.retryAfterMs = Number.isNaN(seconds) ? null : seconds * 1000;
    this.requestId = response.headers.get("X-Request-Id");
  }
}

/** Nobody waits longer than this (ms) for a repeat: the error says how long it would have been. */
const WAIT_MAX = 30_000;

export function createRegistry({ url, appId, apiKey, retries = 2, ...platform }: RegistryOptions): Registry {
  const send = platform.fetch ?? fetch;
  return async (call, ...[input = {}]) => {
    const { path = {}, query = {}, body, signal } = input as Parts;
    const [method = "", template = ""] = call.split(" ");
    const target = new URL(
      `${url.replace(/\/+$/, "")}${template.replace(/\{(\w+)\}/g, (_, name) => segment(path[name]))}`,
    );
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) target.searchParams.set(name, String(value));
    }
    const init: RequestInit = { method, headers: { appId, apikey: apiKey, "Content-Type": "application/json" } };
    if (body !== undefined) init.body = JSON.stringify(body);
    if (signal !== undefined) init.signal = signal;
    for (let repeats = 0; ; repeats += 1) {
      const response = await send(target, init);
      const reply = (await response.json().catch(() => ({}))) as { data?: never; error?: object };
      if (response.ok && reply.data !== undefined) return reply.data;
      const error = new RegistryError(call, response, reply.error ?? {});
      const wait = waitFor(error);
      if (repeats >= retries || wait > WAIT_MAX) throw error;
      await sleep(wait, signal);
    }
  };
}

interface Parts {
  path?: Record<string, string>;
  query?: Record<string, unknown>;
  body?: unknown;
  signal?: AbortSignal;
}

/** A dot segment would lead to another call: the registry refuses it, and URL parsers resolve it before that. */
function segment(value: string | undefined): string {
  if (value === undefined || value === "" || value === "." || value === "..") {
    throw new TypeError(`${JSON.stringify(value)} cannot stand in a path`);
  }
  return encodeURIComponent(value);
}

/** With jitter, so that a fleet does not come back at once. Other refusals are not repeated. */
function waitFor({ status, retryAfterMs }: RegistryError): number {
  if (status !== 429 && status !== 503) return Number.POSITIVE_INFINITY;
  return (retryAfterMs ?? 1000) * (1 + Math.random() / 4);
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
