// The logins of the `jwt` apps: they sign auth tokens with keys of their own, and publish the public ones.
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import { JWT_APPS } from "./apps.ts";
import { TestSession, uniqueUid } from "./client.ts";

export type Algorithm = "HS256" | "RS256" | "ES256" | "EdDSA";

export interface Key {
  kid: string | undefined;
  algorithm: Algorithm;
  sign: CryptoKey | Uint8Array;
  /** What the issuer publishes of it. */
  jwk: JWK;
}

/** A new key pair; its private half never leaves the test. */
export async function newKey(algorithm: Exclude<Algorithm, "HS256">, kid: string = crypto.randomUUID()): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return {
    kid,
    algorithm,
    sign: privateKey,
    jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: "sig" },
  };
}

/** A secret as a key. */
export function secretKey(secret: string, kid?: string): Key {
  return { kid, algorithm: "HS256", sign: new TextEncoder().encode(secret), jwk: {} };
}

export interface TokenOptions {
  key: Key;
  /** Beside, or instead of, those of a good token; `undefined` takes one away. */
  claims?: JWTPayload;
  header?: Record<string, unknown>;
}

export const nowSeconds = () => Math.floor(Date.now() / 1000);

/** A good token of the app's login, but for what `claims` and `header` change. */
export async function token(
  app: keyof typeof JWT_APPS,
  { key, claims = {}, header = {} }: TokenOptions,
): Promise<string> {
  const { jwt } = JWT_APPS[app];
  const all = {
    iss: jwt.issuer,
    aud: "audience" in jwt ? jwt.audience : undefined,
    sub: uniqueUid(),
    sid: crypto.randomUUID(),
    iat: nowSeconds(),
    exp: nowSeconds() + 3600,
    ...claims,
  };
  const payload: JWTPayload = JSON.parse(JSON.stringify(all));
  return new SignJWT(payload)
    .setProtectedHeader({ alg: key.algorithm, ...(key.kid === undefined ? {} : { kid: key.kid }), ...header })
    .sign(key.sign);
}

/** A login of a user of a `jwt` app. */
export async function jwtLogin(app: keyof typeof JWT_APPS, options: TokenOptions): Promise<TestSession> {
  const claims = { sub: uniqueUid(), ...options.claims };
  const { appId } = JWT_APPS[app];
  return new TestSession(appId, claims.sub, await token(app, { ...options, claims }));
}
