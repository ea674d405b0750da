// The calls that the SDKs' init, login and logout make, for apps whose auth tokens are minted here.
import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { client, knownApp } from "../auth/middleware.ts";
import { howSessionsEnd, IDENTITIES } from "../domain/identity.ts";
import type { AppEnv } from "../http/context.ts";
import { refusal } from "../http/errors.ts";
import { settingsOf } from "../http/settings.ts";
import { askUser } from "../objects.ts";

export const clientSession = new Hono<AppEnv>()
  .put("/me", knownApp, client(), async (c) => c.json({ data: await me(c) }))
  .get("/me", knownApp, client(), async (c) => c.json({ data: await me(c) }))
  .delete("/me", knownApp, client({ allowExpired: true }), async (c) => {
    const { app, caller } = c.var;
    const { id, issuedAt, usableUntil } = caller.session;
    // A session that ends with its auth token needs no fence when that is over; others may have a newer one.
    const isOver = caller.expired && !IDENTITIES[app.identity].sessionsOutliveTokens;
    // Longer than the longest life that is minted now, if this auth token is of a time when that was longer.
    const fence = isOver ? null : { ms: app.rules.fenceMs, atLeastUntil: usableUntil, open: false };
    await askUser(c.env, app, caller.uid, (user) =>
      user.endSession({ session: id, issuedAt, fence, ...howSessionsEnd(app) }),
    );
    return c.json({ data: { success: true } });
  })
  .get("/settings", knownApp, client(), async (c) => {
    await requireLiveSession(c);
    return c.json({ data: settingsOf(c) });
  })
  // Telemetry that the SDK sends 5 s after login; nothing in it is ours to keep.
  .post("/user_sessions", knownApp, client(), (c) => c.json({ data: { success: true } }));

/** The user as the SDK keeps it. `authToken` must be the one that was sent, else the SDK logs in again. */
async function me(c: Context<AppEnv>) {
  const { uid, authToken } = c.var.caller;
  await requireLiveSession(c);
  return { uid, name: uid, authToken, wsChannel: {}, settings: settingsOf(c) };
}

async function requireLiveSession(c: Context<AppEnv>): Promise<void> {
  const { app, caller } = c.var;
  const outcome = await askUser(c.env, app, caller.uid, (user) => user.check(caller.session));
  if (!outcome.ok) throw refusal(outcome.reason);
}
