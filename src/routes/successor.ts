// The successor of `v2/tokens`, CometChat's `notifications/push/v1/tokens`: what the SDKs' `registerPushToken` and
// `unregisterPushToken` send, and the same with an API key and the client's auth token, as CometChat's REST API has it. One
// truth: the slots are those of `v2/tokens`.
//
// CometChat's REST form puts auth tokens and push tokens into URLs. Those are read, for what exists; but URLs reach logs
// outside this Worker, so the header `authToken` and the body are better, and win.
import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { backEndCallLog, clientOrBackEnd, identify, isBackEnd, knownApp } from "../auth/middleware.ts";
import { KINDS } from "../domain/kinds.ts";
import { PUSH_PLATFORMS, pushPlatformOf } from "../domain/push-platforms.ts";
import type { Registration } from "../domain/registration.ts";
import type { AppEnv } from "../http/context.ts";
import { invalid } from "../http/errors.ts";
import { body, header } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { tellUser } from "../objects.ts";
import { list, register, remove, toPushToken } from "./registrations.ts";

export const successor = new Hono<AppEnv>()
  .use((c, next) => (isBackEnd(c) ? backEndCallLog(c, next) : next()))
  .post("/", knownApp, clientOrBackEnd(), body(schemas.successorRegisterBody), async (c) => {
    const { authToken, platform, providerId, timezone, ...tokens } = c.req.valid("json");
    await identifyFor(c, authToken);
    const where = PUSH_PLATFORMS[platform];
    const field = KINDS[where.kind].successorField;
    const token = tokens[field];
    if (token == null) {
      throw invalid({ [field]: [`The ${field} field is missing: a token of platform ${platform} is sent in it.`] });
    }
    const pushToken = { ...where, token, labels: { providerId, timezone } };
    await register(c, [await toPushToken(pushToken)]);
    return c.json({ data: { success: true } });
  })
  .get("/", knownApp, clientOrBackEnd(), async (c) => {
    await identifyFor(c, c.req.query("authToken"));
    const held = await list(c);
    return c.json({ data: { pushTokens: (isAll(c) ? held : ofSession(c, held)).map((each) => shown(c, each)) } });
  })
  .delete("/", knownApp, clientOrBackEnd({ allowExpired: true }), body(schemas.successorDeleteBody), async (c) => {
    const { authToken, pushToken } = c.req.valid("json");
    await identifyFor(c, authToken, { allowExpired: true });
    if (pushToken != null) return removeToken(c, pushToken);
    const all = isAll(c);
    // Only a back end is told what went; who is expired may remove, but not read.
    const held = isBackEnd(c) && !c.var.caller.expired ? await list(c) : [];
    await remove(c, { all });
    if (!isBackEnd(c)) return c.json({ data: { success: true } });
    return c.json({ data: { pushTokens: (all ? held : ofSession(c, held)).map((each) => shown(c, each)) } });
  })
  .delete("/:pushToken", knownApp, clientOrBackEnd(), body(schemas.successorDeleteBody), async (c) => {
    await identifyFor(c, c.req.valid("json").authToken);
    const parsed = schemas.pushToken.safeParse(c.req.param("pushToken"));
    if (!parsed.success) throw invalid({ pushToken: parsed.error.issues.map((each) => `The token ${each.message}.`) });
    return removeToken(c, parsed.data);
  });

/** A back end acts for the client whose auth token it passes on; a client is known already. */
async function identifyFor(c: Context<AppEnv>, authToken: string | null | undefined, options = {}): Promise<void> {
  if (isBackEnd(c)) await identify(c, header(c, "authToken") ?? authToken ?? undefined, options);
}

/** @throws {ApiError} 400 */
function isAll(c: Context<AppEnv>): boolean {
  const all = c.req.query("all") ?? "false";
  if (all !== "true" && all !== "false") throw invalid({ all: ["The all parameter must be true or false."] });
  return all === "true";
}

function ofSession(c: Context<AppEnv>, registrations: Registration[]): Registration[] {
  return registrations.filter(({ session }) => session === c.var.caller.session.id);
}

/** Removes one token of the user, whichever session holds it; there is nothing to remove if none does. */
async function removeToken(c: Context<AppEnv>, pushToken: string) {
  const { app, caller } = c.var;
  const found = (await list(c)).filter(({ token }) => token === pushToken);
  for (const { session, kind, hash, registeredAt } of found) {
    const request = { session, slots: [{ kind, hash, registeredAt }] };
    await tellUser(c.env, app, caller.uid, (user) => user.unregister(request));
  }
  if (!isBackEnd(c)) return c.json({ data: { success: true } });
  return c.json({ data: { pushTokens: found.map((each) => shown(c, each)) } });
}

/** In CometChat's words. Of another session than the caller's nobody here knows the auth token. */
function shown(c: Context<AppEnv>, registration: Registration) {
  const { uid, session, authToken } = c.var.caller;
  const { kind, platform, labels, token } = registration;
  return {
    authToken: registration.session === session.id ? authToken : null,
    pushTokenType: "chat",
    createdAt: new Date(registration.registeredAt).toISOString(),
    platform: pushPlatformOf(kind, platform),
    providerId: labels.providerId ?? null,
    pushToken: token,
    uid,
    updatedAt: new Date(registration.refreshedAt).toISOString(),
  };
}
