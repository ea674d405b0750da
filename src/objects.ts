// The Worker's side of the objects: the only place where they are addressed and called, and the only policy on what
// happens when a call fails.
//
// The runtime itself repeats calls that never reached their object, and the methods marked `retryable()`; nothing is
// repeated on top of that. What still fails is the client's to repeat: 503 with Retry-After, for every operation may be
// repeated safely.
import type { App } from "./config.ts";
import { inJurisdiction, tokenHash, tokenOwnersName, userHash, userTokensName } from "./domain/names.ts";
import type { Kind } from "./domain/registration.ts";
import { ApiError, unavailable } from "./errors.ts";
import { RETRY_AFTER_SECONDS } from "./limits.ts";
import type { TokenOwners } from "./token-owners/token-owners.do.ts";
import type { UserTokens } from "./user-tokens/user-tokens.do.ts";

/** A stub as its callers see it: each method of the object answers a promise. (Cloudflare's own type splits unions.) */
export type Remote<T> = {
  [K in keyof T as T[K] extends (...args: never[]) => unknown ? K : never]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

/** Calls the object of a user. A fresh stub each time: a stub is dead for good after its object was reset. */
export async function callUser<T>(
  env: Env,
  app: App,
  uid: string,
  call: (user: Remote<UserTokens>) => Promise<T>,
): Promise<T> {
  return callUserByHash(env, app, await userHash(app.appId, uid), call);
}

/** As {@link callUser}, for a user whom an owner object named. */
export async function callUserByHash<T>(
  env: Env,
  app: App,
  user: string,
  call: (user: Remote<UserTokens>) => Promise<T>,
): Promise<T> {
  const namespace = inJurisdiction(env.USER_TOKENS, app.jurisdiction);
  return attempt(() => call(remote(namespace.getByName(userTokensName(app.appId, user)))));
}

/** Calls the object that knows the owner of a token. */
export async function callOwners<T>(
  env: Env,
  app: App,
  kind: Kind,
  token: string,
  call: (owners: Remote<TokenOwners>, hash: string) => Promise<T>,
): Promise<T> {
  const hash = await tokenHash(kind, token);
  const namespace = inJurisdiction(env.TOKEN_OWNERS, app.jurisdiction);
  return attempt(() => call(remote(namespace.getByName(tokenOwnersName(app.appId, hash))), hash));
}

function remote<T extends Rpc.DurableObjectBranded>(stub: DurableObjectStub<T>): Remote<T> {
  return stub as unknown as Remote<T>;
}

/** @throws {ApiError} 503 where the platform failed; 500 for a fault of our own. */
async function attempt<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (isPlatformFault(error)) throw unavailable(RETRY_AFTER_SECONDS, error);
    throw new ApiError("ERR_OPERATION_FAILED", "The operation failed. It may be repeated.", { cause: error });
  }
}

/** A lost connection, an overloaded object or one that was reset: not a mistake in our code. */
function isPlatformFault(error: unknown): boolean {
  const { retryable, overloaded, durableObjectReset, remote } = (error ?? {}) as Record<string, unknown>;
  return retryable === true || overloaded === true || durableObjectReset === true || remote !== true;
}
