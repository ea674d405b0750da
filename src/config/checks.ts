// What the fields of an app's configuration must be to each other. A check answers what is wrong, by the var or secret and
// the field; never a value.
import { isPublicJwk } from "../domain/jwk.ts";
import type { AppTable, JwtSettings, Secrets } from "./schema.ts";

/** The tables of one app, each of which is right in itself. */
export interface Tables {
  /** Of the var. */
  name: string;
  app: AppTable;
  /** Of the secret. */
  secretsName: string;
  secrets: Secrets;
  /** Whether there is a secret. A deployment without it still starts, and answers 500 where it is needed. */
  hasSecrets: boolean;
  isDevelopment: boolean;
}

type Check = (tables: Tables) => string | false;

/** What is wrong with the tables together; empty if nothing is. */
export function problemsOf(tables: Tables): string[] {
  const { name, app, isDevelopment } = tables;
  const ofKeySet = app.jwt === undefined ? [] : keySetProblems(`${name}.jwt`, app.jwt, isDevelopment);
  return [...CHECKS.map((check) => check(tables)).filter((problem) => problem !== false), ...ofKeySet];
}

const CHECKS: readonly Check[] = [
  ({ name, app }) =>
    app.authTokens.defaultSeconds > app.authTokens.maximumSeconds &&
    `${name}.authTokens.defaultSeconds: must not be above maximumSeconds`,
  ({ name, app }) =>
    app.refreshWindowDays >= app.retentionDays &&
    `${name}.refreshWindowDays: must be below retentionDays, else registrations in use are dropped`,
  ({ secretsName, secrets }) =>
    hasDuplicates(secrets.signingKeys.map(({ kid }) => kid)) &&
    `${secretsName}.signingKeys: two keys have the same kid`,
  ({ secretsName, secrets }) =>
    hasDuplicates(secrets.apiKeys.map(({ sha256 }) => sha256)) &&
    `${secretsName}.apiKeys: holds one key twice; a key has one name and one scope`,
  ({ secretsName, secrets }) =>
    hasDuplicates(secrets.apiKeys.map(({ name: of }) => of)) &&
    `${secretsName}.apiKeys: two keys have the same name; logs and limits could not tell them apart`,
  ({ name, app }) =>
    app.jwt !== undefined &&
    (NO_SESSION.includes(app.jwt.sessionClaim) || app.jwt.sessionClaim === app.jwt.uidClaim) &&
    `${name}.jwt.sessionClaim: "${app.jwt.sessionClaim}" names no login on one device, such as sid does`,
  ({ secretsName, secrets, isDevelopment }) =>
    !isDevelopment &&
    hasDevelopmentSecret(secrets) &&
    `${secretsName}: holds a development secret, which everybody knows; make keys with npm run keys`,
  ({ name, app }) => isOfAnotherIdentity(name, app, "jwt"),
  ({ name, app }) => isOfAnotherIdentity(name, app, "cometchat"),
  ({ name, app }) =>
    app.identity === "jwt" &&
    app.jwt === undefined &&
    `${name}.jwt: is missing; identity = "jwt" needs the table [vars.${name}.jwt]`,
  ({ name, app }) =>
    app.publicHost !== undefined &&
    app.cometchat?.clientApi === `https://${app.publicHost}` &&
    `${name}.cometchat.clientApi: must not be publicHost; it is CometChat's own host`,
  ({ name, app, secretsName, secrets, hasSecrets }) =>
    usesJwtSecrets(app) &&
    hasSecrets &&
    secrets.jwtSecrets.length === 0 &&
    `${secretsName}.jwtSecrets: is missing, and ${name}.jwt.algorithms has HS256`,
  ({ name, app, secretsName, secrets }) =>
    !usesJwtSecrets(app) &&
    secrets.jwtSecrets.length > 0 &&
    `${secretsName}.jwtSecrets: is given, but ${name}.jwt.algorithms has no HS256`,
  ({ secretsName, secrets: { jwtSecrets, signingKeys } }) =>
    jwtSecrets.some(({ secret }) => signingKeys.some((key) => key.secret === secret)) &&
    `${secretsName}.jwtSecrets: holds a signing key of this server; tokens of one must not pass as the other's`,
];

/** Claims that are the same in all logins of a user, or others in each auth token (RFC 7519 §4.1): one logout would shut the user out, or end nothing. */
const NO_SESSION: readonly string[] = ["sub", "iss", "aud", "iat", "exp", "nbf", "jti"];

function hasDuplicates(values: readonly string[]): boolean {
  return new Set(values).size < values.length;
}

function isOfAnotherIdentity(name: string, app: AppTable, table: "jwt" | "cometchat"): string | false {
  return app.identity !== table && app[table] !== undefined && `${name}.${table}: is only for identity = "${table}"`;
}

function usesJwtSecrets({ jwt }: AppTable): boolean {
  return jwt?.algorithms.includes("HS256") === true;
}

/** What is wrong with the public keys of a `jwt` table. */
function keySetProblems(name: string, jwt: Omit<JwtSettings, "secrets">, isDevelopment: boolean): string[] {
  const problems: string[] = [];
  const hasPublicKeys = jwt.algorithms.some((algorithm) => algorithm !== "HS256");
  if (hasPublicKeys && (jwt.jwks === undefined) === (jwt.jwksUrl === undefined)) {
    problems.push(`${name}.jwksUrl: exactly one of jwksUrl and jwks must be given for ${jwt.algorithms.join(", ")}`);
  }
  if (!hasPublicKeys && (jwt.jwks !== undefined || jwt.jwksUrl !== undefined)) {
    problems.push(`${name}.jwksUrl: HS256 has no public keys; neither jwksUrl nor jwks is used`);
  }
  if (jwt.jwksUrl !== undefined && !isKeySetUrl(jwt.jwksUrl, isDevelopment)) {
    problems.push(`${name}.jwksUrl: must be an https:// URL without user, password and fragment`);
  }
  for (const [index, key] of (jwt.jwks?.keys ?? []).entries()) {
    if (!isPublicJwk(key)) problems.push(`${name}.jwks.keys[${index}]: is not a public key of 2048 bits or more`);
  }
  return problems;
}

/** https, because whoever can change the keys on their way can be any user; http only to this machine, in development. */
function isKeySetUrl(text: string, isDevelopment: boolean): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "" || text.includes("#")) return false;
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  return url.protocol === "https:" || (isDevelopment && isLocal && url.protocol === "http:");
}

/** How the SHA-256 begins of the API keys that scripts/demo.ts gives the demo app: they are printed in the README. */
const DEVELOPMENT_API_KEYS: readonly string[] = ["4aaad75cfe474cab", "9d28af2ffdb47e2a", "a648b1c9e7897490"];

function hasDevelopmentSecret({ signingKeys, apiKeys }: Secrets): boolean {
  return (
    signingKeys.some((key) => key.secret.startsWith("development-only")) ||
    apiKeys.some((key) => DEVELOPMENT_API_KEYS.includes(key.sha256.slice(0, 16)))
  );
}
