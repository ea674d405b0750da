// The user's own devices, for the app's page that lists them: under every identity ours, never CometChat's. A device is a
// session that holds a registration.
import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { client, knownApp } from "../auth/middleware.ts";
import { howSessionsEnd, IDENTITIES } from "../domain/identity.ts";
import type { AppEnv } from "../http/context.ts";
import { ApiError, refusal } from "../http/errors.ts";
import { body } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { sessionIdOf } from "../http/uids.ts";
import { askUser, tellUser } from "../objects.ts";
import type { SessionSummary } from "../user-tokens/outcomes.ts";
import { bySession } from "../user-tokens/reading.ts";
import { list } from "./registrations.ts";
import { logOut, requireLiveSession } from "./sessions.ts";

export const clientDevices = new Hono<AppEnv>()
  .get("/", knownApp, client(), async (c) => {
    const sessions = bySession(await list(c));
    return c.json({ data: { devices: sessions.map((session) => shown(c, session)) } });
  })
  .delete("/:sid", knownApp, client({ allowExpired: true }), async (c) => {
    const { app, caller } = c.var;
    const session = sessionIdOf(c.req.param("sid"));
    if (session === caller.session.id) {
      await logOut(c);
      return c.json({ data: { success: true } });
    }
    await requireLiveSession(c);
    // Only what is known: else a client could fill its user's object with fences of made-up sessions.
    const fence = { ms: app.rules.fenceMs, open: !IDENTITIES[app.identity].trustedTime };
    const { known } = await askUser(c.env, app, caller.uid, (user) =>
      user.endSession({ session, issuedAt: null, fence, onlyIfKnown: true, ...howSessionsEnd(app) }),
    );
    if (!known) throw noSuchDevice();
    return c.json({ data: { success: true } });
  })
  .patch("/:sid", knownApp, client(), body(schemas.deviceBody), async (c) => {
    const { app, caller } = c.var;
    const of = sessionIdOf(c.req.param("sid"));
    const { muted } = c.req.valid("json");
    const outcome = await tellUser(c.env, app, caller.uid, (user) => user.mute({ session: caller.session, of, muted }));
    if (!outcome.ok) throw refusal(outcome.reason);
    if (!outcome.known) throw noSuchDevice();
    return c.json({ data: { success: true } });
  });

function shown(c: Context<AppEnv>, { session, labels, muted, registrations, firstSeenAt, lastSeenAt }: SessionSummary) {
  return {
    id: session,
    name: labels.device?.name ?? labels.device?.model ?? null,
    platforms: [...new Set(registrations.map(({ platform }) => platform))],
    firstSeenAt,
    lastSeenAt,
    current: session === c.var.caller.session.id,
    muted,
  };
}

function noSuchDevice(): ApiError {
  return new ApiError("ERR_API_NOT_FOUND", "This user has no such device: its session has ended, or holds no token.");
}
