// `v2/tokens`: the push-token API of CometChat's push-notification extension.
import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { appNamed, checkOrigin, client, countingStrangers, knownApp, limitAddress } from "../auth/middleware.ts";
import { appIdOfTicket, signTicket, verifyTicket } from "../auth/tickets.ts";
import { KINDS, type Kind, PLATFORMS, type Platform } from "../domain/kinds.ts";
import type { LabelChanges } from "../domain/labels.ts";
import { platformOf } from "../domain/platform.ts";
import type { ListedToken, PushToken } from "../domain/registration.ts";
import type { AppEnv } from "../http/context.ts";
import { ApiError, invalid } from "../http/errors.ts";
import { givenValue, type Refused, refusedOf } from "../http/given.ts";
import { labelChangesOf, refusedLabels } from "../http/labels.ts";
import { body, header, readText } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { toPushToken } from "../http/tokens.ts";
import { canonicalUid } from "../http/uids.ts";
import { tellUser } from "../objects.ts";
import type { ContestedToken } from "../user-tokens/outcomes.ts";
import { noteRefusal, noteRefused } from "./refusals.ts";
import { listTokens, register, remove, removeTokens } from "./registrations.ts";
import { isAll, tokensOf } from "./token-fields.ts";

export const clientTokens = new Hono<AppEnv>()
  .post("/", noteRefusal, knownApp, client(), body(schemas.registerBody), async (c) => {
    const { platform, providerId, timezone, device, ...fields } = c.req.valid("json");
    const labels = { providerId, timezone, device };
    const tokens = await toPushTokens(c, tokensOf(c, fields), givenValue(platform), labelChangesOf(labels));
    const { held, contested } = await register(c, tokens);
    const refused = { ...refusedOf({ ...fields, platform }), ...refusedLabels(labels), ...refusedTokens(contested) };
    await noteRefused(c, refused);
    const { app, caller } = c.var;
    const unregisterTicket = await signTicket(app, { uid: caller.uid, session: caller.session.id, slots: held });
    return c.json({
      data: {
        success: true,
        ...(unregisterTicket === null ? {} : { unregisterTicket }),
        ...(isEmpty(refused) ? {} : { refused }),
      },
    });
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
    await tellUser(c.env, app, canonicalUid(app, ticket.uid), (user) => user.unregister(ticket));
    return c.json({ data: { success: true } });
  })
  .get("/", knownApp, client(), async (c) => c.json({ data: byPlatform(await listTokens(c)) }))
  .delete("/", knownApp, client({ allowExpired: true }), body(schemas.deleteBody), async (c) => {
    const { all, ...fields } = c.req.valid("json");
    const isForAll = isAll(c, all);
    if (isEmpty(fields)) {
      await remove(c, { all: isForAll });
      return c.json({ data: { success: true } });
    }
    if (isForAll) throw invalid({ all: ["The all field is true, and the body names single tokens."] });
    await removeTokens(c, tokensOf(c, fields));
    const refused = refusedOf(fields);
    return c.json({ data: { success: true, ...(isEmpty(refused) ? {} : { refused }) } });
  });

function invalidTicket(): ApiError {
  return new ApiError("ERR_BAD_REQUEST", "The body must be an unregisterTicket of this server that is not over.");
}

async function toPushTokens(
  c: Context<AppEnv>,
  tokens: { kind: Kind; token: string }[],
  stated: Platform | undefined,
  labels: LabelChanges,
): Promise<PushToken[]> {
  const sdk = header(c, "sdk");
  const origin = header(c, "origin");
  const userAgent = header(c, "user-agent");
  return Promise.all(
    tokens.map(({ kind, token }) => {
      const platform = platformOf({ kind, stated, sdk, origin, userAgent });
      return toPushToken(c.var.app, { kind, token, platform, labels });
    }),
  );
}

/** The tokens that stay with their owners, by their fields. */
function refusedTokens(contested: readonly ContestedToken[]): Refused {
  return Object.fromEntries(contested.map(({ kind }) => [KINDS[kind].field, "too_many_takeovers"]));
}

function isEmpty(fields: object): boolean {
  return Object.keys(fields).length === 0;
}

/** Always the three keys, in the documented order. */
function byPlatform(tokens: ListedToken[]): Record<Platform, string[]> {
  const lists: Record<Platform, string[]> = { ios: [], web: [], android: [] };
  for (const platform of PLATFORMS) {
    lists[platform] = tokens.filter((each) => each.platform === platform).map((each) => each.token);
  }
  return lists;
}
