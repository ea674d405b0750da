// Settings of an app that change while its objects live.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { ConfigError, parseConfig } from "../../src/config/apps.ts";
import type { Rules } from "../../src/domain/registration.ts";

/** The var and the secret of each app whose settings tests change. */
const NAMES = { test: "TEST", "jwt-secret": "SECRET", chat: "CHAT" } as const;

/** The bindings of a deployment where the app has these settings too. */
export function envWith(app: keyof typeof NAMES, settings: object): Env {
  const name = `APP_${NAMES[app]}`;
  const before = (env as unknown as Record<string, object>)[name];
  return { ...env, [name]: { ...before, ...settings } };
}

/** The rules that the Worker of such a deployment passes to the app's objects. */
export function rulesWith(app: keyof typeof NAMES, settings: object): Rules {
  const found = parseConfig({ ...envWith(app, settings) }).apps.get(app);
  if (found === undefined || found instanceof ConfigError) throw new Error(`${app} is misconfigured: ${found}`);
  return found.rules;
}

/** What the object reads of its configuration from now on, until it is evicted or reset. */
export async function configure(object: DurableObjectStub, changed: Env): Promise<void> {
  await runInDurableObject(object, (instance) => void Object.assign(instance, { env: changed }));
}
