// What back ends ask about one user (API keys).

import { Hono } from "hono/tiny";
import { mintAuthToken } from "../auth/issued.ts";
import { backEnd, backEndCallLog, knownApp } from "../auth/middleware.ts";
import { confirmedFenceMs } from "../cometchat/sessions.ts";
import type { App, IssuedApp } from "../config/apps.ts";
import { explain } from "../domain/explain.ts";
import { howSessionsEnd, IDENTITIES, sessionsEnded } from "../domain/identity.ts";
import { shownLabels } from "../domain/labels.ts";
import { mapBounded } from "../durable/concurrency.ts";
import { userHash } from "../durable/names.ts";
import type { AppEnv } from "../http/context.ts";
import { ApiError, invalid } from "../http/errors.ts";
import { jsonOr304 } from "../http/etag.ts";
import { body, flagOf } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { toPushToken } from "../http/tokens.ts";
import { sessionIdOf, uidOf } from "../http/uids.ts";
import { OBJECT_CONCURRENCY } from "../limits.ts";
import { askUser, ownersOf, tellUser } from "../objects.ts";
import { shownOf } from "../sender/directory-reads.ts";
import { listUser } from "../sender/own-objects.ts";
import { testPush } from "../sender/test-push.ts";
import type { SessionSummary, UserExport } from "../user-tokens/outcomes.ts";
import { bySession } from "../user-tokens/reading.ts";
import { serverRecovery } from "./server-recovery.ts";

export const serverUsers = new Hono<AppEnv>()
  .use(backEndCallLog)
  .post("/:uid/auth_tokens", knownApp, backEnd("fullAccess", "authOnly"), body(schemas.mintBody), async (c) => {
    const { app } = c.var;
    if (!mints(app)) throw mintsElsewhere(app);
    const uid = uidOf(app, c.req.param("uid"));
    const { defaultSeconds, maximumSeconds } = app.authTokens;
    const { lifetimeSeconds, locationHint } = c.req.valid("json");
    if ((lifetimeSeconds ?? 0) > maximumSeconds) {
      throw invalid({ lifetimeSeconds: [`The lifetimeSeconds field must not be above ${maximumSeconds}.`] });
    }
    const validFrom = await askUser(c.env, app, uid, (user) => user.validFrom(), {
      near: locationHint ?? app.locationHint,
    });
    const minted = await mintAuthToken(app, uid, lifetimeSeconds ?? defaultSeconds, validFrom);
    return c.json({ data: { uid, ...minted } });
  })
  .get("/:uid/push_tokens", knownApp, backEnd("fullAccess", "sender"), async (c) => {
    const includeMuted = flagOf(c, "includeMuted");
    const data = await listUser(c.env, c.var.app, c.req.param("uid"), { includeMuted });
    return jsonOr304(c, data);
  })
  .post("/:uid/push_tokens/remove", knownApp, backEnd("fullAccess"), body(schemas.removeBody), async (c) => {
    const { app } = c.var;
    const { token, kind } = c.req.valid("json");
    const slots = [await toPushToken(app, { kind, token })];
    const uid = uidOf(app, c.req.param("uid"));
    const { removed } = await tellUser(c.env, app, uid, (user) => user.unregister({ session: null, slots }));
    return c.json({ data: { success: true, removed } });
  })
  .post("/:uid/test", knownApp, backEnd("fullAccess"), body(schemas.testBody), async (c) => {
    const { report } = c.req.valid("json");
    return c.json({ data: { devices: await testPush(c.env, c.var.app, c.req.param("uid"), report === true) } });
  })
  .get("/:uid/sessions", knownApp, backEnd("fullAccess", "sender"), async (c) => {
    const { app } = c.var;
    const uid = uidOf(app, c.req.param("uid"));
    const sessions = await askUser(c.env, app, uid, (user) => user.sessions(app.rules.retentionMs));
    return c.json({ data: { sessions: sessions.map(shownSession) } });
  })
  .get("/:uid/explain", knownApp, backEnd("fullAccess", "sender"), async (c) => {
    const { app } = c.var;
    const uid = uidOf(app, c.req.param("uid"));
    const { registrations, changes } = await askUser(c.env, app, uid, (user) => user.export());
    const since = Date.now() - app.rules.retentionMs;
    const live = registrations.filter(({ refreshedAt }) => refreshedAt > since);
    const devices = bySession(live).map((session) => ({
      ...shownSession(session),
      suspect: session.registrations.some(({ suspectAt }) => suspectAt !== null),
    }));
    const explanation = explain(live, live.length < registrations.length, changes);
    return c.json({ data: { uid, ...explanation, devices, changes } });
  })
  .delete("/:uid/sessions/:sid", knownApp, backEnd("fullAccess"), async (c) => {
    const { app } = c.var;
    const session = sessionIdOf(c.req.param("sid"));
    const fence = { ms: app.rules.fenceMs, open: !IDENTITIES[app.identity].trustedTime };
    const { removed } = await askUser(c.env, app, uidOf(app, c.req.param("uid")), (user) =>
      user.endSession({
        session,
        issuedAt: null,
        fence,
        ...howSessionsEnd(app),
      }),
    );
    return c.json({ data: { success: true, removed } });
  })
  .delete("/:uid/sessions", knownApp, backEnd("fullAccess"), body(schemas.endAllBody), async (c) => {
    const { app } = c.var;
    const isFlushed = c.req.valid("json").authTokensFlushed === true;
    if (isFlushed && app.identity !== "cometchat") {
      throw invalid({ authTokensFlushed: ["The authTokensFlushed field is only for identity cometchat."] });
    }
    const { removed } = await tellUser(c.env, app, uidOf(app, c.req.param("uid")), (user) =>
      user.endAllSessions({
        rules: app.rules,
        ...howSessionsEnd(app),
        ...(isFlushed && app.identity === "cometchat" ? { fencesUntil: Date.now() + confirmedFenceMs(app) } : {}),
      }),
    );
    return c.json({ data: { success: true, removed, ended: sessionsEnded(app) } });
  })
  .get("/:uid/export", knownApp, backEnd("fullAccess"), async (c) => {
    const { app } = c.var;
    const uid = uidOf(app, c.req.param("uid"));
    const held = await askUser(c.env, app, uid, (user) => user.export());
    const shown = await shownOf(c.env, app, uid);
    if (isNothing(held) && shown === null) throw new ApiError("ERR_UID_NOT_FOUND", "Nothing is held about this user.");
    const me = await userHash(app.appId, uid);
    const owners = await mapBounded(held.registrations, OBJECT_CONCURRENCY, async ({ hash }) => {
      const entries = await ownersOf(c.env, app, hash);
      // Under policy `shared` a token may have other owners: their entries are about them.
      return entries.filter(({ user }) => user === me).map(({ version }) => ({ tokenHash: hash, user: me, version }));
    });
    return c.json({ data: { ...held, uid, owners: owners.flat(), directory: shown } });
  })
  .delete("/:uid", knownApp, backEnd("fullAccess"), body(schemas.eraseBody), async (c) => {
    const { app } = c.var;
    const uid = uidOf(app, c.req.param("uid"));
    // `DELETE /v3/users/x?y` of a client that forgot to encode the `?` of a uid would erase another user.
    if (c.req.url.includes("?"))
      throw invalid({ uid: ["The uid must be percent-encoded, and the call has no query."] });
    const repeated = c.req.valid("json").uid;
    if (repeated == null ? isCall(uid) : uidOf(app, repeated) !== uid) {
      throw invalid({ uid: [`The uid field must be "${uid}", as in the path.`] });
    }
    await tellUser(c.env, app, uid, (user) => user.erase({ uid, rules: app.rules, ...howSessionsEnd(app) }));
    return c.json({ data: { success: true } });
  });

function shownSession({ session, labels, muted, registrations, firstSeenAt, lastSeenAt }: SessionSummary) {
  return {
    id: session,
    kinds: registrations.map(({ kind }) => kind),
    platforms: [...new Set(registrations.map(({ platform }) => platform))],
    firstSeenAt,
    lastSeenAt,
    muted,
    device: shownLabels(labels).device,
  };
}

/**
 * Whether a user of that name is erased by the path of a call that lost its uid (`DELETE /v3/users/./sessions`, which clients
 * send as `/v3/users/sessions`). The names are those that follow the uid in the routes of this API.
 */
function isCall(uid: string): boolean {
  const routes = [...serverUsers.routes, ...serverRecovery.routes];
  return routes.some(({ path }) => path.split("/")[2] === uid);
}

function mints(app: App): app is IssuedApp {
  return IDENTITIES[app.identity].tokensFrom === "this server";
}

function mintsElsewhere({ identity }: App): ApiError {
  return new ApiError(
    "ERR_BAD_REQUEST",
    `This server mints no auth tokens for this app (identity "${identity}"): they come from ${IDENTITIES[identity].tokensFrom}.`,
  );
}

/** Whether the export would show nothing. */
function isNothing({ uid, validFrom, takeovers, registrations, fences, changes }: UserExport): boolean {
  const rows = registrations.length + fences.length + changes.length;
  return uid === null && validFrom === 0 && takeovers === null && rows === 0;
}
