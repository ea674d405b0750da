// The successor of `v2/tokens`, CometChat's `notifications/push/v1/tokens`: what the SDKs' `registerPushToken` and
// `unregisterPushToken` send, and the same with an API key and the client's auth token, as CometChat's REST API has it. One
// truth: the slots are those of `v2/tokens`.
//
// CometChat's REST form puts auth tokens and push tokens into URLs. Those are read, for what exists; but URLs reach logs
// outside this Worker, so the header `authToken` and the body are better, and win.
import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { backEndCallLog, clientOrBackEnd, identify, isBackEnd, knownApp } from "../auth/middleware.ts";
import { KIND_NAMES, KINDS } from "../domain/kinds.ts";
import { PUSH_PLATFORMS, pushPlatformOf } from "../domain/push-platforms.ts";
import type { Registration } from "../domain/registration.ts";
import type { AppEnv } from "../http/context.ts";
import { invalid } from "../http/errors.ts";
import { type Given, givenValue, problemsOf, readGiven } from "../http/given.ts";
import { labelChangesOf, refusedLabels } from "../http/labels.ts";
import { body, header, parametersOf } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { toPushToken } from "../http/tokens.ts";
import { tellUser } from "../objects.ts";
import type { NamedToken } from "../user-tokens/outcomes.ts";
import { noteRefusal, noteRefused } from "./refusals.ts";
import { list, register, remove } from "./registrations.ts";
import { isAll, noteWords } from "./token-fields.ts";

export const successor = new Hono<AppEnv>()
  .use((c, next) => (isBackEnd(c) ? backEndCallLog(c, next) : next()))
  .post("/", noteRefusal, knownApp, clientOrBackEnd(), body(schemas.successorRegisterBody), async (c) => {
    const { authToken, platform, providerId, timezone, device, ...fields } = c.req.valid("json");
    await identifyFor(c, authToken);
    const where = PUSH_PLATFORMS[platform];
    const field = KINDS[where.kind].successorField;
    const named = { [field]: fields[field] };
    noteWords(c, named);
    const token = givenValue(fields[field]);
    if (token === undefined) {
      const missing = { [field]: [`The ${field} field is missing: a token of platform ${platform} is sent in it.`] };
      throw invalid({ ...missing, ...problemsOf(named) });
    }
    const stated = { providerId, timezone, device };
    await register(c, [await toPushToken(c.var.app, { ...where, token, labels: labelChangesOf(stated) })]);
    const refused = refusedLabels(stated);
    await noteRefused(c, refused);
    return c.json({ data: { success: true, ...(Object.keys(refused).length === 0 ? {} : { refused }) } });
  })
  .get("/", knownApp, clientOrBackEnd(), async (c) => {
    await identifyFor(c, parametersOf(c).get("authToken"));
    const held = await list(c);
    return c.json({ data: { pushTokens: (isAll(c) ? held : ofSession(c, held)).map((each) => shown(c, each)) } });
  })
  .delete("/", knownApp, clientOrBackEnd({ allowExpired: true }), body(schemas.successorDeleteBody), async (c) => {
    const { authToken, all: inBody, pushToken } = c.req.valid("json");
    await identifyFor(c, authToken, { allowExpired: true });
    const all = isAll(c, inBody);
    if (pushToken !== undefined) {
      if (all) throw invalid({ all: ["The all field is true, and the body names a single token."] });
      return removeToken(c, tokenOf(pushToken));
    }
    // Only a back end is told what went; who is expired may remove, but not read.
    const held = isBackEnd(c) && !c.var.caller.expired ? await list(c) : [];
    await remove(c, { all });
    if (!isBackEnd(c)) return c.json({ data: { success: true } });
    return c.json({ data: { pushTokens: (all ? held : ofSession(c, held)).map((each) => shown(c, each)) } });
  })
  .delete("/:pushToken", knownApp, clientOrBackEnd(), body(schemas.successorDeleteBody), async (c) => {
    await identifyFor(c, c.req.valid("json").authToken);
    return removeToken(c, tokenOf(readGiven(schemas.pushToken, c.req.param("pushToken"))));
  });

/** A back end acts for the client whose auth token it passes on; a client is known already. */
async function identifyFor(c: Context<AppEnv>, authToken: string | null | undefined, options = {}): Promise<void> {
  if (isBackEnd(c)) await identify(c, header(c, "authToken") ?? authToken ?? undefined, options);
}

/**
 * The token of a removal: one that names none must not remove more than was meant.
 * @throws {ApiError} 400
 */
function tokenOf(pushToken: Given<string>): string {
  const token = givenValue(pushToken);
  if (token !== undefined) return token;
  throw invalid({
    pushToken: ["The pushToken field holds no token: nothing is removed."],
    ...problemsOf({ pushToken }),
  });
}

function ofSession(c: Context<AppEnv>, registrations: Registration[]): Registration[] {
  return registrations.filter(({ session }) => session === c.var.caller.session.id);
}

/** Removes one token of the user, whichever session holds it, and the caller's session also if it is about to. */
async function removeToken(c: Context<AppEnv>, pushToken: string) {
  const { app, caller } = c.var;
  const own = await Promise.all(KIND_NAMES.map((kind) => toPushToken(app, { kind, token: pushToken })));
  const found = (await list(c)).filter((row) => own.some(isOf(row)));
  await tellUser(c.env, app, caller.uid, (user) => user.unregister({ session: caller.session.id, slots: own }));
  for (const { session, kind, hash, registeredAt } of found) {
    if (session === caller.session.id) continue;
    const request = { session, slots: [{ kind, hash, registeredAt }] };
    await tellUser(c.env, app, caller.uid, (user) => user.unregister(request));
  }
  if (!isBackEnd(c)) return c.json({ data: { success: true } });
  return c.json({ data: { pushTokens: found.map((each) => shown(c, each)) } });
}

/** Whether a token that is named is the registration's: the same installation, or the very same token. */
function isOf({ kind, hash, token }: Registration) {
  return (named: NamedToken) => named.kind === kind && (named.hash === hash || named.token === token);
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
