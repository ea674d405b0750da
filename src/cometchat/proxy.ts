// The rest of CometChat for its SDKs: a client that comes here for push tokens comes here for everything, and what is not
// ours is passed on. Only for apps with identity `cometchat`, only with an auth token, never with an API key.
//
// what                                          where it goes
// v2/tokens, notifications/push/v1/tokens       ours (routes/), and on to CometChat if the app says `both`
// PUT /me, GET /me, GET /settings               passed on; in the reply our hosts stand for CometChat's. PUT /me (login) is
//                                               refused if the session ended here and CometChat missed it
// DELETE /me                                    ends the session here first, then passed on
// other paths below /v3 and /v3.0               passed on to the app's client API
// other paths of {slug}-{region}.{our domain}   passed on to the extension of that name
//
// A reply that calls the auth token dead ends the session here, whatever was asked.
import { waitUntil } from "cloudflare:workers";
import type { Context, MiddlewareHandler, Next } from "hono";
import { createMiddleware } from "hono/factory";
import { checkOrigin, limitAddress } from "../auth/middleware.ts";
import { type CometChatApp, loadConfig } from "../config/apps.ts";
import type { AppEnv } from "../http/context.ts";
import { ApiError, deadAuthToken, unavailable } from "../http/errors.ts";
import { cleanPath, header, withoutMinorVersion } from "../http/request.ts";
import { hostSettingsOf } from "../http/settings.ts";
import {
  AUTH_TOKEN_LENGTH_MAX,
  BODY_BYTES_MAX,
  ERROR_BYTES_MAX,
  ME_BYTES_MAX,
  PROXY_TIMEOUT_MS,
  RETRY_AFTER_SECONDS,
  UPLOAD_TIMEOUT_MS,
} from "../limits.ts";
import { log } from "../log.ts";
import { askUser } from "../objects.ts";
import { replyHeaders, requestHeaders } from "./headers.ts";
import { isKnownDead, isVouchedFor, knownUid, note, noteAccepted, sessionOf, verify } from "./identity.ts";
import { mirror } from "./mirror.ts";
import { endSession, uidHint } from "./sessions.ts";
import { limitUnverified } from "./unverified.ts";
import { ask, clientApiUrl, extensionUrl, isDead, isObject, readJson, type Verdict, verdictOf } from "./upstream.ts";

/** The extension whose token API is ours. */
const OUR_EXTENSION = "push-notification";
const OURS = /^\/(v2\/tokens|v3\/notifications\/push\/v1\/tokens)(\/|$)/;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** A call that is passed on. */
interface Call {
  c: Context<AppEnv>;
  app: CometChatApp;
  authToken: string;
  session: string;
  /** Where it goes. */
  url: URL;
}

export const proxy: MiddlewareHandler<AppEnv> = createMiddleware<AppEnv>((c, next) => {
  const app = cometChatApp(c);
  if (app === null || header(c, "apikey") !== undefined) return next();
  const authToken = header(c, "authToken");
  return authToken === undefined ? next() : serveApp(c, next, app, authToken);
});

/** What a client of the app asks with its auth token: answered, passed on, or left to our routes. */
async function serveApp(c: Context<AppEnv>, next: Next, app: CometChatApp, authToken: string) {
  checkOrigin(c, app);
  c.set("app", app);
  const path = upstreamPath(c.req.raw);
  const route = withoutMinorVersion(path);
  if (OURS.test(route)) return mirror(c, next, { app, authToken, path, route });
  checkUnambiguous(path);
  const url = destination(c, app, path, route);
  if (url === null) return next();
  if (!METHODS.includes(c.req.method)) {
    throw new ApiError("ERR_API_NOT_FOUND", `This API does not accept the method ${c.req.method}.`, { status: 405 });
  }
  if (authToken.length > AUTH_TOKEN_LENGTH_MAX) {
    throw new ApiError("ERR_BAD_REQUEST", `The authToken is longer than ${AUTH_TOKEN_LENGTH_MAX} characters.`);
  }
  const call: Call = { c, app, authToken, session: await sessionOf(authToken), url };
  const isClientApi = url.host === clientApiUrl(app, "/").host;
  switch (isClientApi ? `${c.req.method} ${route}` : "") {
    case "DELETE /v3/me":
      return logout(call);
    case "PUT /v3/me":
    case "GET /v3/me":
      return me(call);
    case "GET /v3/settings":
      return settings(call);
    default:
      return passOn(call);
  }
}

function cometChatApp(c: Context<AppEnv>): CometChatApp | null {
  const app = loadConfig(c.env).apps.get(header(c, "appId") ?? "");
  return app !== undefined && "identity" in app && app.identity === "cometchat" ? app : null;
}

/** The path as it is passed on: what was matched here is what is asked there, whichever way it was written. */
function upstreamPath(request: Request): string {
  return cleanPath(request).replace(/%([2-7][0-9a-f])/gi, (encoded, hex) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[\w.~-]/.test(character) ? character : encoded;
  });
}

/** @throws {ApiError} 400 for a path that two servers could read in two ways */
function checkUnambiguous(path: string): void {
  if (/\/\.{1,2}(\/|$)|%2f|%5c|%00|\\/i.test(path)) {
    throw new ApiError("ERR_BAD_REQUEST", "The path must hold no dot segments, backslashes or encoded slashes.");
  }
}

/** Where a call that is not ours goes; `null` if it goes nowhere. */
function destination(c: Context<AppEnv>, app: CometChatApp, path: string, route: string): URL | null {
  const { host, search } = new URL(c.req.url);
  const slug = host === app.publicHost && !host.startsWith(`${OUR_EXTENSION}-`) ? null : slugOf(host, app.region);
  if (slug !== null && slug !== OUR_EXTENSION) return extensionUrl(app, slug, path, search);
  if (route.startsWith("/v3/")) return clientApiUrl(app, path, search);
  return slug === null ? null : extensionUrl(app, slug, path, search);
}

/** The extension that a host name of the form `{slug}-{region}.{domain}` names. */
function slugOf(host: string, region: string): string | null {
  const label = host.slice(0, Math.max(0, host.indexOf(".")));
  const slug = label.endsWith(`-${region}`) ? label.slice(0, -region.length - 1) : "";
  return /^[a-z0-9-]+$/.test(slug) ? slug : null;
}

/** The upstream's reply; an auth token of which nothing is known costs its client one of a limited number. */
async function forward({ c, app, session, url }: Call, dropped: string[] = []): Promise<Response> {
  if (!isVouchedFor(app, session)) await limitUnverified(c, app);
  const { method, body } = c.req.raw;
  const headers = requestHeaders(c.req.raw.headers);
  for (const name of dropped) headers.delete(name);
  // CometChat does not begin to reply before it has read a file, and a phone sends one as slowly as its network is.
  const isSmall = body === null || Number(headers.get("content-length") ?? Number.NaN) <= BODY_BYTES_MAX;
  return ask(url, { method, headers, body }, isSmall ? PROXY_TIMEOUT_MS : UPLOAD_TIMEOUT_MS);
}

async function passOn(call: Call): Promise<Response> {
  return relay(call, await forward(call));
}

/** The reply as it came; one that calls the auth token dead has ended the session here before the client sees it. */
async function relay({ c, app, session, authToken }: Call, response: Response): Promise<Response> {
  const { status, statusText, headers } = response;
  let { body } = response;
  if (status >= 400 && body !== null) {
    const [read, passed] = body.tee();
    body = passed;
    if (isDead(await readJson(read, ERROR_BYTES_MAX))) await note(c.env, app, session, authToken, { is: "dead" });
  } else if (status < 300) {
    noteAccepted(app, session);
  }
  return new Response(body, { status, statusText, headers: replyHeaders(headers) });
}

/** `PUT /me` (login) and `GET /me`: what they say of the auth token counts as a verification. */
async function me(call: Call): Promise<Response> {
  const { c, app, session, authToken } = call;
  const response = await forward(call);
  if (response.status !== 200) return relay(call, response);
  const body = await readJson(response.body, ME_BYTES_MAX);
  const verdict = verdictOf(200, body);
  if (verdict.is === "unclear") throw unavailable(RETRY_AFTER_SECONDS, new Error(`the reply to /me: ${verdict.why}`));
  await note(c.env, app, session, authToken, verdict);
  if (verdict.is === "alive" && c.req.method === "PUT" && (await hasEnded(call, verdict.uid))) {
    waitUntil(catchUp(call).catch((error) => log.warn("a logout was not made up for", { app: app.appId, error })));
    throw deadAuthToken();
  }
  if (isObject(body) && isObject(body.data) && isObject(body.data.settings)) {
    Object.assign(body.data.settings, hostSettingsOf(c));
  }
  return rewritten(response, body);
}

/**
 * Whether the session ended here although CometChat lets it log in: CometChat missed the logout. A login like that would
 * never get a push, so it is refused, as every login with a dead auth token is.
 */
async function hasEnded({ c, app, session }: Call, uid: string): Promise<boolean> {
  const found = { id: session, issuedAt: null, usableUntil: null };
  // Without an answer the login goes on: chat does not depend on the registry.
  const outcome = await askUser(c.env, app, uid, (user) => user.check(found)).catch(() => null);
  return outcome?.ok === false && outcome.reason !== "unavailable";
}

/** Tells CometChat of the logout that it missed. */
async function catchUp({ c, app, session, authToken }: Call): Promise<void> {
  const init = { method: "DELETE", headers: { appId: app.appId, authToken, Accept: "application/json" } };
  const response = await ask(clientApiUrl(app, "/v3.0/me"), init, PROXY_TIMEOUT_MS);
  const verdict = verdictOfLogout(response.status, await readJson(response.body, ERROR_BYTES_MAX));
  if (verdict !== null) await note(c.env, app, session, authToken, verdict);
}

async function settings(call: Call): Promise<Response> {
  const response = await forward(call);
  if (response.status !== 200) return relay(call, response);
  const body = await readJson(response.body, ME_BYTES_MAX);
  if (!isObject(body) || !isObject(body.data)) {
    if (isDead(body)) await note(call.c.env, call.app, call.session, call.authToken, { is: "dead" });
    else throw unavailable(RETRY_AFTER_SECONDS, new Error("the reply to /settings holds none"));
  } else {
    Object.assign(body.data, hostSettingsOf(call.c));
  }
  return rewritten(response, body);
}

function rewritten({ status, headers }: Response, body: unknown): Response {
  return new Response(JSON.stringify(body), { status, headers: replyHeaders(headers, { rewritten: true }) });
}

/**
 * `DELETE /me`. The SDK forgets its auth token whatever we answer, and never asks again: so the session ends here before
 * anything can fail, and once more if our own object or CometChat did not answer at first. A logout is not acknowledged
 * while the session may come back: 503 if we cannot tell whose it is, or cannot end it.
 */
async function logout(call: Call): Promise<Response> {
  const { c, app, session, authToken } = call;
  if (!isVouchedFor(app, session)) await limitAddress(c, app);
  const ended = await endHere(call).catch((error) => {
    log.error("a session did not end at once", { requestId: c.var.requestId, app: app.appId, error });
    return null;
  });
  // CometChat's reply must be about this auth token, and about no other that came along.
  call.url.search = "";
  const { status, statusText, headers, body } = await forward(call, ["authorization"]).catch(async (error) => {
    if (ended !== true) await endHere(call);
    throw error;
  });
  const [read, passed] = body?.tee() ?? [null, null];
  const reply = verdictOfLogout(status, await readJson(read, ERROR_BYTES_MAX));
  // Whoever was called dead just before is not alive for being let go of: logging out twice may be no error.
  const verdict: typeof reply = reply !== null && ended === false ? { is: "dead" } : reply;
  if (verdict !== null) await note(c.env, app, session, authToken, verdict);
  if (ended !== true) {
    // Nobody says whose it was, and another isolate may still know it as alive.
    if (verdict?.wasAlive === true && knownUid(app, session) === null) throw unavailable(RETRY_AFTER_SECONDS);
    await endHere(call, verdict !== null);
  }
  return new Response(passed, { status, statusText, headers: replyHeaders(headers) });
}

/** What CometChat's reply to a logout says of the auth token; `null`: nothing. */
function verdictOfLogout(status: number, reply: unknown): (Verdict & { is: "dead" }) | null {
  if (isDead(reply)) return { is: "dead" };
  return status === 200 && isObject(reply) && "data" in reply ? { is: "dead", wasAlive: true } : null;
}

/**
 * Ends the session of the auth token before CometChat is asked to, by the surest uid that there is. `false`: CometChat calls
 * the auth token dead, and it holds nothing here. Whoever makes one up gets nothing written.
 * @throws {ApiError} if the session may live on
 */
async function endHere({ c, app, session, authToken }: Call, saidDead = false): Promise<boolean> {
  const confirmed = saidDead || isKnownDead(app, session);
  const end = (uid: string, certain: boolean) => endSession(c.env, app, { session, uid, certain, confirmed });
  const known = knownUid(app, session);
  const hint = uidHint(authToken);
  if (known === null && hint !== null && (await end(hint, false))) return true;
  const uid = known ?? (await verify(c, app, session, authToken));
  if (uid !== null) await end(uid, true);
  return uid !== null;
}
