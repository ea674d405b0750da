// `v2/tokens`: the push-token API of CometChat's push-notification extension.
import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { appNamed, checkOrigin, client, countingStrangers, knownApp, limitAddress } from "../auth/middleware.ts";
import { appIdOfTicket, signTicket, verifyTicket } from "../auth/tickets.ts";
import { KIND_NAMES, KINDS, PLATFORMS, type Platform, type TokenField } from "../domain/kinds.ts";
import { platformOf } from "../domain/platform.ts";
import type { ListedToken, PushToken } from "../domain/registration.ts";
import type { AppEnv } from "../http/context.ts";
import { ApiError } from "../http/errors.ts";
import { body, header, readText } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { tellUser } from "../objects.ts";
import { listTokens, register, remove, toPushToken } from "./registrations.ts";

export const clientTokens = new Hono<AppEnv>()
  .post("/", knownApp, client(), body(schemas.registerBody), async (c) => {
    const { platform, ...fields } = c.req.valid("json");
    const tokens = await toPushTokens(c, fields, platform);
    const { held } = await register(c, tokens);
    const { app, caller } = c.var;
    const unregisterTicket = await signTicket(app, { uid: caller.uid, session: caller.session.id, slots: held });
    return c.json({ data: { success: true, ...(unregisterTicket === null ? {} : { unregisterTicket }) } });
  })
  // The ticket is the whole request: `navigator.sendBeacon` sends text without headers of its own, and no preflight.
  .post("/unregister", async (c) => {
    const text = (await readText(c)).trim();
    const app = await countingStrangers(c, () => {
      const appId = appIdOfTicket(text);
      if (appId === null) throw invalidTicket();
      return appNamed(c.env, appId);
    });
    checkOrigin(c, app);
    await limitAddress(c, app);
    const ticket = await verifyTicket(app, text);
    if (ticket === null) throw invalidTicket();
    await tellUser(c.env, app, ticket.uid, (user) => user.unregister(ticket));
    return c.json({ data: { success: true } });
  })
  .get("/", knownApp, client(), async (c) => c.json({ data: byPlatform(await listTokens(c)) }))
  .delete("/", knownApp, client({ allowExpired: true }), body(schemas.deleteBody), async (c) => {
    await remove(c, { all: c.req.valid("json").all === true });
    return c.json({ data: { success: true } });
  });

function invalidTicket(): ApiError {
  return new ApiError("ERR_BAD_REQUEST", "The body must be an unregisterTicket of this server that is not over.");
}

async function toPushTokens(
  c: Context<AppEnv>,
  fields: { [F in TokenField]?: string | null | undefined },
  stated: Platform | null | undefined,
): Promise<PushToken[]> {
  const sdk = header(c, "sdk");
  const userAgent = header(c, "user-agent");
  return Promise.all(
    KIND_NAMES.flatMap((kind) => {
      const token = fields[KINDS[kind].field];
      if (token == null) return [];
      const platform = platformOf({ kind, stated, sdk, userAgent });
      return [toPushToken({ kind, token, platform, labels: {} })];
    }),
  );
}

/** Always the three keys, in the documented order. */
function byPlatform(tokens: ListedToken[]): Record<Platform, string[]> {
  const lists: Record<Platform, string[]> = { ios: [], web: [], android: [] };
  for (const platform of PLATFORMS) {
    lists[platform] = tokens.filter((each) => each.platform === platform).map((each) => each.token);
  }
  return lists;
}
