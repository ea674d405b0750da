// Back to an earlier moment, for one user: point-in-time recovery, and the reconciliation that must follow it.
// docs/operations.md has the steps.
import { Hono } from "hono/tiny";
import { backEnd, knownApp } from "../auth/middleware.ts";
import type { App } from "../config/apps.ts";
import { howSessionsEnd } from "../domain/identity.ts";
import type { AppEnv } from "../http/context.ts";
import { ApiError } from "../http/errors.ts";
import { body } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { uidOf } from "../http/uids.ts";
import { log } from "../log.ts";
import { askUser, tellUser } from "../objects.ts";

export const serverRecovery = new Hono<AppEnv>()
  .post("/:uid/restore", knownApp, backEnd("fullAccess"), body(schemas.restoreBody), async (c) => {
    const { app } = c.var;
    const uid = uidOf(app, c.req.param("uid"));
    const { at } = c.req.valid("json");
    await tellUser(c.env, app, uid, (user) => user.prepareRestore({ at, askedAt: Date.now() }));
    log.warn("a user is restored", { app: app.appId, apiKey: c.var.apiKey, at, requestId: c.var.requestId });
    await restart(c.env, app, uid);
    return c.json({ data: { restoredTo: at, ...(await reconcile(c.env, app, uid)) } });
  })
  .post("/:uid/reconcile", knownApp, backEnd("fullAccess"), async (c) => {
    const { app } = c.var;
    return c.json({ data: await reconcile(c.env, app, uidOf(app, c.req.param("uid"))) });
  });

/** Ends the object's instance; the next one starts from the restored data. The call itself can only fail. */
async function restart(env: Env, app: App, uid: string): Promise<void> {
  try {
    await tellUser(env, app, uid, (user) => user.restart());
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 503)) throw error;
  }
}

async function reconcile(env: Env, app: App, uid: string) {
  const request = { uid, rules: app.rules, ...howSessionsEnd(app) };
  const { kept, dropped } = await askUser(env, app, uid, (user) => user.reconcile(request));
  return { kept, dropped };
}
