// What a client's session may do about itself, whichever call asks for it.
import type { Context } from "hono";
import { howSessionsEnd, IDENTITIES } from "../domain/identity.ts";
import type { AppEnv } from "../http/context.ts";
import { refusal } from "../http/errors.ts";
import { askUser } from "../objects.ts";

/** @throws {ApiError} 401 if the caller's session is over, 503 if nobody can tell */
export async function requireLiveSession(c: Context<AppEnv>): Promise<void> {
  const { app, caller } = c.var;
  const outcome = await askUser(c.env, app, caller.uid, (user) => user.check(caller.session));
  if (!outcome.ok) throw refusal(outcome.reason);
}

/** Ends the caller's session, also one whose auth token has expired. */
export async function logOut(c: Context<AppEnv>): Promise<void> {
  const { app, caller } = c.var;
  const { id, issuedAt, usableUntil } = caller.session;
  const { trustedTime, sessionsOutliveTokens } = IDENTITIES[app.identity];
  // A session that ends with its auth token needs no fence when that is over; others may have a newer one.
  const isOver = caller.expired && !sessionsOutliveTokens;
  // Longer than the longest life that is minted now, if this auth token is of a time when that was longer.
  const fence = isOver ? null : { ms: app.rules.fenceMs, atLeastUntil: usableUntil, open: !trustedTime };
  await askUser(c.env, app, caller.uid, (user) =>
    user.endSession({ session: id, issuedAt, fence, isLogout: true, ...howSessionsEnd(app) }),
  );
}
