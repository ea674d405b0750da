// What a JSON Web Key set may hold (RFC 7517, RFC 7518 §6): public keys, and RSA keys that are long enough.

/** 2048 bits in base64url, as RFC 7518 §3.3 asks. */
const RSA_MODULUS_LENGTH_MIN = 342;

/** Members that only private and symmetric keys have. */
const SECRET_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/** Whether a member of a key set can be used to verify: a secret one is published by mistake, or by an attacker. */
export function isPublicJwk(key: unknown): boolean {
  if (typeof key !== "object" || key === null) return false;
  if (SECRET_MEMBERS.some((member) => Object.hasOwn(key, member))) return false;
  const { kty, n } = key as Record<string, unknown>;
  if (kty === "RSA") return typeof n === "string" && n.length >= RSA_MODULUS_LENGTH_MIN;
  return kty === "EC" || kty === "OKP";
}
