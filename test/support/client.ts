// Calls the Worker over HTTP as apps and back ends do.
import { exports } from "cloudflare:workers";
import { API_KEYS } from "./apps.ts";
import { uniqueUid } from "./unique.ts";

export { uniqueToken, uniqueUid } from "./unique.ts";

export interface Reply {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON came, and assert on it
  body: any;
  /** The body as it came. */
  text: string;
}

export interface CallOptions {
  headers?: Record<string, string>;
  body?: unknown;
  /** The host name that is called. */
  host?: string;
}

const HOST = "push-notification-us.registry.test";

/** One request; a `body` of text, bytes or a stream is sent as it is, anything else as JSON. */
export async function call(
  method: string,
  path: string,
  { headers = {}, body, host = HOST }: CallOptions = {},
): Promise<Reply> {
  const init: RequestInit = { method, headers };
  if (body !== undefined) init.body = isRaw(body) ? body : JSON.stringify(body);
  const response = await exports.default.fetch(`https://${host}${path}`, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: text === "" ? undefined : JSON.parse(text) };
}

function isRaw(body: unknown): body is string | Uint8Array | ReadableStream {
  return typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
}

/** A call of a back end. */
export function serverCall(method: string, path: string, { headers = {}, ...options }: CallOptions = {}, app = "test") {
  return call(method, path, { ...options, headers: { appId: app, apikey: API_KEYS.fullAccess, ...headers } });
}

/** One login of a user, with the calls that its SDK makes. */
export class TestSession {
  readonly app: string;
  readonly uid: string;
  readonly authToken: string;

  constructor(app: string, uid: string, authToken: string) {
    this.app = app;
    this.uid = uid;
    this.authToken = authToken;
  }

  call(method: string, path: string, { headers = {}, ...options }: CallOptions = {}): Promise<Reply> {
    return call(method, path, {
      ...options,
      headers: {
        appId: this.app,
        authToken: this.authToken,
        sdk: "android@4.0.10",
        "content-type": "application/json",
        ...headers,
      },
    });
  }

  /** The session id in the auth token. */
  get id(): string {
    return this.claims.sid;
  }

  get claims(): { sub: string; sid: string; app: string; iat: number; exp: number } {
    const payload = this.authToken.split(".")[1] ?? "";
    return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
  }

  register(tokens: Record<string, unknown>): Promise<Reply> {
    return this.call("POST", "/v2/tokens", { body: tokens });
  }

  /** All of the user's tokens, of all platforms. */
  async tokens(): Promise<string[]> {
    const { body } = await this.call("GET", "/v2/tokens");
    return [...body.data.ios, ...body.data.web, ...body.data.android];
  }

  delete(body?: unknown): Promise<Reply> {
    return this.call("DELETE", "/v2/tokens", { body });
  }

  logout(): Promise<Reply> {
    return this.call("DELETE", "/v3.0/me");
  }
}

/** Logs a user in: a new session, through the server API. */
export async function login(
  uid = uniqueUid(),
  { app = "test", lifetimeSeconds }: { app?: string; lifetimeSeconds?: number } = {},
) {
  const { body } = await serverCall(
    "POST",
    `/v3/users/${encodeURIComponent(uid)}/auth_tokens`,
    { body: { lifetimeSeconds } },
    app,
  );
  return new TestSession(app, uid, body.data.authToken);
}
