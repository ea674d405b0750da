// What may be pushed for a user, as the user's own object says: exact at that moment.
import type { App } from "../config/apps.ts";
import type { Kind, Platform } from "../domain/kinds.ts";
import { type SenderToken, toSenderToken } from "../domain/sender-token.ts";
import { mapBounded } from "../durable/concurrency.ts";
import { ApiError, unavailable } from "../http/errors.ts";
import { uidOf } from "../http/uids.ts";
import { FALLBACK_CALLS_MAX, LOOKUP_TIMEOUT_MS, OBJECT_CONCURRENCY, RETRY_AFTER_SECONDS } from "../limits.ts";
import { log } from "../log.ts";
import { askUser } from "../objects.ts";

export interface UserPushTokens {
  /** As it was asked for, even where the app's own is another case of it. */
  uid: string;
  pushTokens: SenderToken[];
}

export interface ReadOptions {
  /** Also those whose device's user wants no pushes there; `false` if absent. */
  includeMuted?: boolean | null | undefined;
}

/** Which of a user's tokens are meant. */
export interface Wanted extends ReadOptions {
  kind?: Kind | null | undefined;
  platform?: Platform | null | undefined;
}

export function isWanted(token: SenderToken, { includeMuted, kind, platform }: Wanted): boolean {
  return (
    (includeMuted === true || token.muted !== true) &&
    (kind == null || token.kind === kind) &&
    (platform == null || token.platform === platform)
  );
}

/** What may be pushed for a user now. */
export async function listUser(env: Env, app: App, uid: string, options: ReadOptions): Promise<UserPushTokens> {
  return { uid, pushTokens: await ask(env, app, uidOf(app, uid), options) };
}

async function ask(env: Env, app: App, uid: string, wanted: Wanted, timeoutMs?: number): Promise<SenderToken[]> {
  const { retentionMs } = app.rules;
  const outcome = await askUser(env, app, uid, (user) => user.list({ session: null, retentionMs }), { timeoutMs });
  if (!outcome.ok) return [];
  return outcome.registrations.map((row) => toSenderToken(row)).filter((token) => isWanted(token, wanted));
}

/**
 * The tokens of each of these users as JSON text, or why there is no answer. No more than FALLBACK_CALLS_MAX of them are asked:
 * the others are to be asked for again.
 */
export async function askOwnObjects(
  env: Env,
  app: App,
  uids: readonly string[],
  wanted: Wanted,
): Promise<Map<string, string | ApiError>> {
  const asked = uids.slice(0, FALLBACK_CALLS_MAX);
  const answers = await mapBounded(asked, OBJECT_CONCURRENCY, async (uid) => {
    try {
      return JSON.stringify(await ask(env, app, uid, wanted, LOOKUP_TIMEOUT_MS));
    } catch (error) {
      log.warn("a user of a lookup failed", { app: app.appId, error });
      return error instanceof ApiError ? error : unavailable(RETRY_AFTER_SECONDS, error);
    }
  });
  return new Map(uids.map((uid, i) => [uid, answers[i] ?? unavailable(RETRY_AFTER_SECONDS)]));
}
