// Identity `issued`: auth tokens that this Worker mints and verifies. JWT, HS256, `typ` and algorithm pinned, the key
// named by `kid`, so that two keys can be alive during a rotation.
import type { IssuedApp } from "../config/apps.ts";
import { uidProblem } from "../domain/uids.ts";
import { AUTH_TOKEN_LENGTH_MAX, CLOCK_TOLERANCE_MS } from "../limits.ts";
import { timesOf } from "./claims.ts";
import { ownClaims, reportMisconfigured, signJwt } from "./keys.ts";
import type { Verifier } from "./verifier.ts";

const TYPE = "auth+jwt";

/**
 * A new auth token, for a new session of the user. It is issued after `validFrom` (epoch ms), so that ending all sessions
 * does not refuse it, even within the same millisecond.
 */
export async function mintAuthToken(
  app: IssuedApp,
  uid: string,
  lifetimeSeconds: number,
  validFrom: number,
): Promise<{ authToken: string; createdAt: number }> {
  const key = app.signingKeys[0];
  if (key === undefined) throw noSigningKey(app);
  const iat = Math.max(Date.now(), validFrom + 1) / 1000;
  const claims = { app: app.appId, sub: uid, sid: crypto.randomUUID(), iat, exp: iat + lifetimeSeconds };
  return { authToken: await signJwt(key, TYPE, claims), createdAt: Math.floor(iat) };
}

function noSigningKey({ secretsName }: IssuedApp) {
  return reportMisconfigured([`${secretsName}.signingKeys: is missing`]);
}

/** Who the auth token names; `null` if it is not genuine, or of another app. */
export const verifyIssued: Verifier<IssuedApp> = async (app, authToken) => {
  if (app.signingKeys.length === 0) throw noSigningKey(app);
  if (authToken.length > AUTH_TOKEN_LENGTH_MAX) return null;
  const claims = await ownClaims(app, TYPE, authToken);
  if (claims === null) return null;
  const now = Date.now();
  const times = timesOf(claims);
  if (typeof times === "string" || times.nbf * 1000 > now + CLOCK_TOLERANCE_MS) return null;
  const { sub, sid } = claims;
  if (claims.app !== app.appId || typeof sid !== "string" || uidProblem(sub) !== undefined) return null;
  const usableUntil = times.exp * 1000 + CLOCK_TOLERANCE_MS;
  const session = { id: sid, issuedAt: Math.round(times.iat * 1000), usableUntil };
  return { uid: String(sub), session, expired: now >= usableUntil, authToken };
};
