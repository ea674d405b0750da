// The rest of CometChat for its SDKs: a client that comes here for push tokens comes here for everything, and what is not
// ours is passed on. Only for apps with identity `cometchat`, only with an auth token, never with an API key.
//
// what                                          where it goes
// v2/tokens, notifications/push/v1/tokens       ours (routes/), and on to CometChat if the app says `both`
// me/devices                                    ours
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
import { authTokenOf, checkOrigin, isBackEnd } from "../auth/middleware.ts";
import { type CometChatApp, loadConfig } from "../config/apps.ts";
import { setMembers } from "../domain/json-text.ts";
import type { AppEnv } from "../http/context.ts";
import { ApiError, deadAuthToken, unavailable } from "../http/errors.ts";
import { header, withoutMinorVersion } from "../http/request.ts";
import { hostSettingsOf } from "../http/settings.ts";
import { AUTH_TOKEN_LENGTH_MAX, ME_BYTES_MAX, RETRY_AFTER_SECONDS } from "../limits.ts";
import { log } from "../log.ts";
import { askUser } from "../objects.ts";
import { checkUnambiguous, destination, upstreamPath } from "./destination.ts";
import { type Call, forward, passOn, relay } from "./forward.ts";
import { replyHeaders } from "./headers.ts";
import { catchUp, logout } from "./logout.ts";
import { recordVerdict, sessionOf } from "./memory.ts";
import { mirror } from "./mirror.ts";
import { clientApiUrl, isDead, isObject, readJsonText, verdictOf } from "./upstream.ts";

const OURS = /^\/(v2\/tokens|v3\/notifications\/push\/v1\/tokens|v3\/me\/devices)(\/|$)/;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

export const proxy: MiddlewareHandler<AppEnv> = createMiddleware<AppEnv>((c, next) => {
  const app = cometChatApp(c);
  // A person is no client of the app, whatever comes with the call.
  if (app === null || c.var.person !== undefined) return next();
  // Of a back end's calls only those that change push tokens are copied, and nothing is passed on.
  if (isBackEnd(c)) return mirror(c, next, app);
  const authToken = authTokenOf(c);
  return authToken === undefined ? next() : serveApp(c, next, app, authToken);
});

/** What a client of the app asks with its auth token: answered, passed on, or left to our routes. */
async function serveApp(c: Context<AppEnv>, next: Next, app: CometChatApp, authToken: string) {
  checkOrigin(c, app);
  c.set("app", app);
  const path = upstreamPath(c.req.raw);
  const route = withoutMinorVersion(path);
  if (OURS.test(route)) return mirror(c, next, app);
  checkUnambiguous(path);
  const url = destination(app, c.req.url, path);
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

/** `PUT /me` (login) and `GET /me`: what they say of the auth token counts as a verification. */
async function me(call: Call): Promise<Response> {
  const { c, app, session, authToken } = call;
  const response = await forward(call);
  if (response.status !== 200) return relay(call, response);
  const { text, value } = await readJsonText(response.body, ME_BYTES_MAX);
  const verdict = verdictOf(200, value);
  if (verdict.is === "unclear") throw unavailable(RETRY_AFTER_SECONDS, new Error(`the reply to /me: ${verdict.why}`));
  await recordVerdict(c.env, app, session, authToken, verdict);
  if (verdict.is === "alive" && c.req.method === "PUT" && (await hasEnded(call, verdict.uid))) {
    waitUntil(catchUp(call).catch((error) => log.warn("a logout was not made up for", { app: app.appId, error })));
    throw deadAuthToken();
  }
  return rewritten(response, setMembers(text, ["data", "settings"], hostSettingsOf(c)));
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

async function settings(call: Call): Promise<Response> {
  const response = await forward(call);
  if (response.status !== 200) return relay(call, response);
  const { text, value } = await readJsonText(response.body, ME_BYTES_MAX);
  if (!isObject(value) || !isObject(value.data)) {
    if (!isDead(value)) throw unavailable(RETRY_AFTER_SECONDS, new Error("the reply to /settings holds none"));
    await recordVerdict(call.c.env, call.app, call.session, call.authToken, { is: "dead" });
  }
  return rewritten(response, setMembers(text, ["data"], hostSettingsOf(call.c)));
}

function rewritten({ status, headers }: Response, body: string): Response {
  return new Response(body, { status, headers: replyHeaders(headers, { rewritten: true }) });
}
