// What an attacker can do with tokens, key ids and key sets, and what an operator can get wrong in the configuration.
import { exportSPKI, importJWK } from "jose";
import { beforeAll, describe, it } from "vitest";
import { parseConfig } from "../../src/config/apps.ts";
import { AUTH_TOKEN_LENGTH_MAX } from "../../src/limits.ts";
import { JWT_SECRETS } from "../support/apps.ts";
import { login, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import {
  appOf,
  claimsOf,
  FakeIssuer,
  forged,
  jwtLogin,
  type Key,
  newKey,
  secretKey,
  serveIssuers,
  sessionWith,
  strayRequests,
  token,
} from "../support/issuer.ts";

const SECRET = secretKey(JWT_SECRETS[0]?.secret ?? "", "now");
const DEAD = { status: 401, body: { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } } };

beforeAll(serveIssuers);

const ask = (session: TestSession) => session.call("GET", "/v2/tokens");

/** An issuer whose keys the Worker has already. */
async function knownIssuer(keys?: Key[]): Promise<FakeIssuer> {
  const issuer = await FakeIssuer.start(keys === undefined ? {} : { keys });
  await ask(await issuer.login());
  return issuer;
}

describe("a token of another place", () => {
  it("is refused: of another app with the same key id", async ({ expect }) => {
    const kid = "the-same-kid";
    const one = await knownIssuer([await newKey("ES256", kid)]);
    const two = await knownIssuer([await newKey("ES256", kid)]);
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const) {
      expect(await ask(sessionWith(to.app, (await from.login()).authToken))).toMatchObject(DEAD);
      // Even where it claims to be of the other's issuer, its signature is not.
      const { issuer } = appOf(to.app).jwt;
      expect(await ask(sessionWith(to.app, (await from.login({ claims: { iss: issuer } })).authToken))).toMatchObject(
        DEAD,
      );
      expect((await ask(await to.login())).status).toBe(200);
    }
  });

  it("is refused: of another issuer, or of several, with the app's own key", async ({ expect }) => {
    const issuer = await knownIssuer();
    const own = appOf(issuer.app).jwt.issuer;
    for (const iss of [undefined, "", `${own}/`, own.toUpperCase(), [own], { own }]) {
      expect(await ask(await issuer.login({ claims: { iss } as never }))).toMatchObject(DEAD);
    }
  });

  it("is refused: minted by this server, or an unregister ticket of it", async ({ expect }) => {
    const session = await login();
    const { body } = await session.register({ fcmToken: uniqueToken() });
    for (const text of [session.authToken, body.data.unregisterTicket]) {
      expect(await ask(sessionWith("SECRET", text))).toMatchObject(DEAD);
    }
    const { authToken } = await jwtLogin("SECRET", { key: SECRET });
    expect(await ask(Object.assign(sessionWith("SECRET", authToken), { app: "test" }))).toMatchObject(DEAD);
  });

  it("is refused: an unregister ticket of the very app", async ({ expect }) => {
    const session = await jwtLogin("SECRET", { key: SECRET });
    const { body } = await session.register({ fcmToken: uniqueToken() });
    expect(await ask(sessionWith("SECRET", body.data.unregisterTicket))).toMatchObject(DEAD);
  });
});

describe("algorithms", () => {
  it("none, in any spelling, is refused", async ({ expect }) => {
    const issuer = await knownIssuer();
    for (const alg of ["none", "None", "NONE", "nOnE", "", null, undefined, ["ES256"], 0]) {
      const text = forged({ alg, kid: issuer.key.kid }, claimsOf(issuer.app));
      expect(await ask(sessionWith(issuer.app, text))).toMatchObject(DEAD);
    }
    const unsigned = forged({ alg: "ES256", kid: issuer.key.kid }, claimsOf(issuer.app));
    expect(await ask(sessionWith(issuer.app, unsigned))).toMatchObject(DEAD);
  });

  it("that the app does not list are refused without a look at the keys", async ({ expect }) => {
    const issuer = await FakeIssuer.start();
    for (const alg of ["HS256", "HS512", "PS256", "ES384", "RS512", "Ed25519"]) {
      const text = forged({ alg, kid: issuer.key.kid }, claimsOf(issuer.app), "AAAA");
      expect(await ask(sessionWith(issuer.app, text))).toMatchObject(DEAD);
    }
    expect(issuer.requests).toBe(0);
  });

  it("are not confused: a public key is no secret, even where both kinds are allowed", async ({ expect }) => {
    const rsa = await newKey("RS256");
    const issuer = await FakeIssuer.start({ app: "MIXED", keys: [rsa] });
    expect((await ask(await issuer.login())).status).toBe(200);
    expect((await ask(await issuer.login({ key: SECRET }))).status).toBe(200);

    const spki = await exportSPKI((await importJWK({ ...rsa.jwk, ext: true }, "RS256")) as never);
    const asSecrets = [
      spki,
      spki.trim(),
      JSON.stringify(rsa.jwk),
      rsa.jwk.n ?? "",
      Uint8Array.from(atob((rsa.jwk.n ?? "").replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0)),
    ];
    for (const secret of asSecrets) {
      for (const kid of [rsa.kid, undefined, "now"]) {
        expect(await ask(await issuer.login({ key: secretKey(secret, kid) }))).toMatchObject(DEAD);
      }
    }
    const secretAsRsa = await newKey("RS256", "now");
    const reply = await ask(await issuer.login({ key: secretAsRsa }));
    expect([401, 503]).toContain(reply.status);
  });

  it("belong to the key: an EC key verifies no EdDSA", async ({ expect }) => {
    const ec = await newKey("ES256", "k");
    const issuer = await FakeIssuer.start({ keys: [ec] });
    expect(await ask(await issuer.login({ key: await newKey("EdDSA", "k") }))).toMatchObject(DEAD);
  });
});

describe("headers of a token", () => {
  it("lead to no key: jwk, jku, x5u and x5c are not read", async ({ expect }) => {
    const issuer = await knownIssuer();
    const evil = await newKey("ES256", issuer.key.kid);
    for (const header of [
      { jwk: evil.jwk },
      { jku: "https://evil.test/jwks.json" },
      { x5u: "https://evil.test/cert.pem" },
      { x5c: ["MIIB"] },
      { jwk: evil.jwk, jku: "https://evil.test/jwks.json", kid: undefined },
    ]) {
      expect(await ask(await issuer.login({ key: evil, header }))).toMatchObject(DEAD);
    }
    expect(strayRequests).toEqual([]);
    expect(issuer.requests).toBe(1);
  });

  it("with a kid that cannot be one are dead at once, and cause no request", async ({ expect }) => {
    const issuer = await FakeIssuer.start();
    for (const kid of [["a"], { length: 1 }, 7, null, true, "x".repeat(256)]) {
      const text = forged({ alg: "ES256", kid }, claimsOf(issuer.app), "A".repeat(86));
      expect(await ask(sessionWith(issuer.app, text))).toMatchObject(DEAD);
    }
    expect(issuer.requests).toBe(0);
  });

  it("with a kid that is a path, a query or a property of every object find nothing", async ({ expect }) => {
    for (const kid of ["../../etc/passwd", "' OR 1=1 --", "__proto__", "constructor", "toString", "0", ""]) {
      const issuer = await FakeIssuer.start();
      expect(await ask(await issuer.login({ key: await newKey("ES256", kid) }))).toMatchObject(DEAD);
      expect(await ask(await jwtLogin("SECRET", { key: secretKey("a".repeat(32), kid) }))).toMatchObject(DEAD);
    }
  });

  it("with critical extensions are refused", async ({ expect }) => {
    const issuer = await knownIssuer();
    const text = forged({ alg: "ES256", kid: issuer.key.kid, crit: ["exp"], exp: 1 }, claimsOf(issuer.app), "AAAA");
    expect(await ask(sessionWith(issuer.app, text))).toMatchObject(DEAD);
    const genuine = await issuer.login({ header: { b64: true, crit: ["b64"] } });
    expect(await ask(genuine)).toMatchObject(DEAD);
  });
});

describe("malformed tokens", () => {
  it("are dead, however long or strange", async ({ expect }) => {
    const good = await token("SECRET", { key: SECRET });
    const [header = "", payload = "", signature = ""] = good.split(".");
    const long = await token("SECRET", { key: SECRET, claims: { pad: "x".repeat(AUTH_TOKEN_LENGTH_MAX) } });
    for (const text of [
      long,
      "x".repeat(20_000),
      "..",
      "a.b.c",
      `${header}.${payload}`,
      `${header}.${payload}.${signature}.${signature}`,
      `${header}.${payload}.${signature.slice(0, -2)}`,
      `${header}.${payload}.`,
      `${header}.${btoa('{"sub":"x"')}.${signature}`,
      forged({ alg: "HS256" }, ["not", "an", "object"], "AAAA"),
      forged([], {}, "AAAA"),
    ]) {
      expect(await ask(sessionWith("SECRET", text))).toMatchObject(DEAD);
    }
  });

  it("cannot reach into prototypes by a claim's name", async ({ expect }) => {
    const claims = { user: { account: ["id"] }, "https://example.com/session": "s" };
    for (const user of [{ account: ["id"] }, { __proto__: { account: { id: "admin" } } }, [], "account", null]) {
      const session = await jwtLogin("CLAIMS", { key: SECRET, claims: { ...claims, user } });
      expect((await ask(session)).status).toBe(400);
    }
  });

  it("that are changed after they were signed are dead", async ({ expect }) => {
    const victim = uniqueUid();
    const issuer = await knownIssuer();
    const [header = "", , signature = ""] = (await issuer.login()).authToken.split(".");
    const [, payload = ""] = forged({}, claimsOf(issuer.app, { sub: victim })).split(".");
    expect(await ask(sessionWith(issuer.app, `${header}.${payload}.${signature}`))).toMatchObject(DEAD);
  });
});

describe("a poisoned key set", () => {
  it("gives no key that is secret, private, short or for something else", async ({ expect }) => {
    const secret = secretKey("a secret that was published by mistake", "k");
    const ec = await newKey("ES256", "k");
    const good = await newKey("ES256", "good");
    const oct = { kty: "oct", kid: "k", alg: "HS256", k: btoa("a secret that was published by mistake") };
    const members: [Key, object][] = [
      [secret, oct],
      [ec, { ...oct, alg: "ES256" }],
      [ec, ec.privateJwk],
      [ec, { ...ec.jwk, use: "enc" }],
      [ec, { ...ec.jwk, key_ops: ["sign"] }],
      [ec, { ...ec.jwk, alg: "ES384" }],
      [ec, { ...ec.jwk, x: "AAAA" }],
      [ec, { ...ec.jwk, crv: "P-384" }],
      [ec, { ...ec.jwk, kid: ["k"] }],
      [await newKey("RS256", "k"), { kty: "RSA", kid: "k", alg: "RS256", n: "AQAB", e: "AQAB" }],
    ];
    for (const [key, member] of members) {
      const issuer = await FakeIssuer.start({ keys: [good] });
      issuer.answer = () => issuer.keySet([member, good.jwk]);
      expect(await ask(await issuer.login({ key }))).toMatchObject(DEAD);
      expect((await ask(await issuer.login())).status).toBe(200);
    }
  });

  it("with two keys of one name verifies neither by chance", async ({ expect }) => {
    const [first, second] = [await newKey("ES256", "k"), await newKey("ES256", "k")];
    for (const key of [first, second]) {
      const issuer = await FakeIssuer.start({ keys: [first, second] });
      expect(await ask(await issuer.login({ key }))).toMatchObject(DEAD);
    }
  });
});

describe("floods", () => {
  it("of made-up keys cost the issuer one request in 30 s, and other users nothing", async ({ expect }) => {
    const issuer = await knownIssuer();
    for (let i = 0; i < 50; i += 1) {
      const text = forged({ alg: "ES256", kid: `made-up-${i}` }, claimsOf(issuer.app), "A".repeat(86));
      expect((await ask(sessionWith(issuer.app, text))).status).toBe(503);
    }
    expect(issuer.requests).toBe(1);
    expect((await ask(await issuer.login())).status).toBe(200);
  });

  it("of tokens that have expired, or of another issuer, cost it none", async ({ expect }) => {
    const issuer = await FakeIssuer.start();
    const stranger = forged({ alg: "ES256", kid: "k" }, claimsOf(issuer.app, { iss: "https://evil.test" }), "AAAA");
    expect(await ask(sessionWith(issuer.app, stranger))).toMatchObject(DEAD);
    expect(issuer.requests).toBe(0);
    await ask(await issuer.login());
    const over = forged({ alg: "ES256", kid: "k" }, claimsOf(issuer.app, { iat: 1, exp: 2 }), "A".repeat(86));
    expect(await ask(sessionWith(issuer.app, over))).toMatchObject(DEAD);
    expect(issuer.requests).toBe(1);
  });
});

describe("the configuration", () => {
  const jwt = { algorithms: ["RS256"], issuer: "https://a.test", sessionClaim: "sid", maximumSessionDays: 30 };
  const url = { jwksUrl: "https://a.test/jwks" };
  const problemsOf = (app: object, secrets: object = {}, env: object = {}) => {
    const config = parseConfig({
      APP_X: { appId: "x", ...app },
      SECRETS_X: JSON.stringify({ signingKeys: [], apiKeys: [], ...secrets }),
      ...env,
    });
    const parsed = config.apps.get("x");
    return parsed instanceof Error ? parsed.message : "";
  };
  const jwtProblems = (changes: object, secrets = {}, env = {}) =>
    problemsOf({ identity: "jwt", jwt: { ...jwt, ...changes } }, secrets, env);

  it("wants the table of the identity, and no other", ({ expect }) => {
    expect(jwtProblems(url)).toBe("");
    expect(problemsOf({ identity: "jwt" })).toContain("APP_X.jwt: is missing");
    expect(problemsOf({ identity: "issued", cometchat: {} })).toContain('is only for identity = "cometchat"');
    expect(problemsOf({ jwt: { ...jwt, ...url } })).toContain('APP_X.jwt: is only for identity = "jwt"');
    expect(problemsOf({ identity: "jwt", jwt: { ...jwt, ...url }, cometchat: {} })).toContain("APP_X.cometchat");
    expect(problemsOf({ identity: "jwk" })).toContain("APP_X.identity");
  });

  it("takes keys over https only, and over http from this machine in development", ({ expect }) => {
    for (const jwksUrl of [
      "http://a.test/jwks",
      "http://169.254.169.254/latest/meta-data",
      "http://localhost:9000/jwks",
      "file:///etc/passwd",
      "data:application/json,{}",
      "ftp://a.test/jwks",
      "javascript:1",
      "//a.test/jwks",
      "/jwks",
      "a.test",
      "https://user:password@a.test/jwks",
      "https://a.test/jwks#keys",
      "https://",
      "",
      7,
    ]) {
      expect(jwtProblems({ jwksUrl })).toContain("APP_X.jwt.jwksUrl");
    }
    const development = { DEVELOPMENT: "true" };
    expect(jwtProblems({ jwksUrl: "http://localhost:9000/jwks" }, {}, development)).toBe("");
    expect(jwtProblems({ jwksUrl: "http://localhost.evil.test/jwks" }, {}, development)).toContain("jwksUrl");
  });

  it("wants one source of public keys, and only public ones", async ({ expect }) => {
    const key = await newKey("RS256");
    expect(jwtProblems({ jwks: { keys: [key.jwk] } })).toBe("");
    expect(jwtProblems({})).toContain("exactly one of jwksUrl and jwks");
    expect(jwtProblems({ ...url, jwks: { keys: [key.jwk] } })).toContain("exactly one of jwksUrl and jwks");
    for (const bad of [key.privateJwk, { kty: "oct", k: "AAAA" }, { kty: "RSA", n: "AQAB", e: "AQAB" }]) {
      expect(jwtProblems({ jwks: { keys: [key.jwk, bad] } })).toContain("APP_X.jwt.jwks.keys[1]: is not a public key");
    }
    expect(jwtProblems({ jwks: { keys: [] } })).toContain("APP_X.jwt.jwks.keys");
  });

  it("wants secrets for HS256, and for nothing else; long ones, and not this server's own", ({ expect }) => {
    const secret = "a secret of at least 32 characters";
    const hs = { algorithms: ["HS256"] };
    expect(jwtProblems(hs, { jwtSecrets: [{ secret }] })).toBe("");
    expect(jwtProblems(hs)).toContain("SECRETS_X.jwtSecrets: is missing");
    expect(jwtProblems({ ...hs, ...url }, { jwtSecrets: [{ secret }] })).toContain("HS256 has no public keys");
    expect(jwtProblems(url, { jwtSecrets: [{ secret }] })).toContain("SECRETS_X.jwtSecrets: is given");
    expect(jwtProblems(hs, { jwtSecrets: [{ secret: "short" }] })).toContain("SECRETS_X.jwtSecrets[0].secret");
    const signingKeys = [{ kid: "a", secret }];
    expect(jwtProblems(hs, { jwtSecrets: [{ secret }], signingKeys })).toContain("a signing key of this server");
  });

  it("pins what must be pinned", ({ expect }) => {
    for (const algorithms of [undefined, [], ["none"], ["RS256", "HS512"], "RS256"]) {
      expect(jwtProblems({ ...url, algorithms })).toContain("APP_X.jwt.algorithms");
    }
    for (const field of ["issuer", "sessionClaim", "maximumSessionDays"]) {
      expect(jwtProblems({ ...url, [field]: undefined })).toContain(`APP_X.jwt.${field}`);
    }
    expect(jwtProblems({ ...url, clockToleranceSeconds: 301 })).toContain("APP_X.jwt.clockToleranceSeconds");
    expect(jwtProblems({ ...url, audience: [] })).toContain("APP_X.jwt.audience");
    expect(jwtProblems({ ...url, sessionClaim: "a..b" })).toContain("APP_X.jwt.sessionClaim");
    expect(jwtProblems({ ...url, jwksURL: "https://a.test" })).toContain("unknown fields: jwksURL");
  });

  it("names no value of a secret in its problems", ({ expect }) => {
    expect(jwtProblems({ algorithms: ["HS256"] }, { jwtSecrets: [{ secret: "hunter2" }] })).not.toContain("hunter2");
  });
});
