// Identity `jwt`: the tokens of the app's own login. What they must look like stands in the app's configuration: the
// algorithms (HS256 by secrets, the others by public keys; no key ever serves the other side), `iss`, `aud`, and the claims
// that name the user and the session. Nothing in a token leads to a key but `kid`: `jku`, `jwk`, `x5u` and `x5c` are not read.
//
// a token that is …                                                    what its client is told
// not genuine, of another issuer or audience, of an unknown key        401: it is dead
// genuine, but without the claims that this server needs               400: a mistake of the login, not of the user
// not valid yet, or nobody can tell because the issuer is silent       503: repeat it
import type { JWSHeaderParameters, JWTPayload } from "jose";
import { JOSEError, JWKSNoMatchingKey, JWSSignatureVerificationFailed } from "jose/errors";
import type { JwtApp, JwtSecret, JwtSettings } from "../config/apps.ts";
import { uidProblem } from "../domain/uids.ts";
import type { Caller } from "../http/context.ts";
import { ApiError, unavailable } from "../http/errors.ts";
import { AUTH_TOKEN_LENGTH_MAX, DAY_MS } from "../limits.ts";
import { log } from "../log.ts";
import { genuineClaims, statedClaims, timesOf } from "./claims.ts";
import { cryptoKey, HMAC_ALGORITHM, reportMisconfigured } from "./keys.ts";
import { type KeyFinder, keyFinder, RemoteKeySet } from "./remote-keys.ts";

/** Whose tokens are read: an app's own login, or Cloudflare Access. */
type Login = Pick<JwtApp, "appId" | "jwt" | "secretsName">;

/** Who the auth token names; `null` if it is dead. */
export async function verifyJwt(app: Login, authToken: string): Promise<Caller | null> {
  const { jwt } = app;
  const claims = await verified(app, authToken);
  if (claims === null) return null;
  const times = timesOf(claims);
  if (typeof times === "string") throw lacking(app, [`The auth token must have the number "${times}".`]);
  const { iat, exp, nbf } = times;
  const tolerance = jwt.clockToleranceSeconds;
  const endsAt = Math.min(exp, iat + (jwt.maximumSessionDays * DAY_MS) / 1000) + tolerance;
  const now = Date.now() / 1000;
  if (nbf > now + tolerance) throw early(app, "nbf");
  const expired = endsAt <= now;
  if (!expired && iat > now + tolerance) throw early(app, "iat");
  const uid = identifier(claims, authToken, jwt.uidClaim);
  const session = identifier(claims, authToken, jwt.sessionClaim);
  if (uid === null || session === null) {
    throw lacking(app, [
      ...(uid === null ? [describe(jwt.uidClaim, "the user")] : []),
      ...(session === null ? [describe(jwt.sessionClaim, "the session")] : []),
    ]);
  }
  // Many issuers round `iat` down: of two tokens of one second nobody knows which came first.
  const issuedAt = Math.floor(iat) * 1000;
  return { uid, session: { id: session, issuedAt, usableUntil: Math.ceil(endsAt * 1000) }, expired, authToken };
}

/** The claims of a token that one of the app's keys signed and that names the app's issuer and audience; `null`: it is dead. */
async function verified(app: Login, authToken: string): Promise<JWTPayload | null> {
  if (authToken.length > AUTH_TOKEN_LENGTH_MAX) return null;
  try {
    const stated = statedClaims(authToken);
    if (stated.iss !== app.jwt.issuer) return refused(app, "unexpected claim", "iss");
    const claims = await signedByAnyKey(app, authToken, stated);
    return isFor(app.jwt.audience, claims.aud) ? claims : refused(app, "unexpected claim", "aud");
  } catch (error) {
    if (error instanceof JOSEError) return refused(app, error.code);
    throw error;
  }
}

/** RFC 7519 §4.1.3: whoever is not named by an `aud` must refuse the token. */
function isFor(audience: JwtSettings["audience"], aud: JWTPayload["aud"]): boolean {
  if (audience === undefined) return aud === undefined;
  const accepted: unknown[] = [audience].flat();
  return [aud].flat().some((each) => accepted.includes(each));
}

/** The log says why, with no word of the token; the client is told that it is dead. */
function refused(app: Login, why: string, claim?: string): null {
  log.info("auth token refused", { app: app.appId, why, claim });
  return null;
}

/** @throws {JOSEError} */
async function signedByAnyKey(app: Login, authToken: string, stated: JWTPayload): Promise<JWTPayload> {
  let candidates: CryptoKey[] | undefined;
  const key = async (header: JWSHeaderParameters) => {
    candidates ??= await keysFor(app, header, stated);
    const next = candidates.shift();
    if (next === undefined) throw new JWKSNoMatchingKey();
    return next;
  };
  for (;;) {
    try {
      return await genuineClaims(authToken, { algorithms: app.jwt.algorithms, key });
    } catch (error) {
      const mayTryAnother = error instanceof JWSSignatureVerificationFailed;
      if (!mayTryAnother || (candidates as CryptoKey[] | undefined)?.length === 0) throw error;
    }
  }
}

/** The keys that may have signed the token; its algorithm is an allowed one already. */
async function keysFor(app: Login, header: JWSHeaderParameters, stated: JWTPayload): Promise<CryptoKey[]> {
  const { jwt, secretsName } = app;
  if (header.alg === HMAC_ALGORITHM) {
    if (jwt.secrets.length === 0) throw reportMisconfigured([`${secretsName}.jwtSecrets: is missing`]);
    return Promise.all(secretsFor(jwt.secrets, header.kid).map(cryptoKey));
  }
  const keys = publicKeysOf(jwt);
  // A new key set cannot help a token that says itself that it has expired.
  const isOver = !(Number(stated.exp) * 1000 > Date.now() - jwt.clockToleranceSeconds * 1000);
  const key = keys instanceof RemoteKeySet ? await keys.find(header, { mayAskAgain: !isOver }) : await keys(header);
  return key === null ? [] : [key];
}

/** The secret that `kid` names; where none has that name, those without one. */
function secretsFor(secrets: JwtSecret[], kid: string | undefined): JwtSecret[] {
  const named = secrets.filter((secret) => secret.kid !== undefined && secret.kid === kid);
  return named.length > 0 ? named : secrets.filter((secret) => secret.kid === undefined || kid === undefined);
}

const publicKeys = new WeakMap<JwtSettings, KeyFinder | RemoteKeySet>();

/** The public keys of one app; apps share no key set, even where they share its URL. */
function publicKeysOf(jwt: JwtSettings): KeyFinder | RemoteKeySet {
  let keys = publicKeys.get(jwt);
  if (keys === undefined) {
    keys = jwt.jwksUrl === undefined ? keyFinder(jwt.jwks ?? { keys: [] }) : new RemoteKeySet(jwt.jwksUrl);
    publicKeys.set(jwt, keys);
  }
  return keys;
}

/** The claim as a uid or session id; `null` if it is missing or cannot be one. */
function identifier(payload: JWTPayload, authToken: string, name: string): string | null {
  let claim = claimNamed(payload, name);
  if (typeof claim === "number") claim = claimNamed(withNumbersAsText(authToken), name);
  return uidProblem(claim) === undefined ? String(claim) : null;
}

/**
 * The payload of a genuine token, its whole numbers as the text that the issuer wrote. Any other number is left out,
 * because JSON's numbers are doubles here: above 2^53 two users would become one.
 */
function withNumbersAsText(authToken: string): JWTPayload {
  return statedClaims(authToken, (_key, value, { source = "" } = {}) => {
    if (typeof value !== "number") return value;
    return Number.isSafeInteger(value) && /^(0|-?[1-9]\d*)$/.test(source) ? source : null;
  });
}

/** The claim of exactly that name (names may be URLs), else the one to which the dots lead. */
function claimNamed(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

function describe(name: string, what: string): string {
  return `The auth token must name ${what} in its claim "${name}": text of 1 to 255 characters, or a whole number below 2^53.`;
}

/** Not 401: the token will be good. */
function early(app: Login, claim: string): ApiError {
  log.warn("an auth token is not valid yet: the issuer's clock is ahead", { app: app.appId, claim });
  return unavailable();
}

/** Not 401: a new login would bring the same token, and SDKs forget a token on 401. */
function lacking(app: Login, problems: string[]): ApiError {
  log.warn("an auth token lacks what the configuration asks for", { app: app.appId, problems });
  return new ApiError("ERR_BAD_REQUEST", "The auth token is genuine, but lacks a claim that this server needs.", {
    details: { authToken: problems },
  });
}
