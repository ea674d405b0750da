// HMAC-SHA256 keys, and the app's own signing keys among them: the first one signs, all verify.
import type { JWTPayload } from "jose";
import * as base64url from "jose/base64url";
import { JOSEError, JWKSNoMatchingKey } from "jose/errors";
import type { App, SigningKey } from "../config/apps.ts";
import { type ApiError, misconfigured } from "../http/errors.ts";
import { MISCONFIGURED_EVERY_MS } from "../limits.ts";
import { log } from "../log.ts";
import { genuineClaims } from "./claims.ts";

export const HMAC_ALGORITHM = "HS256";

const keys = new WeakMap<{ secret: string }, Promise<CryptoKey>>();

/** The key as WebCrypto wants it, imported once per isolate. */
export function cryptoKey(key: { secret: string }): Promise<CryptoKey> {
  let imported = keys.get(key);
  if (imported === undefined) {
    const bytes = new TextEncoder().encode(key.secret);
    imported = crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
    keys.set(key, imported);
  }
  return imported;
}

/** The claims of a JWT of this type that one of the app's own keys signed; `null` for any other text. */
export async function ownClaims({ signingKeys }: App, typ: string, token: string): Promise<JWTPayload | null> {
  try {
    return await genuineClaims(token, {
      algorithms: [HMAC_ALGORITHM],
      typ,
      key: async ({ kid }) => {
        const key = signingKeys.find((candidate) => candidate.kid === kid);
        if (key === undefined) throw new JWKSNoMatchingKey();
        return cryptoKey(key);
      },
    });
  } catch (error) {
    if (error instanceof JOSEError) return null;
    throw error;
  }
}

/** A JWT of these claims (RFC 7515 §3.1, RFC 7519). */
export async function signJwt(key: SigningKey, typ: string, claims: JWTPayload): Promise<string> {
  const parts = [{ alg: HMAC_ALGORITHM, typ, kid: key.kid }, claims];
  const signed = parts.map((part) => base64url.encode(JSON.stringify(part))).join(".");
  const signature = await crypto.subtle.sign("HMAC", await cryptoKey(key), new TextEncoder().encode(signed));
  return `${signed}.${base64url.encode(new Uint8Array(signature))}`;
}

/** When problems were last logged, epoch ms: any stranger can name the app, and one line per minute says it. */
const reportedAt = new Map<string, number>();

/**
 * {@link misconfigured}, and the log says why. An app that lacks the secret by which its auth tokens are checked must not call
 * them dead: SDKs log their users out on that word.
 */
export function reportMisconfigured(problems: string[]): ApiError {
  const key = problems.join();
  if (Date.now() >= (reportedAt.get(key) ?? 0) + MISCONFIGURED_EVERY_MS) {
    reportedAt.set(key, Date.now());
    log.error("the configuration is wrong", { problems });
  }
  return misconfigured();
}
