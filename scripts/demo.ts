// The app that `npm start` serves. It stands in no file that a deploy reads. Everybody knows its keys: a Worker that finds one
// of them answers 500 unless `npm start` runs it.
import { ConfigError, parseConfig } from "../src/config/apps.ts";

/** For trying things out: practically no limits. */
export const DEMO_APP = {
  appId: "demo",
  region: "us",
  identity: "issued",
  takeovers: { perUserAndHour: 1_000_000 },
  rateLimits: { ip: "none", session: "none", key: "none", unverified: "none" },
} as const;

/** By scope; the secret below holds their SHA-256. */
export const DEMO_KEYS = {
  fullAccess: "demo-server-key",
  sender: "demo-sender-key",
  authOnly: "demo-auth-key",
} as const;

const SIGNING_KEYS = [{ kid: "development", secret: "development-only-signing-key-of-the-demo-app" }];

const API_KEYS = [
  {
    name: "demo-server",
    scope: "fullAccess",
    sha256: "4aaad75cfe474cab35c759f361fb66dceccdd857abb9b5a948e54a3b86fab74a",
  },
  {
    name: "demo-sender",
    scope: "sender",
    sha256: "9d28af2ffdb47e2a7f63075bf8642d3e9995b8fc8a86b3bda44cef29920dafe5",
  },
  {
    name: "demo-auth",
    scope: "authOnly",
    sha256: "a648b1c9e7897490cb38edfd04fa1d91d68788e60328004758adfa1d5f94f43b",
  },
];

/** Signs JWTs for local tries of an app that takes its login's own, by HS256. */
export const DEMO_JWT_SECRET = "development-only-secret-of-the-login";

export const DEMO_SECRETS = { signingKeys: SIGNING_KEYS, apiKeys: API_KEYS };

/** A name that no app of wrangler.toml has by chance. */
const DEMO_NAME = "NPM_START";

export interface LocalApp {
  /** Of its var. */
  name: string;
  appId: string;
  region: string;
}

export interface Local {
  /** Vars and secrets of the Worker. */
  bindings: Record<string, string | object>;
  /** The operator's own apps. */
  apps: LocalApp[];
  /** What is wrong with those that are left out, a line each. */
  problems: string[];
}

/**
 * The demo app, and the apps of wrangler.toml with the demo app's keys. `publicHost` is left out: it would send SDKs to where the app
 * is deployed.
 */
export function localBindings(
  vars: Readonly<Record<string, unknown>>,
  demoIdentity: "issued" | "cometchat" = "issued",
): Local {
  const bindings: Record<string, string | object> = { DEVELOPMENT: "true", CONSOLE: "true" };
  for (const [name, value] of Object.entries(vars)) {
    if (!name.startsWith("APP_")) continue;
    const { publicHost: _, ...app } = value as Record<string, unknown>;
    bindings[name] = app;
    bindings[name.replace("APP_", "SECRETS_")] = JSON.stringify(secretsFor(app));
  }
  const { apps: own, problems } = parseConfig(bindings);
  const apps: LocalApp[] = [];
  for (const name of Object.keys(bindings).filter((each) => each.startsWith("APP_"))) {
    const appId = String((bindings[name] as { appId?: unknown }).appId);
    const app = own.get(appId);
    if (appId === DEMO_APP.appId) problems.push(`${name}.appId: ${IS_DEMO}`);
    else if (app instanceof ConfigError) problems.push(...app.problems);
    if (app instanceof ConfigError || problems.some((each) => each.startsWith(`${name}.`))) {
      delete bindings[name];
      delete bindings[name.replace("APP_", "SECRETS_")];
    } else if (app !== undefined) apps.push({ name, appId, region: app.region });
  }
  bindings[`APP_${DEMO_NAME}`] = { ...DEMO_APP, identity: demoIdentity };
  bindings[`SECRETS_${DEMO_NAME}`] = JSON.stringify(DEMO_SECRETS);
  return { bindings, apps, problems };
}

/** Why no app of an operator may have the demo app's id: everybody knows its keys. */
export const IS_DEMO = `"${DEMO_APP.appId}" is the app of npm start; give yours another id`;

function secretsFor({ jwt }: { jwt?: { algorithms?: unknown } }): object {
  const { algorithms } = jwt ?? {};
  const isShared = Array.isArray(algorithms) && algorithms.includes("HS256");
  return isShared ? { ...DEMO_SECRETS, jwtSecrets: [{ secret: DEMO_JWT_SECRET }] } : DEMO_SECRETS;
}
