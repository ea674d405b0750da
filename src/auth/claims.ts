// The claims of a JWT. Its signature is jose's to verify (RFC 7515); what the claims must say is the caller's to check.
import { type CompactJWSHeaderParameters, type CryptoKey, compactVerify, type JWTPayload } from "jose";
import * as base64url from "jose/base64url";
import { JWTInvalid } from "jose/errors";

export interface Signed {
  /** Of the header; no other is accepted. */
  algorithms: string[];
  /** Of the header, where only one type is accepted. */
  typ?: string;
  key: (header: CompactJWSHeaderParameters) => Promise<CryptoKey>;
}

/**
 * The claims of a token whose signature is right, whatever they say.
 * @throws {JOSEError} and what `key` throws
 */
export async function genuineClaims(token: string, { algorithms, typ, key }: Signed): Promise<JWTPayload> {
  const claims = statedClaims(token);
  const { protectedHeader } = await compactVerify(token, key, { algorithms });
  // The one extension that jose knows is a payload that is not base64url: claims always are (RFC 7797 §7).
  if (protectedHeader.crit !== undefined || (typ !== undefined && protectedHeader.typ !== typ)) throw new JWTInvalid();
  return claims;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/**
 * The claims that a token states, whoever signed it. `read` gets each value and the text that stands for it, as in `JSON.parse`.
 * @throws {JWTInvalid} if it states none
 */
export function statedClaims(
  token: string,
  read?: (key: string, value: unknown, context?: { source?: string }) => unknown,
): JWTPayload {
  let claims: unknown;
  try {
    claims = JSON.parse(utf8.decode(base64url.decode(token.split(".")[1] ?? "")), read);
  } catch (cause) {
    throw new JWTInvalid(undefined, { cause });
  }
  if (typeof claims !== "object" || claims === null || Array.isArray(claims)) throw new JWTInvalid();
  return claims as JWTPayload;
}

/** When a token is good, in seconds since 1970. */
export interface Times {
  iat: number;
  exp: number;
  nbf: number;
}

/** The times of a token; or the name of a claim that is no number. All but `nbf` must be there. */
export function timesOf({ iat, exp, nbf = 0 }: JWTPayload): Times | keyof Times {
  if (typeof iat !== "number") return "iat";
  if (typeof exp !== "number") return "exp";
  return typeof nbf === "number" ? { iat, exp, nbf } : "nbf";
}
