// Who is calling: the app by its id, clients by their auth token, back ends by their API key.
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { routePath as routePathOf } from "hono/route";
import { verifyCometChat } from "../cometchat/identity.ts";
import { type App, ConfigError, loadConfig, type Scope } from "../config/apps.ts";
import { isNothing } from "../domain/nothing.ts";
import { normalizedOrigin } from "../domain/origins.ts";
import { userHash } from "../durable/names.ts";
import type { AppEnv } from "../http/context.ts";
import { ApiError, deadAuthToken } from "../http/errors.ts";
import { limitRate, limitStranger } from "../http/rate-limits.ts";
import { addressOf, header } from "../http/request.ts";
import { canonicalUid } from "../http/uids.ts";
import { log } from "../log.ts";
import { findApiKey } from "./api-keys.ts";
import { verifyIssued } from "./issued.ts";
import { verifyJwt } from "./jwt.ts";
import { reportMisconfigured } from "./keys.ts";
import type { Verifier } from "./verifier.ts";

/** Finds the app of the person, or the one that the `appId` header names, and checks the page's origin. */
export const knownApp = createMiddleware<AppEnv>(async (c, next) => {
  const app = await countingStrangers(c, () => {
    const appId = c.var.person?.appId ?? header(c, "appId");
    if (appId === undefined) throw new ApiError("AUTH_ERR_EMPTY_APPID", "The appId header is missing.");
    return appNamed(c.env, appId);
  });
  checkOrigin(c, app);
  c.set("app", app);
  return next();
});

/**
 * What `find` finds; a call for which it finds nothing is counted by its address.
 * @throws {ApiError} what `find` throws, 429
 */
export async function countingStrangers<T>(c: Context<AppEnv>, find: () => T): Promise<T> {
  try {
    return find();
  } catch (error) {
    const address = addressOf(c);
    if (address !== undefined) await limitStranger(c.env, address);
    throw error;
  }
}

/**
 * The app's own hosts need not be listed: what is served there may call.
 * @throws {ApiError} 403 for the page of an origin that the app does not list
 */
export function checkOrigin(c: Context<AppEnv>, app: App): void {
  // Not header(): `Origin: null` is a page that hides where it is from, such as a sandboxed frame.
  const sent = c.req.header("origin");
  if (sent === undefined || app.allowedOrigins === undefined) return;
  const origin = normalizedOrigin(sent);
  const own = [new URL(c.req.url).origin, `https://${app.publicHost}`];
  if (origin === null || !(app.allowedOrigins.includes(origin) || own.includes(origin))) {
    throw new ApiError("AUTH_ERR_NO_ACCESS", "This web page's origin is not allowed for the app.");
  }
}

/**
 * The app of that id.
 * @throws {ApiError} 401 if there is none, 500 if its configuration is wrong
 */
export function appNamed(env: Env, appId: string): App {
  const config = loadConfig(env);
  const app = config.apps.get(appId);
  if (config.problems.length > 0 || app instanceof ConfigError) {
    throw reportMisconfigured(app instanceof ConfigError ? app.problems : config.problems);
  }
  if (app === undefined) throw new ApiError("AUTH_ERR_INVALID_APPID", "The appId names no app of this server.");
  return app;
}

export interface ClientOptions {
  /** Also one whose genuine auth token has expired, because it may still remove. */
  allowExpired?: boolean;
}

/** A client with an auth token. */
export function client(options: ClientOptions = {}) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const { app } = c.var;
    await limitAddress(c, app);
    await identify(c, authTokenOf(c), options);
    const { uid, session } = c.var.caller;
    await limitRate(c.env, app, "session", async () => `${await userHash(app.appId, uid)}:${session.id}`);
    return next();
  });
}

/**
 * Counts a call from its address, before anything is done for it.
 * @throws {ApiError} 429
 */
export async function limitAddress(c: Context<AppEnv>, app: App): Promise<void> {
  const address = addressOf(c);
  if (address !== undefined) await limitRate(c.env, app, "ip", () => address);
}

/** A client; or a back end with full access, for which the route must still {@link identify} the client it acts for. */
export function clientOrBackEnd(options: ClientOptions = {}) {
  const [asBackEnd, asClient] = [backEnd("fullAccess"), client(options)];
  return createMiddleware<AppEnv>((c, next) => (isBackEnd(c) ? asBackEnd(c, next) : asClient(c, next)));
}

/** Whether an API key came with the call. */
export function isBackEnd(c: Context<AppEnv>): boolean {
  return header(c, "apikey") !== undefined;
}

/**
 * Makes the one whom the auth token names the caller.
 * @throws {ApiError}
 */
export async function identify(
  c: Context<AppEnv>,
  authToken: string | undefined,
  { allowExpired = false }: ClientOptions = {},
): Promise<void> {
  if (authToken === undefined) throw new ApiError("AUTH_ERR_EMPTY_AUTH_TOKEN", "The authToken header is missing.");
  const caller = await verifyAuthToken(c.var.app, authToken, c);
  if (caller === null) throw deadAuthToken();
  // Before an expired one is refused: the log may say whose call that was, for its auth token is genuine.
  c.set("caller", { ...caller, uid: canonicalUid(c.var.app, caller.uid) });
  if (caller.expired && !allowExpired) throw deadAuthToken("expired");
}

/** Who the auth token names, whatever the app's identity. */
export const verifyAuthToken: Verifier<App> = (app, authToken, c) => {
  switch (app.identity) {
    case "issued":
      return verifyIssued(app, authToken, c);
    case "jwt":
      return verifyJwt(app, authToken);
    case "cometchat":
      return verifyCometChat(app, authToken, c);
    default:
      throw new Error(`unknown identity ${app satisfies never}`);
  }
};

/**
 * The auth token that counts, for our routes and for what is passed on. `authToken` wins: SDKs keep sending the previous
 * user's `Authorization` after a new login.
 */
export function authTokenOf(c: Context<AppEnv>): string | undefined {
  const bearer = header(c, "authorization")?.match(/^Bearer +(\S+)$/i)?.[1];
  return header(c, "authToken") ?? (bearer === undefined || isNothing(bearer) ? undefined : bearer);
}

/**
 * One log line per call with a key of the app, of refused ones too; strangers' calls are counted, not logged. The route's
 * pattern, not its path: uids stand in paths.
 */
export const backEndCallLog = createMiddleware<AppEnv>(async (c, next) => {
  await next();
  const { requestId, app, apiKey }: Partial<AppEnv["Variables"]> = c.var;
  if (apiKey === undefined) return;
  log.info("server call", {
    requestId,
    app: app?.appId,
    key: apiKey,
    call: `${c.req.method} ${routePathOf(c, -1)}`,
    status: c.res.status,
  });
});

/** A back end with an API key of one of `scopes`, or a person of such a scope. */
export function backEnd(...scopes: Scope[]) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const presented = header(c, "apikey");
    const key = c.var.person ?? (presented === undefined ? null : await findApiKey(c.var.app, presented));
    if (key === null) {
      await limitAddress(c, c.var.app);
      if (presented === undefined) throw new ApiError("AUTH_ERR_EMPTY_APIKEY", "The apikey header is missing.");
      throw new ApiError("AUTH_ERR_APIKEY_NOT_FOUND", "The API key does not exist in this app.");
    }
    c.set("apiKey", key.name);
    c.set("scope", key.scope);
    await limitRate(c.env, c.var.app, "key", () => key.name);
    if (!scopes.includes(key.scope)) {
      throw new ApiError(
        "AUTH_ERR_NO_ACCESS",
        `The caller's scope is ${key.scope}; this call needs ${scopes.join(" or ")}.`,
      );
    }
    return next();
  });
}
