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
import type { App } from "./config/apps.ts";
import type { Owner } from "./durable/claims.ts";
import { inJurisdiction } from "./durable/jurisdiction.ts";
import { tokenOwnersName, userHash, userTokensName } from "./durable/names.ts";
import { TimeoutError, withTimeout } from "./durable/timeout.ts";
import { ApiError, unavailable } from "./http/errors.ts";
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

/**
 * Methods that may run twice, whatever came in between: reads, and an end that fences. A repeated `register` could undo a
 * later removal, and a repeated `remove` a later registration.
 */
const REPEATABLE: ReadonlySet<string> = new Set<keyof UserTokens | keyof TokenOwners>([
  "list",
  "tokens",
  "holding",
  "validFrom",
  "sessions",
  "export",
  "check",
  "endSession",
  "reconcile",
  "owners",
]);

// Of a method as its callers see it. (Cloudflare's own type of a stub splits unions.)
type Method<O> = { [K in keyof O]: O[K] extends (...args: never[]) => unknown ? K : never }[keyof O] & string;
type Arguments<O, M extends Method<O>> = O[M] extends (...args: infer A) => unknown ? A : never;
type Answer<O, M extends Method<O>> = O[M] extends (...args: never[]) => infer R ? Awaited<R> : never;

/**
 * Calls a method of the object of a user.
 * @throws {ApiError} 503 where the platform failed; 500 for a fault of our own
 */
export async function callUser<M extends Method<UserTokens>>(
  env: Env,
  app: App,
  uid: string,
  method: M,
  ...args: Arguments<UserTokens, M>
): Promise<Answer<UserTokens, M>> {
  return callUserByHash(env, app, await userHash(app.appId, uid), method, ...args);
}

/** As {@link callUser}, for a user whom an owner object named. */
export function callUserByHash<M extends Method<UserTokens>>(
  env: Env,
  app: App,
  user: string,
  method: M,
  ...args: Arguments<UserTokens, M>
): Promise<Answer<UserTokens, M>> {
  const namespace = inJurisdiction(env.USER_TOKENS, app.jurisdiction);
  return call<UserTokens, M>(() => namespace.getByName(userTokensName(app.appId, user)), method, args);
}

/** Who owns the token of that hash on record: what the Worker asks of an owner object. Errors as {@link callUser}. */
export function ownersOf(env: Env, app: App, hash: string): Promise<Owner[]> {
  const namespace = inJurisdiction(env.TOKEN_OWNERS, app.jurisdiction);
  return call<TokenOwners, "owners">(() => namespace.getByName(tokenOwnersName(app.appId, hash)), "owners", [hash]);
}

/** A fresh stub for each attempt: a stub is dead for good after its object was reset. */
async function call<O extends Rpc.DurableObjectBranded, M extends Method<O>>(
  stub: () => DurableObjectStub<O>,
  method: M,
  args: Arguments<O, M>,
): Promise<Answer<O, M>> {
  const startedAt = Date.now();
  for (let repeats = 0; ; repeats += 1) {
    try {
      const object = stub() as unknown as Record<M, (...args: unknown[]) => Promise<Answer<O, M>>>;
      return await withTimeout(object[method](...args), OBJECT_TIMEOUT_MS);
    } catch (error) {
      const fault = faultOf(error);
      const delay = REPEAT_DELAYS_MS[repeats];
      const mayRepeat = fault === "reset" && REPEATABLE.has(method);
      if (!mayRepeat || delay === undefined || Date.now() + delay - startedAt >= REPEAT_TOTAL_MS) {
        throw toApiError(fault, error);
      }
      log.warn("an object was reset, the call is repeated", { error });
      await scheduler.wait(delay * Math.random());
    }
  }
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
