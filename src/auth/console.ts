// People who come by Cloudflare Access, to the calls below `/console/api`. Access stands before `/console*` alone, so nothing is taken from
// the path: who calls is read from what Access vouches for, and the configuration says what that person may do.
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { type ConsoleAccess, consoleAccess } from "../config/console-access.ts";
import { lowerAscii } from "../domain/uids.ts";
import type { AppEnv } from "../http/context.ts";
import { ApiError } from "../http/errors.ts";
import { header, isConsoleApi } from "../http/request.ts";
import { log } from "../log.ts";
import { verifyJwt } from "./jwt.ts";
import { reportMisconfigured } from "./keys.ts";
import { countingStrangers } from "./middleware.ts";

/** Knows the person of a call below `/console/api`, or refuses it. */
export const personOfConsole = createMiddleware<AppEnv>(async (c, next) => {
  if (!isConsoleApi(c.req.raw)) return next();
  const access = consoleAccess(c.env);
  if (access === null) throw new ApiError("ERR_API_NOT_FOUND", "There is no such page.");
  if (access.problems.length > 0) throw reportMisconfigured(access.problems);
  // The cookie of Access comes with every request to this host, whoever's page makes it.
  if (c.req.header("sec-fetch-site") !== "same-origin") return refuse(c, "Only the console's own pages may call this.");
  const stated = await emailOf(c, access);
  if (stated === undefined) return refuse(c, "Cloudflare Access does not say who you are. Reload the page.");
  const email = lowerAscii(stated);
  const entries = access.people.filter((each) => lowerAscii(each.email) === email);
  const asked = header(c, "appId");
  const entry = entries.find(({ app }) => asked === undefined || asked === app);
  if (entry === undefined) {
    log.info("a person is not on the console's list", { requestId: c.var.requestId, person: email });
    return refuse(c, "You are not on the list of this app (docs/console.md).");
  }
  c.set("person", { name: email, scope: entry.scope, appId: entry.app, apps: entries.map(({ app }) => app) });
  return next();
});

/** The e-mail address that Access vouches for; `undefined`: none, or a token that is not good. */
async function emailOf(c: Context<AppEnv>, { jwt }: ConsoleAccess): Promise<string | undefined> {
  const { access } = c.executionCtx as ExecutionContext;
  if (access !== undefined && access.aud === jwt.audience) {
    const identity = await access.getIdentity().catch(() => undefined);
    if (identity?.email !== undefined) return identity.email;
  }
  const token = header(c, "cf-access-jwt-assertion");
  const caller = token === undefined ? null : await verifyJwt({ appId: "console", jwt, secretsName: "" }, token);
  return caller === null || caller.expired ? undefined : caller.uid;
}

/** Counted by its address, as every call that proves nothing. */
function refuse(c: Context<AppEnv>, message: string): Promise<never> {
  return countingStrangers(c, () => {
    throw new ApiError("AUTH_ERR_NO_ACCESS", message);
  });
}
