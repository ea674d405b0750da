// The calls that the SDKs' init, login and logout make, for apps whose auth tokens are minted here.
import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { client, knownApp } from "../auth/middleware.ts";
import type { AppEnv } from "../http/context.ts";
import { settingsOf } from "../http/settings.ts";
import { logOut, requireLiveSession } from "./sessions.ts";

export const clientSession = new Hono<AppEnv>()
  .put("/me", knownApp, client(), async (c) => c.json({ data: await me(c) }))
  .get("/me", knownApp, client(), async (c) => c.json({ data: await me(c) }))
  .delete("/me", knownApp, client({ allowExpired: true }), async (c) => {
    await logOut(c);
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
