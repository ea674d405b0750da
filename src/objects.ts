// The Worker's side of the objects: the only place where they are addressed and called, and the only policy on what
// happens when a call fails.
//
// fault of a call                       what is done                                   what the client is told
// `retryable` (connection lost)         the runtime repeated it already: nothing more  503, Retry-After
// `durableObjectReset` (deploy, crash)  repeated here on a fresh stub, if REPEATABLE   503, Retry-After if it lasts
// `overloaded`                          shed: never repeated                           503, a longer Retry-After
// no answer in OBJECT_TIMEOUT_MS        given up; the object may still finish          503, Retry-After
// object of another release without     given up; the deploy ends within minutes       503, Retry-After
//   the method
// thrown by our own code in the object  logged                                         500
//
// A 503 leaves open whether the operation took effect, for nobody here can know; clients repeat it.
import type { App } from "./config.ts";
import { inJurisdiction } from "./domain/jurisdiction.ts";
import { tokenHash, tokenOwnersName, userHash, userTokensName } from "./domain/names.ts";
import type { Kind } from "./domain/registration.ts";
import { TimeoutError, withTimeout } from "./domain/timeout.ts";
import { ApiError, unavailable } from "./errors.ts";
import {
  OBJECT_TIMEOUT_MS,
  OVERLOAD_RETRY_AFTER_SECONDS,
  REPEAT_DELAYS_MS,
  REPEAT_TOTAL_MS,
  RETRY_AFTER_SECONDS,
} from "./limits.ts";
import { log } from "./log.ts";
import type { TokenOwners } from "./token-owners/token-owners.do.ts";
import type { UserTokens } from "./user-tokens/user-tokens.do.ts";

/** A stub as its callers see it: each method of the object answers a promise. (Cloudflare's own type splits unions.) */
export type Remote<T> = {
  [K in keyof T as T[K] extends (...args: never[]) => unknown ? K : never]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

/**
 * Methods that may run twice, whatever came in between: reads, and an end that fences. A repeated `register` could undo a
 * later removal, and a repeated `remove` a later registration.
 */
const REPEATABLE: ReadonlySet<string> = new Set<keyof UserTokens | keyof TokenOwners>([
  "list",
  "holding",
  "validFrom",
  "sessions",
  "export",
  "check",
  "endSession",
  "reconcile",
  "owners",
]);

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
  return attempt(() => namespace.getByName(userTokensName(app.appId, user)), call);
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
  return attempt<TokenOwners, T>(
    () => namespace.getByName(tokenOwnersName(app.appId, hash)),
    (owners) => call(owners, hash),
  );
}

/** @throws {ApiError} 503 where the platform failed; 500 for a fault of our own. */
async function attempt<O extends Rpc.DurableObjectBranded, T>(
  stub: () => DurableObjectStub<O>,
  call: (object: Remote<O>) => Promise<T>,
): Promise<T> {
  const startedAt = Date.now();
  for (let repeats = 0; ; repeats += 1) {
    const { object, called } = watched(stub());
    try {
      return await withTimeout(call(object), OBJECT_TIMEOUT_MS);
    } catch (error) {
      const fault = faultOf(error);
      const delay = REPEAT_DELAYS_MS[repeats];
      const mayRepeat = fault === "reset" && called.length > 0 && called.every((method) => REPEATABLE.has(method));
      if (!mayRepeat || delay === undefined || Date.now() + delay - startedAt >= REPEAT_TOTAL_MS) {
        throw toApiError(fault, error);
      }
      log.warn("an object was reset, the call is repeated", { error });
      await scheduler.wait(delay * Math.random());
    }
  }
}

/** The stub, and the names of the methods that were called on it. */
function watched<O extends Rpc.DurableObjectBranded>(
  stub: DurableObjectStub<O>,
): { object: Remote<O>; called: string[] } {
  const called: string[] = [];
  const object = new Proxy(stub, {
    get(target, method) {
      if (typeof method === "string") called.push(method);
      return (...args: unknown[]) =>
        Reflect.apply(Reflect.get(target, method) as (...args: unknown[]) => unknown, target, args);
    },
  });
  return { object: object as unknown as Remote<O>, called };
}

type Fault = "reset" | "overloaded" | "unreachable" | "ours";

/** Errors that cross from an object carry flags; those of our own code there carry `remote` alone. */
function faultOf(error: unknown): Fault {
  const { retryable, overloaded, durableObjectReset, remote } = (error ?? {}) as Record<string, unknown>;
  if (overloaded === true) return "overloaded";
  if (retryable === true || error instanceof TimeoutError || isMissingMethod(error)) return "unreachable";
  if (durableObjectReset === true) return "reset";
  return remote === true ? "ours" : "unreachable";
}

/** While a deploy reaches the objects, one may still run a release that lacks the method. */
function isMissingMethod(error: unknown): boolean {
  return error instanceof TypeError && error.message.startsWith("The RPC receiver does not implement");
}

function toApiError(fault: Fault, cause: unknown): ApiError {
  switch (fault) {
    case "ours":
      return new ApiError("ERR_OPERATION_FAILED", "The operation failed. It may be repeated.", { cause });
    case "overloaded":
      return unavailable(OVERLOAD_RETRY_AFTER_SECONDS * (1 + Math.random()), cause);
    case "reset":
    case "unreachable":
      return unavailable(RETRY_AFTER_SECONDS, cause);
  }
}
