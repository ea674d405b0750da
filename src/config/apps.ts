// The apps that this deployment serves: one var `APP_<NAME>` each, and its secrets in `SECRETS_<NAME>`. Validated once per
// isolate. An app with a mistake answers 500 and a log line names the field; the other apps go on.
//
// schema.ts has the fields, checks.ts what they must be to each other. The rest of the Worker imports from here.
import type * as z from "zod/mini";
import { IDENTITIES } from "../domain/identity.ts";
import type { Rules } from "../domain/registration.ts";
import { CLOCK_TOLERANCE_MS, DAY_MS, UNCONFIRMED_FENCE_MS } from "../limits.ts";
import { problemsOf, type Tables } from "./checks.ts";
import { type App, type AppTable, appSchema, cometchatSchema, secretsSchema } from "./schema.ts";

export {
  type ApiKey,
  type App,
  type CometChatApp,
  type CometChatSettings,
  type IssuedApp,
  type JwtApp,
  type JwtSecret,
  type JwtSettings,
  SCOPES,
  type Scope,
  type SigningKey,
} from "./schema.ts";

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
  const hasSecrets = secretsValue !== undefined;
  const app = appSchema.safeParse(parseJson(value));
  // Without secrets every API key is wrong, but an auth token can be called neither good nor dead: `misconfigured`.
  const secrets = secretsSchema.safeParse(hasSecrets ? parseJson(secretsValue) : { signingKeys: [], apiKeys: [] });
  if (!app.success || !secrets.success) {
    return new ConfigError([...toProblems(name, app.error), ...toProblems(secretsName, secrets.error)]);
  }
  const tables = { name, app: app.data, secretsName, secrets: secrets.data, hasSecrets, isDevelopment };
  const problems = problemsOf(tables);
  return problems.length > 0 ? new ConfigError(problems) : toApp(tables);
}

function toApp({ app, secretsName, secrets, isDevelopment }: Tables): App {
  const { identity, jwt, cometchat, jurisdiction, ...rest } = app;
  const base = {
    ...rest,
    // workerd on a machine of one's own knows no jurisdictions: it throws when asked for one.
    ...(jurisdiction === undefined || isDevelopment ? {} : { jurisdiction }),
    rules: toRules(app),
    secretsName,
    signingKeys: secrets.signingKeys,
    apiKeys: secrets.apiKeys,
  };
  if (identity === "cometchat") return { ...base, identity, cometchat: cometchat ?? cometchatSchema.parse({}) };
  if (jwt !== undefined) return { ...base, identity: "jwt", jwt: { ...jwt, secrets: secrets.jwtSecrets } };
  return { ...base, identity: "issued" };
}

function toRules(app: AppTable): Rules {
  return {
    policy: app.policy,
    refreshWindowMs: Math.ceil(app.refreshWindowDays * DAY_MS),
    retentionMs: Math.ceil(app.retentionDays * DAY_MS),
    fenceMs: fenceMs(app),
    sessionMs: IDENTITIES[app.identity].trustedTime ? fenceMs(app) : 0,
    takeoversPerUser: app.takeovers.perUserAndHour,
  };
}

/** How long an auth token of a session that ended now can live. */
function fenceMs({ identity, authTokens, jwt }: AppTable): number {
  if (identity === "cometchat") return UNCONFIRMED_FENCE_MS;
  if (jwt === undefined) return authTokens.maximumSeconds * 1000 + CLOCK_TOLERANCE_MS;
  // The issuer's clock may be ahead by the tolerance when it issues, and behind by it at the end.
  return Math.ceil(jwt.maximumSessionDays * DAY_MS) + 2 * jwt.clockToleranceSeconds * 1000;
}

/** What is wrong with the table of that name, by field. */
export function toProblems(name: string, error: z.core.$ZodError | undefined): string[] {
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
