// What all routes do with push tokens, whichever API they came by: the slots are the same.
import type { Context } from "hono";
import type { Kind } from "../domain/kinds.ts";
import type { ListedToken, PushToken, Registration } from "../domain/registration.ts";
import type { AppEnv } from "../http/context.ts";
import { ApiError, refusal, unavailable } from "../http/errors.ts";
import { toPushToken } from "../http/tokens.ts";
import { askUser, tellUser } from "../objects.ts";
import type { ContestedToken, HeldSlot } from "../user-tokens/outcomes.ts";

/**
 * Puts tokens into the slots of the caller's session. What the answer calls contested stays with its owners for now: only
 * tokens that this user took too many others to get.
 * @throws {ApiError} 401 if the session is over, 503 if a repeat can store more, 429 if nothing was stored
 */
export async function register(
  c: Context<AppEnv>,
  tokens: PushToken[],
): Promise<{ held: HeldSlot[]; contested: ContestedToken[] }> {
  const { app, caller } = c.var;
  const request = { uid: caller.uid, session: caller.session, tokens, rules: app.rules };
  const outcome = await tellUser(c.env, app, caller.uid, (user) => user.register(request));
  if (!outcome.ok) throw refusal(outcome.reason);
  checkContested(outcome.held, outcome.contested);
  return outcome;
}

/**
 * Apps do not look at what is refused, so what a repeat can store is worth an error; what is refused for good is not while
 * anything is stored.
 * @throws {ApiError} 503, 429
 */
function checkContested(held: readonly HeldSlot[], contested: readonly ContestedToken[]): void {
  if (contested.some(({ reason }) => reason === "unavailable")) throw unavailable();
  const waits = contested.flatMap((token) => ("retryAfterMs" in token ? [token.retryAfterMs] : []));
  if (waits.length === 0 || held.length > 0) return;
  throw new ApiError(
    "ERR_TOO_MANY_REQUESTS",
    "This user took over too many installations from other users in the last hour; the token stays with its present owner.",
    { retryAfterSeconds: Math.max(...waits) / 1000, reason: "too_many_takeovers" },
  );
}

/**
 * What may be pushed for the caller's user, of all sessions.
 * @throws {ApiError} 401 if the caller's session is over, 503 if nobody can tell
 */
export async function list(c: Context<AppEnv>): Promise<Registration[]> {
  const { app, caller } = c.var;
  const request = { session: caller.session, retentionMs: app.rules.retentionMs };
  const outcome = await askUser(c.env, app, caller.uid, (user) => user.list(request));
  if (!outcome.ok) throw refusal(outcome.reason);
  return outcome.registrations;
}

/** As {@link list}, with what clients see of it. */
export async function listTokens(c: Context<AppEnv>): Promise<ListedToken[]> {
  const { app, caller } = c.var;
  const request = { session: caller.session, retentionMs: app.rules.retentionMs };
  const outcome = await askUser(c.env, app, caller.uid, (user) => user.tokens(request));
  if (!outcome.ok) throw refusal(outcome.reason);
  return outcome.tokens;
}

/**
 * Empties the slots of the caller's session, or all of the user's.
 * @throws {ApiError} 401 if the caller's session is over and means all, 503 if nobody can tell
 */
export async function remove(c: Context<AppEnv>, { all }: { all: boolean }): Promise<void> {
  const { app, caller } = c.var;
  const outcome = await tellUser(c.env, app, caller.uid, (user) => user.remove({ session: caller.session, all }));
  if (!outcome.ok) throw refusal(outcome.reason);
}

/** Empties those slots of the caller's session that hold these tokens; one whose auth token has expired may do so too. */
export async function removeTokens(c: Context<AppEnv>, tokens: { kind: Kind; token: string }[]): Promise<void> {
  const { app, caller } = c.var;
  const slots = await Promise.all(tokens.map((each) => toPushToken(app, each)));
  await tellUser(c.env, app, caller.uid, (user) => user.unregister({ session: caller.session.id, slots }));
}
