// Identity `jwt`: the tokens of the app's own login. What they must look like stands in the app's configuration: the
// algorithms (HS256 by secrets, the others by public keys; no key ever serves the other side), `iss`, `aud`, and the claims
// that name the user and the session. Nothing in a token leads to a key but `kid`: `jku`, `jwk`, `x5u` and `x5c` are not read.
//
// a token that is …                                                    what its client is told
// not genuine, of another issuer or audience, of an unknown key        401: it is dead
// genuine, but without the claims that this server needs               400: a mistake of the login, not of the user
// not valid yet, or nobody can tell because the issuer is silent       503: repeat it
import { decodeJwt, type JWSHeaderParameters, type JWTPayload, jwtVerify } from "jose";
import * as base64url from "jose/base64url";
import {
  JOSEError,
  JWKSNoMatchingKey,
  JWSSignatureVerificationFailed,
  JWTClaimValidationFailed,
  JWTExpired,
} from "jose/errors";
import type { App, JwtApp, JwtSecret, JwtSettings } from "../config/apps.ts";
import { uidProblem } from "../domain/uids.ts";
import { ApiError, unavailable } from "../http/errors.ts";
import { AUTH_TOKEN_LENGTH_MAX, DAY_MS } from "../limits.ts";
import { log } from "../log.ts";
import { cryptoKey, HMAC_ALGORITHM, reportMisconfigured } from "./keys.ts";
import { type KeyFinder, keyFinder, RemoteKeySet } from "./remote-keys.ts";
import type { Verifier } from "./verifier.ts";

/** Who the auth token names; `null` if it is dead. */
export const verifyJwt: Verifier<JwtApp> = async (app, authToken) => {
  const { jwt } = app;
  const genuine = await verified(app, authToken);
  if (genuine === null) return null;
  const { payload, expired } = genuine;
  const uid = identifier(payload, authToken, jwt.uidClaim);
  const session = identifier(payload, authToken, jwt.sessionClaim);
  if (uid === null || session === null) {
    throw lacking(app, [
      ...(uid === null ? [describe(jwt.uidClaim, "the user")] : []),
      ...(session === null ? [describe(jwt.sessionClaim, "the session")] : []),
    ]);
  }
  // Many issuers round `iat` down: of two tokens of one second nobody knows which came first.
  const issuedAt = Math.floor(Number(payload.iat)) * 1000;
  const endsAt = Math.min(Number(payload.exp) * 1000, Number(payload.iat) * 1000 + jwt.maximumSessionDays * DAY_MS);
  const usableUntil = Math.ceil(endsAt) + jwt.clockToleranceSeconds * 1000;
  return { uid, session: { id: session, issuedAt, usableUntil }, expired, authToken };
};

async function verified(app: JwtApp, authToken: string): Promise<{ payload: JWTPayload; expired: boolean } | null> {
  if (authToken.length > AUTH_TOKEN_LENGTH_MAX) return null;
  try {
    const genuine = await verifiedByAnyKey(app, authToken);
    // RFC 7519 §4.1.3: whoever is not named by an `aud` must refuse the token.
    if (app.jwt.audience === undefined && genuine.payload.aud !== undefined) return refused(app, "unexpected aud");
    return genuine;
  } catch (error) {
    if (!(error instanceof JOSEError)) throw error;
    if (error instanceof JWTClaimValidationFailed && ["iat", "exp", "nbf"].includes(error.claim)) {
      if (error.reason !== "check_failed")
        throw lacking(app, [`The auth token must have the number "${error.claim}".`]);
      log.warn("an auth token is not valid yet: the issuer's clock is ahead", { app: app.appId, claim: error.claim });
      throw unavailable();
    }
    return refused(app, error.code, error instanceof JWTClaimValidationFailed ? error.claim : undefined);
  }
}

/** The log says why, with no word of the token; the client is told that it is dead. */
function refused(app: App, why: string, claim?: string): null {
  log.info("auth token refused", { app: app.appId, why, claim });
  return null;
}

/** @throws {JOSEError} */
async function verifiedByAnyKey(app: JwtApp, authToken: string) {
  const { jwt } = app;
  const stated = decodeJwt(authToken);
  if (stated.iss !== jwt.issuer) throw new JWTClaimValidationFailed("another issuer", stated, "iss");
  let candidates: CryptoKey[] | null = null;
  const nextKey = async (header: JWSHeaderParameters) => {
    candidates ??= await keysFor(app, header, stated);
    const key = candidates.shift();
    if (key === undefined) throw new JWKSNoMatchingKey();
    return key;
  };
  const options = {
    algorithms: jwt.algorithms,
    issuer: jwt.issuer,
    ...(jwt.audience === undefined ? {} : { audience: jwt.audience }),
    clockTolerance: jwt.clockToleranceSeconds,
    maxTokenAge: (jwt.maximumSessionDays * DAY_MS) / 1000,
    requiredClaims: ["iat", "exp"],
  };
  for (;;) {
    try {
      return { payload: (await jwtVerify(authToken, nextKey, options)).payload, expired: false };
    } catch (error) {
      // The signature is checked before the claims, and these before the times: this one is genuine.
      if (error instanceof JWTExpired) return { payload: error.payload, expired: true };
      const mayTryAnother = error instanceof JWSSignatureVerificationFailed;
      if (!mayTryAnother || (candidates as CryptoKey[] | null)?.length === 0) throw error;
    }
  }
}

/** The keys that may have signed the token; its algorithm is an allowed one already. */
async function keysFor(app: JwtApp, header: JWSHeaderParameters, stated: JWTPayload): Promise<CryptoKey[]> {
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
  const text = new TextDecoder().decode(base64url.decode(authToken.split(".")[1] ?? ""));
  const asText = (_key: string, value: unknown, { source = "" }: { source?: string } = {}) => {
    if (typeof value !== "number") return value;
    return Number.isSafeInteger(value) && /^(0|-?[1-9]\d*)$/.test(source) ? source : null;
  };
  return JSON.parse(text, asText);
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

/** Not 401: a new login would bring the same token, and SDKs forget a token on 401. */
function lacking(app: App, problems: string[]): ApiError {
  log.warn("an auth token lacks what the configuration asks for", { app: app.appId, problems });
  return new ApiError("ERR_BAD_REQUEST", "The auth token is genuine, but lacks a claim that this server needs.", {
    details: { authToken: problems },
  });
}
