// `v2/tokens`: the push-token API of CometChat's push-notification extension.
import { type Context, Hono } from "hono";
import { appNamed, checkOrigin, client, knownApp, limitAddress } from "../auth/middleware.ts";
import { appIdOfTicket, signTicket, verifyTicket } from "../auth/tickets.ts";
import { tokenHash } from "../domain/names.ts";
import { platformOf } from "../domain/platform.ts";
import { type Kind, PLATFORMS, type Platform, type PushToken, type Registration } from "../domain/registration.ts";
import { ApiError, deadAuthToken, unavailable } from "../errors.ts";
import { type AppEnv, body, header, readText } from "../http.ts";
import { RETRY_AFTER_SECONDS } from "../limits.ts";
import { callUser } from "../objects.ts";
import * as schemas from "../schemas.ts";
import type { RegisterOutcome } from "../user-tokens/outcomes.ts";

export const clientTokens = new Hono<AppEnv>()
  .post("/", knownApp, client(), body(schemas.registerBody), async (c) => {
    const { fcmToken, apnsToken, voipToken, platform } = c.req.valid("json");
    const tokens = await toPushTokens(c, { fcm: fcmToken, apns: apnsToken, voip: voipToken }, platform);
    const { held } = await register(c, tokens);
    const { app, caller } = c.var;
    const unregisterTicket = await signTicket(app, { uid: caller.uid, session: caller.session.id, slots: held });
    return c.json({ data: { success: true, ...(unregisterTicket === null ? {} : { unregisterTicket }) } });
  })
  // The ticket is the whole request: `navigator.sendBeacon` sends text without headers of its own, and no preflight.
  .post("/unregister", async (c) => {
    const text = (await readText(c)).trim();
    const appId = appIdOfTicket(text);
    if (appId === null) throw invalidTicket();
    const app = appNamed(c.env, appId);
    checkOrigin(c, app);
    await limitAddress(c, app);
    const ticket = await verifyTicket(app, text);
    if (ticket === null) throw invalidTicket();
    await callUser(c.env, app, ticket.uid, (user) => user.unregister(ticket));
    return c.json({ data: { success: true } });
  })
  .get("/", knownApp, client(), async (c) => {
    const { app, caller } = c.var;
    const { retentionMs } = app.rules;
    const outcome = await callUser(c.env, app, caller.uid, (user) =>
      user.list({ session: caller.session, retentionMs }),
    );
    if (!outcome.ok) throw deadAuthToken();
    return c.json({ data: byPlatform(outcome.registrations) });
  })
  .delete("/", knownApp, client({ allowExpired: true }), body(schemas.deleteBody), async (c) => {
    const { app, caller } = c.var;
    const all = c.req.valid("json").all === true;
    const outcome = await callUser(c.env, app, caller.uid, (user) => user.remove({ session: caller.session, all }));
    if (!outcome.ok) throw deadAuthToken();
    return c.json({ data: { success: true } });
  });

function invalidTicket(): ApiError {
  return new ApiError("ERR_BAD_REQUEST", "The body must be an unregisterTicket of this server that is not over.");
}

async function toPushTokens(
  c: Context<AppEnv>,
  tokens: Record<Kind, string | null | undefined>,
  stated: Platform | null | undefined,
): Promise<PushToken[]> {
  const sdk = header(c, "sdk");
  const userAgent = header(c, "user-agent");
  const given = Object.entries(tokens).filter((entry): entry is [Kind, string] => entry[1] != null);
  return Promise.all(
    given.map(async ([kind, token]) => ({
      kind,
      token,
      hash: await tokenHash(kind, token),
      platform: platformOf({ kind, stated, sdk, userAgent }),
      providerId: null,
      timezone: null,
    })),
  );
}

async function register(c: Context<AppEnv>, tokens: PushToken[]): Promise<RegisterOutcome & { ok: true }> {
  const { app, caller } = c.var;
  const request = { uid: caller.uid, session: caller.session, tokens, rules: app.rules };
  const outcome = await callUser(c.env, app, caller.uid, (user) => user.register(request));
  if (outcome.ok) return outcome;
  switch (outcome.reason) {
    case "expired":
    case "revoked":
    case "ended":
      throw deadAuthToken();
    case "unavailable":
      throw unavailable(RETRY_AFTER_SECONDS);
    case "too_many_takeovers":
      throw new ApiError(
        "ERR_TOO_MANY_REQUESTS",
        "The token changed its owner too often; it stays with its present owner.",
        {
          retryAfterSeconds: outcome.retryAfterMs / 1000,
        },
      );
    default:
      throw new Error(`unknown outcome ${outcome satisfies never}`);
  }
}

/** Always the three keys, in the documented order. */
function byPlatform(registrations: Registration[]): Record<Platform, string[]> {
  const lists: Record<Platform, string[]> = { ios: [], web: [], android: [] };
  for (const platform of PLATFORMS) {
    lists[platform] = registrations.filter((r) => r.platform === platform).map((r) => r.token);
  }
  return lists;
}
