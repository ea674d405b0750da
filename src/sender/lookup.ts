// What may be pushed for many users, asked for by name: over HTTP with an API key, or through the service binding.
import type { App } from "../config/apps.ts";
import { ApiError } from "../http/errors.ts";
import { uidOf } from "../http/uids.ts";
import { LOOKUP_BYTES_MAX, LOOKUP_USER_BYTES } from "../limits.ts";
import { bytesOf, type Failure, readUsers, TOO_LARGE, userText } from "./directory-reads.ts";
import type { ReadOptions, UserPushTokens } from "./own-objects.ts";

export interface LookupResult {
  /** In the order asked for, each uid once as it was spelled; without those in `errors`. */
  users: UserPushTokens[];
  /**
   * `ERR_BAD_REQUEST`: no user can have this uid. `ERR_RESPONSE_TOO_LARGE`: ask for the user in a smaller batch. Any other code:
   * what knows the user did not answer; ask for the user again.
   */
  errors: ({ uid: string } & Failure)[];
}

/** The JSON text of a {@link LookupResult}; a user who fails, or does not fit, does not fail the rest. */
export async function lookupUsers(env: Env, app: App, uids: readonly unknown[], options: ReadOptions): Promise<string> {
  const asked = byName(app, uids);
  const names = [...new Set([...asked.values()].filter((uid) => typeof uid === "string"))];
  const read = await readUsers(env, app, names, options);
  const known = new Map(names.map((uid, i) => [uid, read[i] as string | Failure]));
  const answers = [...asked].map(([uid, user]) => {
    return { uid, answer: typeof user === "string" ? (known.get(user) as string | Failure) : user };
  });
  let room = LOOKUP_BYTES_MAX - bytesOf(JSON.stringify([...asked.keys()])) - asked.size * LOOKUP_USER_BYTES;
  // A character has three bytes at most: hardly any reply is so long that its bytes must be counted.
  const bytesAtMost = answers.reduce(
    (sum, { answer }) => sum + (typeof answer === "string" ? 3 * answer.length : 0),
    0,
  );
  const isCounted = bytesAtMost > room;
  const users: string[] = [];
  const errors: LookupResult["errors"] = [];
  for (const { uid, answer } of answers) {
    const bytes = isCounted && typeof answer === "string" ? bytesOf(answer) : 0;
    const tokens = bytes > room ? TOO_LARGE : answer;
    if (typeof tokens === "string") {
      room -= bytes;
      users.push(userText(uid, tokens));
    } else {
      errors.push({ uid, code: tokens.code, message: tokens.message });
    }
  }
  return `{"users":[${users.join()}],"errors":${JSON.stringify(errors)}}`;
}

/** The app's uid of each that was asked for, by its spelling; or what is wrong with it. */
function byName(app: App, uids: readonly unknown[]): Map<string, string | ApiError> {
  const asked = new Map<string, string | ApiError>();
  for (const uid of uids) {
    const name = typeof uid === "string" ? uid : JSON.stringify(uid);
    if (typeof asked.get(name) === "string") continue;
    asked.set(name, typeof uid === "string" ? appsOwn(app, uid) : new ApiError("ERR_BAD_REQUEST", NO_STRING));
  }
  return asked;
}

const NO_STRING = "The uid must be a string.";

function appsOwn(app: App, uid: string): string | ApiError {
  try {
    return uidOf(app, uid);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}
