// The HTTP application: middleware in order, routes, and what is answered when none of them does.
import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { personOfConsole } from "./auth/console.ts";
import { proxy } from "./cometchat/proxy.ts";
import type { AppEnv } from "./http/context.ts";
import { ApiError } from "./http/errors.ts";
import { isConsoleApi, namesNothing, routePath } from "./http/request.ts";
import { log } from "./log.ts";
import { countRefusal } from "./metrics.ts";
import { clientDevices } from "./routes/client-devices.ts";
import { clientSession } from "./routes/client-session.ts";
import { clientTokens } from "./routes/client-tokens.ts";
import { consolePages } from "./routes/console.ts";
import { health } from "./routes/health.ts";
import { reference } from "./routes/reference.ts";
import { serverApp } from "./routes/server-app.ts";
import { serverDirectory } from "./routes/server-directory.ts";
import { serverImport } from "./routes/server-import.ts";
import { serverRecovery } from "./routes/server-recovery.ts";
import { serverTokens } from "./routes/server-tokens.ts";
import { serverUsers } from "./routes/server-users.ts";
import { successor } from "./routes/successor.ts";
import { welcome } from "./routes/welcome.ts";

/** What a call can be, but for HEAD, which is a GET, and OPTIONS. */
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** Headers of replies that pages may read. */
const EXPOSED_HEADERS = "ETag,Retry-After,X-Request-Id";

/**
 * Allows the headers that a page asks for: tracing tools add theirs to every call (`sentry-trace`, `baggage`, `traceparent`),
 * and a browser blocks the call if one is missing here. No credential is a cookie, so there is nothing to guard by them.
 */
function preflight(c: Context<AppEnv>): Response {
  const asked = c.req.header("Access-Control-Request-Headers");
  return c.body(null, 204, {
    "Access-Control-Allow-Methods": METHODS.join(","),
    "Access-Control-Max-Age": "86400",
    ...(asked === undefined ? {} : { "Access-Control-Allow-Headers": asked, Vary: "Access-Control-Request-Headers" }),
  });
}

export function createApp() {
  const app = new Hono<AppEnv>({ getPath: routePath });
  app.use(async (c, next) => {
    c.set("requestId", crypto.randomUUID());
    await next();
    const { headers } = c.res;
    headers.set("X-Request-Id", c.var.requestId);
    headers.set("X-Content-Type-Options", "nosniff");
    if (!isConsoleApi(c.req.raw)) {
      headers.set("Access-Control-Allow-Origin", "*");
      headers.set("Access-Control-Expose-Headers", EXPOSED_HEADERS);
    }
    if (!headers.has("Cache-Control")) headers.set("Cache-Control", "no-store");
  });
  app.use(personOfConsole);
  app.use(async (c, next) => (c.req.method === "OPTIONS" && !isConsoleApi(c.req.raw) ? preflight(c) : next()));
  app.use(proxy);
  app.use((c, next) => {
    checkPath(c.req.path);
    if (namesNothing(c.req.raw)) {
      throw new ApiError(
        "ERR_BAD_REQUEST",
        "The path of this DELETE must have no empty segment and no slash at its end.",
      );
    }
    return next();
  });

  mountRoutes(app);

  app.notFound((c) => {
    const methods = methodsOf(app, c.req.path);
    if (methods.length === 0 || methods.includes(c.req.method)) {
      return refuse(c, new ApiError("ERR_API_NOT_FOUND", "There is no such API. See the README for the calls."));
    }
    return refuse(
      c,
      new ApiError("ERR_API_NOT_FOUND", `This API does not accept the method ${c.req.method}.`, {
        status: 405,
        headers: { Allow: methods.join(", ") },
      }),
    );
  });

  app.onError((error, c) => {
    const context = { requestId: c.var.requestId, app: c.var.app?.appId };
    if (error instanceof ApiError) {
      if (error.status >= 500 && error.logged !== "silent") {
        log[error.logged](error.message, { ...context, error: error.cause });
      }
      return refuse(c, error);
    }
    log.error("unexpected error", { ...context, error });
    return refuse(c, new ApiError("ERR_OPERATION_FAILED", "Something went wrong. The operation may be repeated."));
  });

  return app;
}

function mountRoutes(app: Hono<AppEnv>) {
  return app
    .route("/health", health)
    .route("/v2/tokens", clientTokens)
    .route("/v3/me/devices", clientDevices)
    .route("/v3", clientSession)
    .route("/v3/notifications/push/v1/tokens", successor)
    .route("/v3/app", serverApp)
    .route("/v3/users", serverUsers)
    .route("/v3/users", serverRecovery)
    .route("/v3/push_tokens", serverTokens)
    .route("/v3/push_tokens", serverDirectory)
    .route("/v3/push_tokens", serverImport)
    .route("/console", consolePages)
    .route("/", reference);
}

/** The routes as a type, for `hc<Api>(url)` of `hono/client`. */
export type Api = ReturnType<typeof mountRoutes>;

async function refuse(c: Context<AppEnv>, refusal: ApiError): Promise<Response> {
  const page = refusal.status === 404 ? await welcome(c) : undefined;
  if (page !== undefined) return page;
  countRefusal(c.env, c.var.app?.appId ?? "", refusal.code);
  return c.json(refusal.body, refusal.status, refusal.headers);
}

/** The methods that a path has routes of. Middleware is no route: it stands at every method. */
function methodsOf({ router }: Hono<AppEnv>, path: string): string[] {
  const routed = METHODS.filter((method) =>
    router.match(method, path)[0].some(([[, route]]) => route.method === method),
  );
  return routed.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
}

/**
 * Hono leaves malformed percent-encoding as it stands; then `%zz` and `%25zz` would name the same user.
 * @throws {ApiError} 400
 */
function checkPath(path: string): void {
  try {
    decodeURIComponent(path);
  } catch {
    throw new ApiError("ERR_BAD_REQUEST", "The path is not percent-encoded UTF-8.");
  }
}
