// The apps that this deployment serves: one var `APP_<NAME>` each, and its secrets in `SECRETS_<NAME>`. Validated once per
// isolate. An app with a mistake answers 500 and a log line names the field; the other apps go on.
import * as z from "zod/mini";
import { isPublicJwk } from "../domain/jwk.ts";
import { POLICIES, type Rules } from "../domain/registration.ts";
import {
  AUTH_TOKEN_SECONDS_MIN,
  CLOCK_TOLERANCE_MS,
  DAY_MS,
  JWT_SECRETS_MAX,
  UNCONFIRMED_FENCE_MS,
} from "../limits.ts";

const DAY_SECONDS = DAY_MS / 1000;

const positive = (what: string) => z.number(`must be ${what}`).check(z.positive(`must be ${what}`));
const wholeNumber = (what: string) => z.int(`must be ${what}`).check(z.nonnegative(`must be ${what}`));
const text = (pattern: RegExp, what: string) => z.string(`must be ${what}`).check(z.regex(pattern, `must be ${what}`));

/** How an app knows who calls: auth tokens minted here, JWTs of the app's own login, or CometChat's auth tokens. */
const IDENTITIES = ["issued", "jwt", "cometchat"] as const;

/** Of an app's own JWTs. `HS256` keys are secrets; the keys of the others are public, in a key set. */
const JWT_ALGORITHMS = ["HS256", "RS256", "ES256", "EdDSA"] as const;

/** A claim by its name; a dot leads into an object, unless the token has a claim of that very name. */
const claimName = text(/^[^\s.]+(\.[^\s.]+)*$|^https?:\/\/\S+$/, "the name of a claim, such as sid or user.id");
const nonEmptyText = text(/^\S(.*\S)?$/, "text");

/** `[vars.APP_X.jwt]`: what an auth token of the app's own login looks like. docs/own-login.md explains the fields. */
const jwtSchema = z.strictObject({
  algorithms: z
    .array(
      z.enum(JWT_ALGORITHMS, `must be one of ${JWT_ALGORITHMS.join(", ")}`),
      `must be a list of ${JWT_ALGORITHMS.join(", ")}`,
    )
    .check(z.minLength(1, "must name at least one algorithm")),
  /** The one `iss` that is accepted. */
  issuer: nonEmptyText,
  /** The `aud` of which a token must hold one. Without it, a token that has an `aud` is refused: it is for someone else. */
  audience: z.optional(
    z.union([nonEmptyText, z.array(nonEmptyText).check(z.minLength(1))], "must be text, or a list of texts"),
  ),
  /** Where the issuer publishes its public keys. */
  jwksUrl: z.optional(z.string("must be a URL")),
  /** The public keys themselves, instead of `jwksUrl`. */
  jwks: z.optional(
    z.object({ keys: z.array(z.looseObject({ kty: z.string() })).check(z.minLength(1, "must hold a key")) }),
  ),
  uidClaim: z._default(claimName, "sub"),
  /** The claim that is the same in all tokens of one login on one device, and another one at the next login. */
  sessionClaim: claimName,
  /** The longest life of a session: tokens issued longer ago are refused, and a fence stands for so long. */
  maximumSessionDays: positive("a number of days above 0"),
  clockToleranceSeconds: z._default(
    wholeNumber("a whole number of seconds").check(z.maximum(300, "must not be above 300")),
    CLOCK_TOLERANCE_MS / 1000,
  ),
});

const HOST = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$/;
const hostName = text(HOST, "a host name in lower case, with :port if need be, without https://");

/** `[vars.APP_X.cometchat]`, which may be left out. docs/cometchat.md explains the fields. */
const cometchatSchema = z.strictObject({
  /** The client API, `https://<host>`: auth tokens are verified by it and calls are passed on to it. CometChat's own by default. */
  clientApi: z.optional(
    text(/^https:\/\/[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$/, "https:// and a host name, no path"),
  ),
  /** Extensions are passed on to `<slug>-<region>` of this domain. */
  extensionDomain: z._default(hostName, "cometchat.io"),
  /** How long an isolate goes by CometChat's word that an auth token is alive. */
  cacheSeconds: z._default(
    wholeNumber("a whole number of seconds").check(z.maximum(DAY_SECONDS, "must not be above a day")),
    300,
  ),
  /** Where push tokens are kept, by v2/tokens and its successor: `here`, or `both` here and at CometChat. */
  pushTokens: z._default(z.enum(["here", "both"], 'must be "here" or "both"'), "here"),
});
const lifetime = z
  .int("must be a whole number of seconds")
  .check(z.minimum(AUTH_TOKEN_SECONDS_MIN, `must be at least ${AUTH_TOKEN_SECONDS_MIN}`));

const rateLimitClass = text(/^([A-Z0-9_]{1,32}|none)$/, 'a class of 1 to 32 of A-Z, 0-9 and _, or "none"');

const appSchema = z.strictObject({
  /** What clients send as `appId`. It is part of object names: letters, digits, `_` and `-`, no colon. */
  appId: text(/^[A-Za-z0-9_-]{1,64}$/, "1 to 64 letters, digits, _ or -"),
  /** The region that SDKs put into host names. */
  region: z._default(text(/^[a-z0-9-]{1,32}$/, "1 to 32 of a-z, 0-9 and -"), "us"),
  identity: z._default(z.enum(IDENTITIES, 'must be "issued", "jwt" or "cometchat"'), "issued"),
  /** The table of the chosen identity, and no other. */
  jwt: z.optional(jwtSchema),
  cometchat: z.optional(cometchatSchema),
  policy: z._default(z.enum(POLICIES, 'must be "exclusive" or "shared"'), "exclusive"),
  /** Declares a change of policy: `npm run check:config` refuses one that is not declared. */
  policyChangedFrom: z.optional(z.enum(POLICIES, 'must be "exclusive" or "shared"')),
  /** Lifetime of minted auth tokens, in seconds; `maximum` also sets how long fences stand. */
  authTokens: z._default(
    z.strictObject({
      defaultSeconds: z._default(lifetime, 30 * DAY_SECONDS),
      maximumSeconds: z._default(lifetime, 90 * DAY_SECONDS),
    }),
    { defaultSeconds: 30 * DAY_SECONDS, maximumSeconds: 90 * DAY_SECONDS },
  ),
  /** An unchanged registration is written again at most this often. */
  refreshWindowDays: z._default(positive("a number of days above 0"), 7),
  /** A registration not refreshed for this long is not served any more. FCM's own limit on Android is 270 days. */
  retentionDays: z._default(positive("a number of days above 0"), 270),
  /** The host that `settings` name, where it is not the request's own. */
  publicHost: z.optional(hostName),
  /** Origins of web pages that may call; none given: all may. */
  allowedOrigins: z.optional(z.array(text(/^https?:\/\/[^/]+$/, "an origin such as https://app.example.com"))),
  /** Where the app's objects live; never changed later, for the same name is another object elsewhere. Not in development. */
  jurisdiction: z.optional(z.enum(["eu", "us", "fedramp"], 'must be "eu", "us" or "fedramp"')),
  takeovers: z._default(
    z.strictObject({
      perSessionAndHour: z._default(wholeNumber("a whole number"), 5),
      perTokenAndHour: z._default(wholeNumber("a whole number"), 10),
    }),
    { perSessionAndHour: 5, perTokenAndHour: 10 },
  ),
  /** Classes of rate limits (src/http/rate-limits.ts): class X is the binding RATE_LIMIT_X; `none` is no limit. */
  rateLimits: z._default(
    z.strictObject({
      ip: z._default(rateLimitClass, "IP"),
      session: z._default(rateLimitClass, "SESSION"),
      key: z._default(rateLimitClass, "KEY"),
      unverified: z._default(rateLimitClass, "UNVERIFIED"),
    }),
    { ip: "IP", session: "SESSION", key: "KEY", unverified: "UNVERIFIED" },
  ),
});

/** What an API key may do: `authOnly` mints auth tokens, `sender` reads and reports, `fullAccess` everything. */
export const SCOPES = ["fullAccess", "sender", "authOnly"] as const;
export type Scope = (typeof SCOPES)[number];

const hmacSecret = z.string("must be text").check(z.minLength(32, "must be at least 32 characters long"));

const secretsSchema = z.strictObject({
  /** The first one signs, all verify: put a new one last, then first, and take the old one out (docs/apps.md). */
  signingKeys: z.array(
    z.strictObject({
      kid: text(/^[\w.-]{1,64}$/, "1 to 64 letters, digits, _, . or -"),
      secret: hmacSecret,
    }),
  ),
  /** HS256 keys of the app's own login (identity `jwt`): all verify; two of them during a rotation. */
  jwtSecrets: z._default(
    z
      .array(z.strictObject({ kid: z.optional(z.string("must be text")), secret: hmacSecret }))
      .check(z.maxLength(JWT_SECRETS_MAX, `must not hold more than ${JWT_SECRETS_MAX}`)),
    [],
  ),
  apiKeys: z.array(
    z.strictObject({
      /** Shows in logs. */
      name: text(/^[\w.-]{1,64}$/, "1 to 64 letters, digits, _, . or -"),
      scope: z.enum(SCOPES, 'must be "fullAccess", "sender" or "authOnly"'),
      sha256: text(/^[0-9a-f]{64}$/, "the SHA-256 of the key in 64 lower-case hex digits"),
    }),
  ),
});

export type ApiKey = z.infer<typeof secretsSchema>["apiKeys"][number];
export type SigningKey = z.infer<typeof secretsSchema>["signingKeys"][number];

export type JwtSecret = z.infer<typeof secretsSchema>["jwtSecrets"][number];
export type JwtSettings = z.infer<typeof jwtSchema> & { secrets: JwtSecret[] };
export type CometChatSettings = z.infer<typeof cometchatSchema>;

interface AppOfAnyIdentity extends Omit<z.infer<typeof appSchema>, (typeof IDENTITIES)[number] | "identity"> {
  rules: Rules;
  /** The name of the app's secret, for what is missing from it. */
  secretsName: string;
  signingKeys: SigningKey[];
  apiKeys: ApiKey[];
}

export interface IssuedApp extends AppOfAnyIdentity {
  identity: "issued";
}

export interface JwtApp extends AppOfAnyIdentity {
  identity: "jwt";
  jwt: JwtSettings;
}

export interface CometChatApp extends AppOfAnyIdentity {
  identity: "cometchat";
  cometchat: CometChatSettings;
}

/** One tenant, ready for use. */
export type App = IssuedApp | JwtApp | CometChatApp;

/** Thrown for an app whose configuration is wrong; `problems` name the var and the field, never a value. */
export class ConfigError extends Error {
  readonly problems: string[];

  constructor(problems: string[]) {
    super(problems.join("; "));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

export interface Config {
  /** By appId. */
  apps: Map<string, App | ConfigError>;
  /** What is wrong with the whole: names that cannot be told apart. */
  problems: string[];
}

const configs = new WeakMap<object, Config>();

/** The configuration of this deployment, parsed once per isolate. */
export function loadConfig(env: object): Config {
  let config = configs.get(env);
  if (config === undefined) {
    config = parseConfig(env as Record<string, unknown>);
    configs.set(env, config);
  }
  return config;
}

/** Parses vars and secrets as they stand in `env`; never throws. */
export function parseConfig(env: Record<string, unknown>): Config {
  const config: Config = { apps: new Map(), problems: [] };
  const isDevelopment = env.DEVELOPMENT === "true";
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith("APP_")) continue;
    const appId = (parseJson(value) as { appId?: unknown } | null)?.appId;
    if (typeof appId !== "string") config.problems.push(`${name}.appId: must be text`);
    else if (config.apps.has(appId)) config.problems.push(`${name}.appId: "${appId}" is configured twice`);
    else config.apps.set(appId, parseApp(name, value, env[name.replace("APP_", "SECRETS_")], isDevelopment));
  }
  return config;
}

function parseApp(name: string, value: unknown, secretsValue: unknown, isDevelopment: boolean): App | ConfigError {
  const secretsName = name.replace("APP_", "SECRETS_");
  const app = appSchema.safeParse(parseJson(value));
  // An app without secrets has no API key that could be right. What an auth token is nobody can tell: keys.ts.
  const secrets = secretsSchema.safeParse(
    secretsValue === undefined ? { signingKeys: [], apiKeys: [] } : parseJson(secretsValue),
  );
  const problems = [...toProblems(name, app.error), ...toProblems(secretsName, secrets.error)];
  if (!app.success || !secrets.success) return new ConfigError(problems);
  const { signingKeys, apiKeys, jwtSecrets } = secrets.data;
  if (app.data.authTokens.defaultSeconds > app.data.authTokens.maximumSeconds) {
    problems.push(`${name}.authTokens.defaultSeconds: must not be above maximumSeconds`);
  }
  if (app.data.refreshWindowDays >= app.data.retentionDays) {
    problems.push(`${name}.refreshWindowDays: must be below retentionDays, else registrations in use are dropped`);
  }
  if (new Set(signingKeys.map((key) => key.kid)).size < signingKeys.length) {
    problems.push(`${secretsName}.signingKeys: two keys have the same kid`);
  }
  if (!isDevelopment && hasDevelopmentSecret(secrets.data)) {
    problems.push(`${secretsName}: holds a development secret, which everybody knows; make keys with npm run keys`);
  }
  for (const table of ["jwt", "cometchat"] as const) {
    if (app.data.identity !== table && app.data[table] !== undefined) {
      problems.push(`${name}.${table}: is only for identity = "${table}"`);
    }
  }
  if (app.data.publicHost !== undefined && app.data.cometchat?.clientApi === `https://${app.data.publicHost}`) {
    problems.push(`${name}.cometchat.clientApi: must not be publicHost; it is CometChat's own host`);
  }
  if (app.data.jwt !== undefined) problems.push(...jwtProblems(name, app.data.jwt, isDevelopment));
  const usesSecrets = app.data.jwt?.algorithms.includes("HS256") === true;
  if (usesSecrets && secretsValue !== undefined && jwtSecrets.length === 0) {
    problems.push(`${secretsName}.jwtSecrets: is missing, and ${name}.jwt.algorithms has HS256`);
  }
  if (!usesSecrets && jwtSecrets.length > 0) {
    problems.push(`${secretsName}.jwtSecrets: is given, but ${name}.jwt.algorithms has no HS256`);
  }
  if (jwtSecrets.some(({ secret }) => signingKeys.some((key) => key.secret === secret))) {
    problems.push(
      `${secretsName}.jwtSecrets: holds a signing key of this server; tokens of one must not pass as the other's`,
    );
  }
  const { identity, jwt, cometchat, jurisdiction, ...rest } = app.data;
  const base = {
    ...rest,
    // workerd on a machine of one's own knows no jurisdictions: it throws when asked for one.
    ...(jurisdiction === undefined || isDevelopment ? {} : { jurisdiction }),
    rules: toRules(app.data),
    secretsName,
    signingKeys,
    apiKeys,
  };
  if (problems.length > 0) return new ConfigError(problems);
  if (identity === "issued") return { ...base, identity };
  if (identity === "jwt" && jwt !== undefined) return { ...base, identity, jwt: { ...jwt, secrets: jwtSecrets } };
  if (identity === "cometchat") return { ...base, identity, cometchat: cometchat ?? cometchatSchema.parse({}) };
  return new ConfigError([
    `${name}.${identity}: is missing; identity = "${identity}" needs the table [vars.${name}.${identity}]`,
  ]);
}

/** What the fields of a `jwt` table must be to each other. */
function jwtProblems(name: string, jwt: z.infer<typeof jwtSchema>, isDevelopment: boolean): string[] {
  const field = (of: string) => `${name}.jwt.${of}`;
  const problems: string[] = [];
  const hasPublicKeys = jwt.algorithms.some((algorithm) => algorithm !== "HS256");
  if (hasPublicKeys && (jwt.jwks === undefined) === (jwt.jwksUrl === undefined)) {
    problems.push(
      `${field("jwksUrl")}: exactly one of jwksUrl and jwks must be given for ${jwt.algorithms.join(", ")}`,
    );
  }
  if (!hasPublicKeys && (jwt.jwks !== undefined || jwt.jwksUrl !== undefined)) {
    problems.push(`${field("jwksUrl")}: HS256 has no public keys; neither jwksUrl nor jwks is used`);
  }
  if (jwt.jwksUrl !== undefined && !isKeySetUrl(jwt.jwksUrl, isDevelopment)) {
    problems.push(`${field("jwksUrl")}: must be an https:// URL without user, password and fragment`);
  }
  for (const [index, key] of (jwt.jwks?.keys ?? []).entries()) {
    if (!isPublicJwk(key)) problems.push(`${field(`jwks.keys[${index}]`)}: is not a public key of 2048 bits or more`);
  }
  return problems;
}

/** https, for whoever can change the keys on their way can be any user; http only to this machine, in development. */
function isKeySetUrl(text: string, isDevelopment: boolean): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "" || text.includes("#")) return false;
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  return url.protocol === "https:" || (isDevelopment && isLocal && url.protocol === "http:");
}

function toRules(app: z.infer<typeof appSchema>): Rules {
  return {
    policy: app.policy,
    refreshWindowMs: app.refreshWindowDays * DAY_MS,
    retentionMs: app.retentionDays * DAY_MS,
    fenceMs: fenceMs(app),
    takeoversPerSession: app.takeovers.perSessionAndHour,
    takeoversPerToken: app.takeovers.perTokenAndHour,
  };
}

/** How long an auth token of a session that ended now can live. */
function fenceMs({ identity, authTokens, jwt }: z.infer<typeof appSchema>): number {
  if (identity === "cometchat") return UNCONFIRMED_FENCE_MS;
  if (jwt === undefined) return authTokens.maximumSeconds * 1000 + CLOCK_TOLERANCE_MS;
  // The issuer's clock may be ahead by the tolerance when it issues, and behind by it at the end.
  return jwt.maximumSessionDays * DAY_MS + 2 * jwt.clockToleranceSeconds * 1000;
}

/** SHA-256 of the API keys that scripts/demo.env gives the demo app: they are printed in the README. */
const DEVELOPMENT_API_KEYS: readonly string[] = [
  "4aaad75cfe474cab35c759f361fb66dceccdd857abb9b5a948e54a3b86fab74a",
  "9d28af2ffdb47e2a7f63075bf8642d3e9995b8fc8a86b3bda44cef29920dafe5",
  "a648b1c9e7897490cb38edfd04fa1d91d68788e60328004758adfa1d5f94f43b",
];

function hasDevelopmentSecret({ signingKeys, apiKeys }: z.infer<typeof secretsSchema>): boolean {
  return (
    signingKeys.some((key) => key.secret.startsWith("development-only")) ||
    apiKeys.some((key) => DEVELOPMENT_API_KEYS.includes(key.sha256))
  );
}

function toProblems(name: string, error: z.core.$ZodError | undefined): string[] {
  return (error?.issues ?? []).map((issue) => {
    const field = issue.path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
    if (issue.code === "unrecognized_keys") return `${name}${field}: has unknown fields: ${issue.keys.join(", ")}`;
    return `${name}${field}: ${issue.message === "Invalid input" ? "is missing or of the wrong type" : issue.message}`;
  });
}

/** Vars are tables in wrangler.toml, secrets are JSON text. `null` for text that is not JSON. */
function parseJson(value: unknown): unknown {
  if (typeof value !== "string") return value ?? null;
  try {
    return JSON.parse(value);
  } catch {
    return null;
  }
}
