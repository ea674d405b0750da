// The objects behind the Worker, and what stands in them.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { ConfigError, loadConfig } from "../../src/config/apps.ts";
import type { Kind } from "../../src/domain/kinds.ts";
import type { PushToken, Rules } from "../../src/domain/registration.ts";
import { tokenHash, tokenOwnersName, userHash, userTokensName } from "../../src/durable/names.ts";

/** The object of a user. */
export async function userObject(app: string, uid: string) {
  return env.USER_TOKENS.getByName(userTokensName(app, await userHash(app, uid)));
}

/** The object that knows the owner of a token. */
export async function ownerObject(app: string, token: string, kind: Kind = "fcm") {
  return env.TOKEN_OWNERS.getByName(tokenOwnersName(app, await tokenHash(kind, token)));
}

/** The rules that the Worker passes to the objects of a test app. */
export function rulesOf(appId: string): Rules {
  const app = loadConfig(env).apps.get(appId);
  if (app === undefined || app instanceof ConfigError) throw new Error(`${appId} is no app of the tests`);
  return app.rules;
}

/** The tables that an object made, without those of the runtime itself. */
export function tablesOf(object: DurableObjectStub): Promise<string[]> {
  return runInDurableObject(object, (_, { storage }) => tablesIn(storage));
}

/** As {@link tablesOf}, from within. */
export function tablesIn({ sql }: DurableObjectStorage): string[] {
  return sql
    .exec("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    .toArray()
    .map(({ name }) => String(name))
    .filter((name) => !name.startsWith("_cf_"));
}

/** A push token as the Worker passes it on. */
export async function pushToken(token: string, kind: Kind = "fcm"): Promise<PushToken> {
  const platform = kind === "fcm" ? "android" : "ios";
  return { kind, token, hash: await tokenHash(kind, token), platform, labels: {} };
}
