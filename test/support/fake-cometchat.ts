// CometChat as far as its client SDKs and this Worker see it: the client API, login at the admin API, the push-notification
// extension and a second one. Hosts, paths, headers, replies and error codes are those that the SDKs were observed to use.
// What back ends ask of it stands in fake-cometchat-rest.ts. It runs wherever there are Request and Response: behind workerd's outbound service, or behind a Node server. What it
// received is kept and counted, and it fails as told.

import { answerBackEnd } from "./fake-cometchat-rest.ts";

export interface ReceivedRequest {
  method: string;
  host: string;
  /** With the query. */
  path: string;
  /** By lower-cased name. */
  headers: Record<string, string>;
  body: string;
  /** Epoch ms. */
  at: number;
}

/** Which requests; what is not given is not looked at. */
export interface Match {
  /** The start of the host name. */
  host?: string;
  method?: string;
  /** The path without its query. */
  path?: string;
  authToken?: string;
}

/** What happens to the requests that match. */
export interface Fault extends Match {
  /** Only the first so many; all by default. */
  times?: number;
  /** Waits before it does anything. */
  delayMs?: number;
  /** Waits until {@link FakeCometChat.heal}: before it does anything, or behind the first of `chunks`. */
  isHeld?: boolean;
  /** Answers this instead of its own reply. */
  status?: number;
  /** As it stands, or as JSON. */
  body?: string | object;
  chunks?: string[];
  /** Added to the reply. */
  headers?: Record<string, string>;
  /** Answers after the request took effect, with `status` and `body`. */
  afterEffect?: boolean;
}

export interface FakeCometChatOptions {
  /** Regions by appId. */
  apps: Record<string, string>;
  domain?: string;
  /** Users on a page of its REST API, at most. */
  usersPerPage?: number;
}

export interface Login {
  app: string;
  uid: string;
  authToken: string;
  alive: boolean;
  /** What the extension and its successor hold for this login. */
  pushTokens: Record<string, string>;
  /** The user that the REST API names beside its push tokens; by default the login's own. */
  listedFor?: string;
  /** What the successor lists, by platform. */
  listed: Record<string, ListedToken>;
}

export interface ListedToken {
  pushToken: string;
  providerId: string | undefined;
  createdAt: string;
  updatedAt: string;
}

interface Context {
  app: string;
  region: string;
  request: ReceivedRequest;
  authToken: string;
  login: Login;
}

/** The API key that the fake's admin API accepts (`login(uid, authKey)`). */
export const FAKE_AUTH_KEY = "fake-cometchat-auth-key";

export class FakeCometChat {
  readonly requests: ReceivedRequest[] = [];
  readonly #apps: Record<string, string>;
  readonly #domain: string;
  readonly #usersPerPage: number;
  readonly #logins = new Map<string, Login>();
  #faults: Fault[] = [];
  readonly #healed = new Map<Fault, PromiseWithResolvers<void>>();
  #issued = 0;

  constructor({ apps, domain = "cometchat.io", usersPerPage = 1000 }: FakeCometChatOptions) {
    this.#apps = apps;
    this.#usersPerPage = usersPerPage;
    this.#domain = domain;
  }

  // What tests do

  /** A new auth token of a user: `<uid>_<10 digits><30 hex digits>`, as in every published example. */
  issue(app: string, uid: string, authToken = this.#newAuthToken(uid)): string {
    this.#logins.set(`${app}:${authToken}`, { app, uid, authToken, alive: true, pushTokens: {}, listed: {} });
    return authToken;
  }

  #newAuthToken(uid: string): string {
    this.#issued += 1;
    const hex = crypto.randomUUID().replaceAll("-", "").slice(0, 30);
    return `${uid}_${1_700_000_000 + this.#issued}${hex}`;
  }

  /** The auth token is dead from now on. */
  kill(app: string, authToken: string): void {
    const login = this.#logins.get(`${app}:${authToken}`);
    if (login !== undefined) login.alive = false;
  }

  /** The REST API says of the login's push tokens that they are `uid`'s. */
  listFor(app: string, authToken: string, uid: string): void {
    const login = this.#logins.get(`${app}:${authToken}`);
    if (login !== undefined) login.listedFor = uid;
  }

  isAlive(app: string, authToken: string): boolean {
    return this.#logins.get(`${app}:${authToken}`)?.alive === true;
  }

  /** What CometChat itself holds for a login. */
  pushTokens(app: string, authToken: string): Record<string, string> {
    return this.#logins.get(`${app}:${authToken}`)?.pushTokens ?? {};
  }

  fail(fault: Fault): void {
    const added = { ...fault };
    this.#faults.push(added);
    if (fault.isHeld) this.#healed.set(added, Promise.withResolvers());
  }

  /** Ends all faults that name exactly these. */
  heal(match: Match = {}): void {
    const isEnded = (fault: Fault) =>
      fault.host === match.host &&
      fault.authToken === match.authToken &&
      fault.path === match.path &&
      fault.method === match.method;
    for (const fault of this.#faults.filter(isEnded)) this.#healed.get(fault)?.resolve();
    this.#faults = this.#faults.filter((fault) => !isEnded(fault));
  }

  received(match: Match = {}): ReceivedRequest[] {
    return this.requests.filter((request) => matches(request, match));
  }

  count(match: Match = {}): number {
    return this.received(match).length;
  }

  // What clients and the Worker see

  /** Whether a host name is one of CometChat's. */
  serves(hostname: string): boolean {
    return hostname.endsWith(`.${this.#domain}`);
  }

  async fetch(request: Request): Promise<Response> {
    const { host, pathname, search } = new URL(request.url);
    const received: ReceivedRequest = {
      method: request.method,
      host,
      path: pathname + search,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
      at: Date.now(),
    };
    if (request.method === "OPTIONS") return withCors(received, new Response(null, { status: 204 }));
    this.requests.push(received);
    const fault = this.#faultOf(received);
    if (fault?.delayMs !== undefined) await sleep(fault.delayMs);
    const healed = fault && this.#healed.get(fault)?.promise;
    if (fault !== undefined && isReply(fault)) {
      if (fault.afterEffect === true) this.#answer(received);
      if (fault.chunks === undefined) await healed;
      return withCors(received, toResponse(fault, healed));
    }
    await healed;
    const { status, body } = this.#answer(received);
    const response = Response.json(body, { status, headers: fault?.headers ?? {} });
    response.headers.set("x-rate-limit", "700");
    response.headers.set("x-rate-limit-remaining", "699");
    return withCors(received, response);
  }

  #faultOf(request: ReceivedRequest): Fault | undefined {
    const fault = this.#faults.find((each) => each.times !== 0 && matches(request, each));
    if (fault?.times !== undefined) fault.times -= 1;
    return fault;
  }

  #answer(request: ReceivedRequest): Answer {
    const host = request.host.slice(0, -this.#domain.length - 1);
    const [, appOfHost, api] = host.match(/^(.+)\.(api|apiclient)-[a-z]+$/) ?? [];
    const app = api === undefined ? request.headers.appid : appOfHost;
    if (app === undefined) return refuse(401, "AUTH_ERR_EMPTY_APPID");
    const region = this.#apps[app];
    const { appid = api === "api" ? app : undefined } = request.headers;
    if (region === undefined || app !== appid) return refuse(401, "AUTH_ERR_INVALID_APPID");
    if (!host.endsWith(`-${region}`)) return refuse(401, "AUTH_ERR_INVALID_APPID");
    if (api === "api") return this.#admin(app, request);
    const authToken = request.headers.authtoken;
    if (authToken === undefined) return refuse(401, "AUTH_ERR_EMPTY_AUTH_TOKEN");
    const login = this.#logins.get(`${app}:${authToken}`);
    if (login === undefined || !login.alive) return refuse(401, "AUTH_ERR_AUTH_TOKEN_NOT_FOUND");
    const context = { app, region, request, authToken, login };
    return api === "apiclient" ? this.#client(context) : extension(host.slice(0, -region.length - 1), context);
  }

  /** `login(uid, authKey)`: the SDK asks the admin API for an auth token. Whatever is read there, back ends read. */
  #admin(app: string, request: ReceivedRequest): Answer {
    const { method, path, headers } = request;
    const logins = [...this.#logins.values()].filter((login) => login.app === app);
    if (method === "GET") return answerBackEnd(request, logins, this.#usersPerPage);
    const uid = path.match(/^\/v3(?:\.0)?\/users\/([^/]+)\/auth_tokens$/)?.[1];
    if (method !== "POST" || uid === undefined) return refuse(404, "ERR_API_NOT_FOUND");
    if (headers.apikey !== FAKE_AUTH_KEY) return refuse(401, "AUTH_ERR_APIKEY_NOT_FOUND");
    return ok({ uid, authToken: this.issue(app, uid), createdAt: 1_700_000_000 });
  }

  #client(context: Context): Answer {
    const { request, login, authToken, app } = context;
    const path = request.path.replace(/\?.*$/, "").replace(/^\/v3(\.0)?/, "");
    const user = { uid: login.uid, name: `Name of ${login.uid}`, status: "available", role: "default" };
    switch (`${request.method} ${path}`) {
      case "PUT /me":
      case "GET /me":
        return ok({ ...user, authToken, jwt: `jwt-of-${login.uid}`, wsChannel: {}, settings: this.#settings(context) });
      case "DELETE /me":
        this.kill(app, authToken);
        return ok({ success: true, message: "The user has been logged out." });
      case "GET /settings":
        return ok(this.#settings(context));
      case "POST /user_sessions":
        return ok({ success: true });
      case "POST /notifications/push/v1/tokens":
      case "DELETE /notifications/push/v1/tokens":
        keepPushTokens(context);
        return ok({ success: true });
      case "GET /users":
        return { status: 200, body: { data: [user], meta: { pagination: { total: 1, count: 1 } } } };
      case "POST /messages":
        return ok({ id: "1", sender: login.uid, data: request.body });
      default:
        return refuse(404, "ERR_API_NOT_FOUND");
    }
  }

  #settings({ app, region }: Context): object {
    return {
      REGION: region,
      EXTENSION_DOMAIN: this.#domain,
      CHAT_API_VERSION: "v3.0",
      CLIENT_API_HOST: `${app}.apiclient-${region}.${this.#domain}`,
      ADMIN_API_HOST: `${app}.api-${region}.${this.#domain}`,
      CHAT_HOST: `${app}.websocket-${region}.${this.#domain}`,
      CHAT_WSS_PORT: "443",
      APP_VERSION: 4,
      MODE: "DEFAULT",
      ANALYTICS_PING_DISABLED: true,
      extensions: [{ id: "push-notification" }, { id: "polls" }],
    };
  }

  // Control from another process

  /** Calls a method of the fake: the path names it, the body is the JSON array of its arguments. */
  async control(request: Request): Promise<Response> {
    const method = new URL(request.url).pathname.slice(1);
    const args = (await request.json()) as never[];
    if (!isControl(method)) return Response.json({ error: `there is no ${method}` }, { status: 404 });
    const result: unknown = (this[method] as (...args: never[]) => unknown)(...args);
    return Response.json({ result: result ?? null });
  }
}

const CONTROLS = ["issue", "kill", "isAlive", "pushTokens", "fail", "heal", "received", "count"] as const;
export type Control = (typeof CONTROLS)[number];

function isControl(method: string): method is Control {
  return CONTROLS.some((control) => control === method);
}

export interface Answer {
  status: number;
  body: object;
}

export function ok(data: object): Answer {
  return { status: 200, body: { data } };
}

export function refuse(status: number, code: string): Answer {
  return { status, body: { error: { code, message: `The fake says ${code}.`, details: {} } } };
}

/** The push-notification extension keeps tokens; the second extension tells what it was asked. */
function extension(slug: string, context: Context): Answer {
  const { request, login } = context;
  const [path] = request.path.split("?");
  if (slug === "push-notification" && path === "/v2/tokens") {
    if (request.method !== "GET") keepPushTokens(context);
    return ok(request.method === "GET" ? { ios: [], web: [], android: [] } : { success: true });
  }
  const isKnown = slug === "push-notification" ? /^\/v2\/(un)?mute-|^\/v2\/user-settings$/ : /^\/v[0-9]\//;
  if ((slug !== "push-notification" && slug !== "polls") || !isKnown.test(request.path)) {
    return refuse(404, "ERR_EXTENSION_NOT_FOUND");
  }
  return ok({ slug, uid: login.uid, method: request.method, path: request.path, body: request.body });
}

function keepPushTokens({ request, login }: Context): void {
  const given = request.body === "" ? {} : (JSON.parse(request.body) as Record<string, string>);
  if (request.method === "DELETE") Object.assign(login, { pushTokens: {}, listed: {} });
  else Object.assign(login.pushTokens, given);
  const { platform, providerId } = given;
  const pushToken = given.fcmToken ?? given.deviceToken ?? given.voipToken;
  if (request.method === "DELETE" || platform === undefined || pushToken === undefined) return;
  const now = new Date(request.at).toISOString();
  const { createdAt = now } = login.listed[platform] ?? {};
  login.listed[platform] = { pushToken, providerId, createdAt, updatedAt: now };
}

function matches(request: ReceivedRequest, match: Match): boolean {
  return (
    (match.host === undefined || request.host.startsWith(match.host)) &&
    (match.method === undefined || request.method === match.method) &&
    (match.path === undefined || request.path.split("?")[0] === match.path) &&
    (match.authToken === undefined || request.headers.authtoken === match.authToken)
  );
}

function isReply(fault: Fault): boolean {
  return fault.status !== undefined || fault.body !== undefined || fault.chunks !== undefined;
}

function toResponse(
  { status = 200, body = "", chunks, headers = {} }: Fault,
  healed: Promise<void> | undefined,
): Response {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const content = chunks === undefined ? text : inChunks(chunks, healed);
  const hasBody = status !== 204 && status !== 304;
  return new Response(hasBody ? content : null, {
    status,
    headers: { "content-type": "application/json", ...headers },
  });
}

function inChunks(chunks: readonly string[], healed: Promise<void> | undefined): ReadableStream<Uint8Array> {
  const rest = chunks.entries();
  return new ReadableStream({
    async pull(controller) {
      const next = rest.next();
      if (next.done) return controller.close();
      const [i, chunk] = next.value;
      if (i > 0) await healed;
      controller.enqueue(new TextEncoder().encode(chunk));
    },
  });
}

/** CometChat allows the page that asks; what a proxy must not pass on stands beside it. */
function withCors(request: ReceivedRequest, response: Response): Response {
  response.headers.set("access-control-allow-origin", request.headers.origin ?? "*");
  response.headers.set("access-control-allow-credentials", "true");
  response.headers.set("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE");
  response.headers.set("access-control-allow-headers", request.headers["access-control-request-headers"] ?? "*");
  response.headers.set("strict-transport-security", "max-age=31536000; includeSubDomains");
  response.headers.set("set-cookie", "__cf_bm=fake; Path=/; Secure; HttpOnly");
  return response;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
