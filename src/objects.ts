// The Worker's side of the objects: the only place where they are addressed and called, and the only policy on what
// happens when a call fails.
//
// fault of a call                       what is done                                   what the client is told
// `retryable` (connection lost)         the runtime repeated it already: nothing more  503, Retry-After
// `durableObjectReset` (deploy, crash)  repeated here on a fresh stub, if asked        503, Retry-After if it lasts
// `overloaded`                          shed: never repeated                           503, a longer Retry-After
// no answer in OBJECT_TIMEOUT_MS        given up; the object may still finish          503, Retry-After
// object of another release without     given up; the deploy ends within minutes       503, Retry-After
//   the method
// thrown by our own code in the object  logged                                         500
// it could not finish: `unavailable`    nothing                                        503, Retry-After
//
// A 503 leaves open whether the operation took effect, because nobody here can know; clients repeat it.
import type { App } from "./config/apps.ts";
import type { LocationHint } from "./config/values.ts";
import type { Owner, REPEATABLE_BY_OWNERS } from "./durable/claims.ts";
import { stubOf } from "./durable/jurisdiction.ts";
import {
  type DirectorySettings,
  directoryName,
  ownersShardName,
  tokenOwnersName,
  userHash,
  userTokensName,
} from "./durable/names.ts";
import type { DirectoryRpc, REPEATABLE_BY_DIRECTORY } from "./durable/snapshots.ts";
import { TimeoutError, withTimeout } from "./durable/timeout.ts";
import { ApiError, unavailable } from "./http/errors.ts";
import {
  LOOKUP_TIMEOUT_MS,
  OBJECT_TIMEOUT_MS,
  OVERLOAD_RETRY_AFTER_SECONDS,
  REPEAT_DELAYS_MS,
  REPEAT_TOTAL_MS,
  RETRY_AFTER_SECONDS,
} from "./limits.ts";
import { log } from "./log.ts";
import type { TokenOwners } from "./token-owners/token-owners.do.ts";
import type { REPEATABLE_BY_USERS, Unavailable } from "./user-tokens/outcomes.ts";
import type { UserTokens } from "./user-tokens/user-tokens.do.ts";

// The methods of an object as its callers see them. (Cloudflare's own type of a stub splits unions.)
type Methods<O> = {
  [K in Exclude<keyof O, "alarm"> as O[K] extends (...args: never[]) => unknown ? K : never]: O[K] extends (
    ...args: infer A
  ) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

/** The object of a user, by the methods that may run twice. */
type AskedUser = Pick<Methods<UserTokens>, (typeof REPEATABLE_BY_USERS)[number]>;
/** The object of a user, by all its methods. */
type ToldUser = Methods<UserTokens>;
/** A directory object, by what it can be asked: only users' objects write it. */
type AskedDirectory = Omit<Pick<DirectoryRpc, (typeof REPEATABLE_BY_DIRECTORY)[number]>, "put">;
type AskedOwners = Pick<Methods<TokenOwners>, (typeof REPEATABLE_BY_OWNERS)[number] | "page">;

/**
 * Asks the object of a user. `question` may run twice, so it sees only the methods for which that is safe. `near`: see
 * {@link userStub}.
 * @throws {ApiError} 503 where the platform failed; 500 for a fault of our own
 */
export async function askUser<T>(
  env: Env,
  app: App,
  uid: string,
  question: (user: AskedUser) => Promise<T>,
  {
    timeoutMs = OBJECT_TIMEOUT_MS,
    near,
  }: { timeoutMs?: number | undefined; near?: LocationHint | null | undefined } = {},
) {
  const user = userStub(env, app, await userHash(app.appId, uid), near);
  return call(user, question, { mayRepeat: true, timeoutMs });
}

/** As {@link askUser}, for a user whom an owner object named. */
export function askUserByHash<T>(env: Env, app: App, user: string, question: (user: AskedUser) => Promise<T>) {
  return call(userStub(env, app, user), question, { mayRepeat: true });
}

/** Tells the object of a user something, by any of its methods; never repeated. Errors as {@link askUser}. */
export async function tellUser<T>(
  env: Env,
  app: App,
  uid: string,
  message: (user: ToldUser) => Promise<T>,
  near?: LocationHint | null,
) {
  return call(userStub(env, app, await userHash(app.appId, uid), near), message, { mayRepeat: false });
}

/** As {@link tellUser}, for a user whom an owner object named. */
export function tellUserByHash<T>(env: Env, app: App, user: string, message: (user: ToldUser) => Promise<T>) {
  return call(userStub(env, app, user), message, { mayRepeat: false });
}

/** `near`: see {@link stubOf}. */
function userStub(env: Env, app: App, user: string, near?: LocationHint | null): () => ToldUser {
  return () => stubOf(env.USER_TOKENS, userTokensName(app.appId, user), app, near) as unknown as ToldUser;
}

/** Asks the object that knows the owner of the token of that hash. Errors as {@link askUser}. */
function askOwners<T>(env: Env, app: App, hash: string, question: (owners: AskedOwners) => Promise<T>) {
  const stub = () => stubOf(env.TOKEN_OWNERS, tokenOwnersName(app.appId, hash), app, app.locationHint);
  return call(stub as unknown as () => AskedOwners, question, { mayRepeat: true });
}

/** Who owns the token of that hash on record. Errors as {@link askUser}. */
export function ownersOf(env: Env, app: App, hash: string): Promise<Owner[]> {
  return askOwners(env, app, hash, (owners) => owners.owners(hash));
}

/** As {@link askOwners}, of the object of that number, from 0 on. */
export function askOwnersShard<T>(env: Env, app: App, shard: number, question: (owners: AskedOwners) => Promise<T>) {
  const stub = () => stubOf(env.TOKEN_OWNERS, ownersShardName(app.appId, shard), app, app.locationHint);
  return call(stub as unknown as () => AskedOwners, question, { mayRepeat: true });
}

/** Asks one of the app's directory objects, which are numbered from 0. Errors as {@link askUser}. */
export function askDirectory<T>(
  env: Env,
  app: App,
  shard: number,
  question: (directory: AskedDirectory) => Promise<T>,
  directory: DirectorySettings = app.directory,
): Promise<T> {
  const stub = (): AskedDirectory =>
    stubOf(env.DIRECTORY, directoryName(app.appId, directory, shard), app, app.locationHint);
  return call(stub, question, { mayRepeat: true, timeoutMs: LOOKUP_TIMEOUT_MS }) as Promise<T>;
}

/** A fresh stub for each attempt: a stub is dead for good after its object was reset. */
async function call<O, T>(
  stub: () => O,
  message: (object: O) => Promise<T>,
  { mayRepeat, timeoutMs = OBJECT_TIMEOUT_MS }: { mayRepeat: boolean; timeoutMs?: number },
): Promise<Settled<T>> {
  const startedAt = Date.now();
  let answer: T;
  for (let repeats = 0; ; repeats += 1) {
    try {
      answer = await withTimeout(message(stub()), timeoutMs);
      break;
    } catch (error) {
      const fault = faultOf(error);
      const delay = REPEAT_DELAYS_MS[repeats];
      const isRepeated = mayRepeat && fault === "reset";
      if (!isRepeated || delay === undefined || Date.now() + delay - startedAt >= REPEAT_TOTAL_MS) {
        throw toApiError(fault, error);
      }
      log.warn("an object was reset, the call is repeated", { error });
      await scheduler.wait(delay * Math.random());
    }
  }
  if (isUnavailable(answer)) throw unavailable(RETRY_AFTER_SECONDS);
  return answer as Settled<T>;
}

/** What is left of an object's answers once those that mean 503 are taken out. */
type Settled<T> = Exclude<T, Unavailable>;

/** An outcome of its own where another object that it needs did not answer. */
function isUnavailable<T>(answer: T): answer is Extract<T, Unavailable> {
  const { ok, reason } = (answer ?? {}) as Partial<Unavailable>;
  return ok === false && reason === "unavailable";
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
