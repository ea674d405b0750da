// The logins of the `jwt` apps: they sign auth tokens with keys of their own, and publish the public ones.
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import { vi } from "vitest";
import { ISSUERS, JWT_APPS, type JwtTestApp } from "./apps.ts";
import { TestSession, uniqueUid } from "./client.ts";

export type Algorithm = "HS256" | "RS256" | "ES256" | "EdDSA";

export interface Key {
  kid: string | undefined;
  algorithm: Algorithm;
  sign: CryptoKey | Uint8Array;
  /** What the issuer publishes of it. */
  jwk: JWK;
  /** What it never publishes. */
  privateJwk: JWK;
}

/** A new key pair. */
export async function newKey(
  algorithm: Exclude<Algorithm, "HS256"> = "ES256",
  kid: string = crypto.randomUUID(),
): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const named = { kid, alg: algorithm, use: "sig" };
  return {
    kid,
    algorithm,
    sign: privateKey,
    jwk: { ...(await exportJWK(publicKey)), ...named },
    privateJwk: { ...(await exportJWK(privateKey)), ...named },
  };
}

/** A secret as a key. */
export function secretKey(secret: string | Uint8Array, kid?: string): Key {
  const sign = typeof secret === "string" ? new TextEncoder().encode(secret) : secret;
  return { kid, algorithm: "HS256", sign, jwk: {}, privateJwk: {} };
}

export interface TokenOptions {
  key: Key;
  /** Beside, or instead of, those of a good token; `undefined` takes one away. */
  claims?: JWTPayload;
  header?: Record<string, unknown>;
}

export const nowSeconds = () => Math.floor(Date.now() / 1000);

export function appOf(name: string): JwtTestApp {
  const app = JWT_APPS[name];
  if (app === undefined) throw new Error(`there is no app ${name}`);
  return app;
}

/** The claims of a good token of the app's login, but for what `claims` changes. */
export function claimsOf(app: string, claims: JWTPayload = {}): JWTPayload {
  const { issuer, audience } = appOf(app).jwt;
  return JSON.parse(
    JSON.stringify({
      iss: issuer,
      aud: audience,
      sub: uniqueUid(),
      sid: crypto.randomUUID(),
      iat: nowSeconds(),
      exp: nowSeconds() + 3600,
      ...claims,
    }),
  );
}

export function token(app: string, { key, claims = {}, header = {} }: TokenOptions): Promise<string> {
  return new SignJWT(claimsOf(app, claims))
    .setProtectedHeader({ alg: key.algorithm, ...(key.kid === undefined ? {} : { kid: key.kid }), ...header })
    .sign(key.sign);
}

/** A token of any header and signature, as an attacker makes it. */
export function forged(header: object, payload: object, signature = ""): string {
  const part = (value: object) =>
    btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(value))))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");
  return `${part(header)}.${part(payload)}.${signature}`;
}

/** A login of a user of a `jwt` app. */
export async function jwtLogin(app: string, options: TokenOptions): Promise<TestSession> {
  const claims = { sub: uniqueUid(), ...options.claims };
  return new TestSession(appOf(app).appId, claims.sub, await token(app, { ...options, claims }));
}

/** A session that presents any text as its auth token. */
export function sessionWith(app: string, authToken: string): TestSession {
  return new TestSession(appOf(app).appId, "", authToken);
}

let issuers = 0;

/** The server of an issuer, of an app that no other test of the file uses. */
export class FakeIssuer {
  readonly app: string;
  keys: Key[];
  requests = 0;
  /** What it answers; the public keys by default. */
  answer: (signal: AbortSignal | null) => Response | Promise<Response> = () => this.keySet();

  constructor(app: string, keys: Key[]) {
    this.app = app;
    this.keys = keys;
  }

  static async start({ keys, app }: { keys?: Key[]; app?: string } = {}): Promise<FakeIssuer> {
    if (issuers >= ISSUERS) throw new Error("raise ISSUERS");
    const issuer = new FakeIssuer(app ?? `ISSUER_${issuers++}`, keys ?? [await newKey()]);
    const { jwksUrl = "" } = appOf(issuer.app).jwt;
    running.set(jwksUrl, issuer);
    return issuer;
  }

  get key(): Key {
    const key = this.keys[0];
    if (key === undefined) throw new Error("the issuer has no key");
    return key;
  }

  keySet(members: object[] = this.keys.map(({ jwk }) => jwk)): Response {
    return Response.json({ keys: members });
  }

  login(options: Partial<TokenOptions> = {}): Promise<TestSession> {
    return jwtLogin(this.app, { key: this.key, ...options });
  }
}

const running = new Map<string, FakeIssuer>();
/** URLs that were asked for and that no issuer serves. */
export const strayRequests: string[] = [];

/** Puts the issuers between the Worker and the network; each answers after a while, as a network does. */
export function serveIssuers(): void {
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const url = String(input instanceof Request ? input.url : input);
    const issuer = running.get(url);
    if (issuer === undefined) {
      strayRequests.push(url);
      throw new TypeError(`nobody serves ${url}`);
    }
    issuer.requests += 1;
    await scheduler.wait(20);
    return issuer.answer(init?.signal ?? null);
  });
}
