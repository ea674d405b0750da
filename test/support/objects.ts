// The objects behind the Worker, and what stands in them.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { onTestFinished, vi } from "vitest";
import { type App, ConfigError, loadConfig } from "../../src/config/apps.ts";
import type { Kind } from "../../src/domain/kinds.ts";
import type { PushToken, Rules } from "../../src/domain/registration.ts";
import {
  directoryName,
  directoryShard,
  tokenHash,
  tokenOwnersName,
  userHash,
  userTokensName,
} from "../../src/durable/names.ts";
import { entryOn } from "../../src/durable/snapshots.ts";
import { UserTokens } from "../../src/index.ts";
import { MINUTE_MS } from "../../src/limits.ts";

/** The object of a user. */
export async function userObject(app: string, uid: string) {
  return env.USER_TOKENS.getByName(userTokensName(app, await userHash(app, uid)));
}

/** The object that knows the owner of a token. */
export async function ownerObject(app: string, token: string, kind: Kind = "fcm") {
  return env.TOKEN_OWNERS.getByName(tokenOwnersName(app, await tokenHash(kind, token)));
}

/** The directory object that knows the user. */
export function directoryObject(appId: string, uid: string) {
  const { directory } = appOf(appId);
  return env.DIRECTORY.getByName(directoryName(appId, directory, directoryShard(directory, uid)));
}

/** The tokens that the directory shows of a user, the muted ones too. */
export async function shownOf(appId: string, uid: string): Promise<string[]> {
  const entry = entryOn(await directoryObject(appId, uid).lines([uid], Number.MAX_SAFE_INTEGER));
  return entry === undefined ? [] : JSON.parse(entry.tokens ?? "").map(({ token }: { token: string }) => token);
}

/** The rules that the Worker passes to the objects of a test app. */
export function rulesOf(appId: string): Rules {
  return appOf(appId).rules;
}

function appOf(appId: string): App {
  const app = loadConfig(env).apps.get(appId);
  if (app === undefined || app instanceof ConfigError) throw new Error(`${appId} is no app of the tests`);
  return app;
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

/** When a user's object will wake, once nothing of it is left to publish, epoch ms; `null`: never. */
export function alarmOf(object: DurableObjectStub): Promise<number | null> {
  return runInDurableObject(object, async (_, { storage }) => {
    let at = await storage.getAlarm();
    while (at !== null && at % MINUTE_MS !== 0) {
      await scheduler.wait(2);
      at = await storage.getAlarm();
    }
    return at;
  });
}

type CallOfUser = "register" | "remove" | "unregister" | "endSession" | "endAllSessions" | "erase" | "marks";

/**
 * Waits, once it is called, until one of these calls has come to a user's object since, and has run to where it waits itself.
 * Objects of a test file share the isolate and so the prototype.
 */
export function arrivalOf(...methods: CallOfUser[]): () => Promise<void> {
  const spies = methods.map((method) => vi.spyOn(UserTokens.prototype, method));
  onTestFinished(() => spies.forEach((spy) => void spy.mockRestore()));
  const came = () => spies.reduce((sum, { mock }) => sum + mock.calls.length, 0);
  const before = came();
  return async () => {
    while (came() === before) await scheduler.wait(2);
  };
}

/** A push token as the Worker passes it on. */
export async function pushToken(token: string, kind: Kind = "fcm"): Promise<PushToken> {
  const platform = kind === "fcm" ? "android" : "ios";
  return { kind, token, hash: await tokenHash(kind, token), platform, labels: {} };
}
