// Whether this deployment works: the Worker alone, for anyone; and the objects too, for its operator.
import { Hono } from "hono/tiny";
import { backEnd, backEndCallLog, knownApp } from "../auth/middleware.ts";
import type { App } from "../config/apps.ts";
import type { PushToken, Session } from "../domain/registration.ts";
import { tokenHash } from "../durable/names.ts";
import type { AppEnv } from "../http/context.ts";
import { type ApiError, unavailable } from "../http/errors.ts";
import { DAY_MS } from "../limits.ts";
import { log } from "../log.ts";
import { askUserByHash, ownersOf, tellUserByHash } from "../objects.ts";

/** The user of the deep check: not the hash of any uid, so nobody's object. */
const HEALTH_USER = "health";

export const health = new Hono<AppEnv>()
  .get("/", (c) => c.json({ data: { status: "ok" } }))
  .get("/deep", backEndCallLog, knownApp, backEnd("fullAccess"), async (c) => {
    const startedAt = Date.now();
    await checkObjects(c.env, c.var.app);
    return c.json({ data: { status: "ok", ms: Date.now() - startedAt } });
  });

/**
 * Registers a token of its own, reads it from both kinds of object, and takes it away. What stays is bounded: the tables,
 * and the record of this user's last changes. A check that is interrupted leaves one registration, of nobody.
 * @throws {ApiError} 503
 */
async function checkObjects(env: Env, app: App): Promise<void> {
  const session: Session = { id: crypto.randomUUID(), issuedAt: null, usableUntil: null };
  const text = `health:${session.id}`;
  const token: PushToken = {
    kind: "fcm",
    token: text,
    hash: await tokenHash("fcm", text),
    platform: "web",
    labels: {},
  };
  const rules = { ...app.rules, retentionMs: DAY_MS };

  const registered = await tellUserByHash(env, app, HEALTH_USER, (user) =>
    user.register({
      uid: HEALTH_USER,
      session,
      tokens: [token],
      rules,
    }),
  );
  if (!registered.ok) throw unhealthy("a registration is refused", { reason: registered.reason });
  const reading = { session, retentionMs: DAY_MS };
  const listed = await askUserByHash(env, app, HEALTH_USER, (user) => user.list(reading));
  if (!listed.ok || !listed.registrations.some((each) => each.token === text)) throw unhealthy("a write is not read");
  const owners = await ownersOf(env, app, token.hash);
  // Under policy `shared` others may own a token; this one is nobody else's.
  if (owners.length !== 1 || owners[0]?.user !== HEALTH_USER) throw unhealthy("an owner is not on record");
  await tellUserByHash(env, app, HEALTH_USER, (user) => user.remove({ session, all: false }));
  const after = await askUserByHash(env, app, HEALTH_USER, (user) => user.list(reading));
  if (!after.ok || after.registrations.some((each) => each.token === text)) throw unhealthy("a removal is not read");
}

function unhealthy(what: string, fields: Record<string, unknown> = {}): ApiError {
  log.error("the deep health check failed", { what, ...fields });
  return unavailable();
}
