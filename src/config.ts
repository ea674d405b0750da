// The apps that this deployment serves: one var `APP_<NAME>` each, and its secrets in `SECRETS_<NAME>`. Validated once per
// isolate. An app with a mistake answers 500 and a log line names the field; the other apps go on.
import * as z from "zod/mini";
import { POLICIES, type Rules } from "./domain/registration.ts";
import { CLOCK_TOLERANCE_MS, DAY_MS } from "./limits.ts";

const DAY_SECONDS = DAY_MS / 1000;

const positive = (what: string) => z.number(`must be ${what}`).check(z.positive(`must be ${what}`));
const wholeNumber = (what: string) => z.int(`must be ${what}`).check(z.nonnegative(`must be ${what}`));
const text = (pattern: RegExp, what: string) => z.string(`must be ${what}`).check(z.regex(pattern, `must be ${what}`));

const HOST = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$/;

const appSchema = z.strictObject({
  /** What clients send as `appId`. It is part of object names: letters, digits, `_` and `-`, no colon. */
  appId: text(/^[A-Za-z0-9_-]{1,64}$/, "1 to 64 letters, digits, _ or -"),
  /** The region that SDKs put into host names. */
  region: z._default(text(/^[a-z0-9-]{1,32}$/, "1 to 32 of a-z, 0-9 and -"), "us"),
  identity: z._default(z.enum(["issued"], 'must be "issued"'), "issued"),
  policy: z._default(z.enum(POLICIES, 'must be "exclusive" or "shared"'), "exclusive"),
  /** Lifetime of minted auth tokens, in seconds; `maximum` also sets how long fences stand. */
  authTokens: z._default(
    z.strictObject({
      defaultSeconds: z._default(wholeNumber("a whole number of seconds"), 30 * DAY_SECONDS),
      maximumSeconds: z._default(wholeNumber("a whole number of seconds"), 90 * DAY_SECONDS),
    }),
    { defaultSeconds: 30 * DAY_SECONDS, maximumSeconds: 90 * DAY_SECONDS },
  ),
  /** An unchanged registration is written again at most this often. */
  refreshWindowDays: z._default(positive("a number of days above 0"), 7),
  /** A registration not refreshed for this long is not served any more. FCM's own limit on Android is 270 days. */
  retentionDays: z._default(positive("a number of days above 0"), 270),
  /** The host that `settings` name, where it is not the request's own. */
  publicHost: z.optional(text(HOST, "a host name in lower case, with :port if need be, without https://")),
  /** Origins of web pages that may call; none given: all may. */
  allowedOrigins: z.optional(z.array(text(/^https?:\/\/[^/]+$/, "an origin such as https://app.example.com"))),
  /** Where the app's objects live; never changed later, for the same name is another object elsewhere. */
  jurisdiction: z.optional(z.enum(["eu", "us", "fedramp"], 'must be "eu", "us" or "fedramp"')),
  takeovers: z._default(
    z.strictObject({
      perSessionAndHour: z._default(wholeNumber("a whole number"), 5),
      perTokenAndHour: z._default(wholeNumber("a whole number"), 10),
    }),
    { perSessionAndHour: 5, perTokenAndHour: 10 },
  ),
});

/** What an API key may do: `authOnly` mints auth tokens, `sender` reads and reports, `fullAccess` everything. */
export const SCOPES = ["fullAccess", "sender", "authOnly"] as const;
export type Scope = (typeof SCOPES)[number];

const secretsSchema = z.strictObject({
  /** The first one signs, all verify: put a new one first, and take the old one out when no token of it can live. */
  signingKeys: z.array(
    z.strictObject({
      kid: text(/^[\w.-]{1,64}$/, "1 to 64 letters, digits, _, . or -"),
      secret: z.string("must be text").check(z.minLength(32, "must be at least 32 characters long")),
    }),
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

/** One tenant, ready for use. */
export interface App extends z.infer<typeof appSchema> {
  rules: Rules;
  signingKeys: SigningKey[];
  apiKeys: ApiKey[];
}

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
export function loadConfig(env: Env): Config {
  let config = configs.get(env);
  if (config === undefined) {
    config = parseConfig(env as unknown as Record<string, unknown>);
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
  // An app without secrets has no key that could be right: every key and auth token is refused.
  const secrets = secretsSchema.safeParse(
    secretsValue === undefined ? { signingKeys: [], apiKeys: [] } : parseJson(secretsValue),
  );
  const problems = [...toProblems(name, app.error), ...toProblems(secretsName, secrets.error)];
  if (!app.success || !secrets.success) return new ConfigError(problems);
  if (app.data.authTokens.defaultSeconds > app.data.authTokens.maximumSeconds) {
    problems.push(`${name}.authTokens.defaultSeconds: must not be above maximumSeconds`);
  }
  const { signingKeys, apiKeys } = secrets.data;
  if (new Set(signingKeys.map((key) => key.kid)).size < signingKeys.length) {
    problems.push(`${secretsName}.signingKeys: two keys have the same kid`);
  }
  if (!isDevelopment && hasDevelopmentSecret(secrets.data)) {
    problems.push(`${secretsName}: holds a development secret, which everybody knows; make keys with npm run keys`);
  }
  if (problems.length > 0) return new ConfigError(problems);
  return { ...app.data, rules: toRules(app.data), signingKeys, apiKeys };
}

function toRules(app: z.infer<typeof appSchema>): Rules {
  return {
    policy: app.policy,
    refreshWindowMs: app.refreshWindowDays * DAY_MS,
    retentionMs: app.retentionDays * DAY_MS,
    fenceMs: app.authTokens.maximumSeconds * 1000 + CLOCK_TOLERANCE_MS,
    takeoversPerSession: app.takeovers.perSessionAndHour,
    takeoversPerToken: app.takeovers.perTokenAndHour,
  };
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
