// What senders ask, whichever way they come: over HTTP with an API key, or through the service binding.

import type { App } from "../config/apps.ts";
import { KIND_NAMES, type Kind } from "../domain/kinds.ts";
import { type SenderToken, toSenderToken } from "../domain/sender-token.ts";
import { mapBounded } from "../durable/concurrency.ts";
import { ApiError, type ErrorCode } from "../http/errors.ts";
import { hashOf } from "../http/tokens.ts";
import { uidOf } from "../http/uids.ts";
import { LOOKUP_BYTES_MAX, LOOKUP_TIMEOUT_MS, OBJECT_CONCURRENCY, SENDER_TOKEN_BYTES } from "../limits.ts";
import { log } from "../log.ts";
import { askUser, askUserByHash, ownersOf } from "../objects.ts";

export interface UserPushTokens {
  /** As it was asked for, even where the app's own is another case of it. */
  uid: string;
  pushTokens: SenderToken[];
}

export interface LookupResult {
  /** In the order asked for, each uid once as it was spelled; without those in `errors`. */
  users: UserPushTokens[];
  /**
   * `ERR_BAD_REQUEST`: no user can have this uid. `ERR_RESPONSE_TOO_LARGE`: ask for the user in a smaller batch. Any other code:
   * the user's object failed; ask for the user again.
   */
  errors: { uid: string; code: ErrorCode | "ERR_RESPONSE_TOO_LARGE"; message: string }[];
}

/** Who holds a token, and where. */
export type TokenOwner = { uid: string } & Pick<
  SenderToken,
  "kind" | "platform" | "sessionId" | "registeredAt" | "refreshedAt" | "suspect"
>;

export interface ReadOptions {
  /** Also those whose device's user wants no pushes there; `false` if absent. */
  includeMuted?: boolean | null | undefined;
}

/** What may be pushed for a user now. */
export async function listUser(env: Env, app: App, uid: string, options: ReadOptions): Promise<UserPushTokens> {
  return { uid, pushTokens: await pushTokensOf(env, app, uidOf(app, uid), options) };
}

async function pushTokensOf(
  env: Env,
  app: App,
  uid: string,
  { includeMuted = false }: ReadOptions,
  timeoutMs?: number,
): Promise<SenderToken[]> {
  const { retentionMs } = app.rules;
  const outcome = await askUser(env, app, uid, (user) => user.list({ session: null, retentionMs }), timeoutMs);
  if (!outcome.ok) return [];
  return outcome.registrations.filter(({ muted }) => includeMuted || !muted).map((row) => toSenderToken(row));
}

type Answer = UserPushTokens | LookupResult["errors"][number];

/** The same for many users; one that fails, or does not fit, does not fail the rest. */
export async function lookupUsers(
  env: Env,
  app: App,
  uids: readonly unknown[],
  options: ReadOptions,
): Promise<LookupResult> {
  const asked = [...new Set(uids.map((uid) => (typeof uid === "string" ? uid : JSON.stringify(uid))))];
  const strings = new Set(uids.filter((uid) => typeof uid === "string"));
  let bytes = 0;
  const answers = await mapBounded(asked, OBJECT_CONCURRENCY, async (uid): Promise<Answer> => {
    try {
      if (!strings.has(uid)) throw new ApiError("ERR_BAD_REQUEST", "The uid must be a string.");
      const ofUser = uidOf(app, uid);
      if (bytes > LOOKUP_BYTES_MAX) return tooLarge(uid);
      const pushTokens = await pushTokensOf(env, app, ofUser, options, LOOKUP_TIMEOUT_MS);
      bytes += bytesOf(pushTokens);
      return bytes > LOOKUP_BYTES_MAX ? tooLarge(uid) : { uid, pushTokens };
    } catch (error) {
      if (codeOf(error) !== "ERR_BAD_REQUEST") log.warn("a user of a lookup failed", { app: app.appId, error });
      return { uid, code: codeOf(error), message: error instanceof ApiError ? error.message : "The operation failed." };
    }
  });
  return {
    users: answers.filter((answer) => "pushTokens" in answer),
    errors: answers.filter((answer) => "code" in answer),
  };
}

function tooLarge(uid: string): Answer {
  const message = "The reply would be too large. Ask for this user in a smaller batch.";
  return { uid, code: "ERR_RESPONSE_TOO_LARGE", message };
}

/** At least what the tokens need in the reply: a character of a label has at most three bytes. */
function bytesOf(pushTokens: readonly SenderToken[]): number {
  return pushTokens.reduce((sum, { token, providerId, timezone, device }) => {
    return sum + SENDER_TOKEN_BYTES + token.length + 3 * JSON.stringify({ providerId, timezone, device }).length;
  }, 0);
}

function codeOf(error: unknown): ErrorCode {
  return error instanceof ApiError ? error.code : "ERR_OPERATION_FAILED";
}

/** Who holds a token now, as the user's own object says; more than one only under policy `shared`. */
export async function findOwners(env: Env, app: App, token: string, kind?: Kind | null): Promise<TokenOwner[]> {
  const kinds = kind == null ? KIND_NAMES : [kind];
  const found = await mapBounded(kinds, OBJECT_CONCURRENCY, async (each) => {
    const hash = await hashOf(app, each, token);
    const owners = await ownersOf(env, app, hash);
    return mapBounded(owners, OBJECT_CONCURRENCY, ({ user }) =>
      askUserByHash(env, app, user, (holder) => holder.holding(hash, app.rules.retentionMs)),
    );
  });
  return found.flat().flatMap((holding) => {
    if (holding === null) return [];
    const { kind, platform, sessionId, registeredAt, refreshedAt, suspect } = toSenderToken(holding.registration);
    return [{ uid: holding.uid, kind, platform, sessionId, registeredAt, refreshedAt, suspect }];
  });
}
