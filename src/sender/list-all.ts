// All users of an app, page by page: each who holds a token from the first page to the last stands in exactly one of them.
import type { App } from "../config/apps.ts";
import type { DirectoryRow } from "../durable/snapshots.ts";
import { ApiError } from "../http/errors.ts";
import { FALLBACK_CALLS_MAX, LOOKUP_BYTES_MAX, PAGE_CALLS_MAX, USERS_PER_PAGE } from "../limits.ts";
import { askDirectory } from "../objects.ts";
import { bytesOf, shownIn, userText } from "./directory-reads.ts";
import { askOwnObjects, type UserPushTokens, type Wanted } from "./own-objects.ts";
import { checkComplete, cursorOf, directoryWalk, type Place, placeAfter, placeAt, rowId } from "./places.ts";

export interface ListAllOptions extends Wanted {
  /** Of the page before. */
  cursor?: string | null | undefined;
  /** Users per page, at most. */
  limit?: number | null | undefined;
}

export interface UsersPage {
  /** Those of whom something is left; fewer than asked for, even none, also where there is a `cursor`. */
  users: UserPushTokens[];
  /** Where the next page begins; absent on the last one. */
  cursor?: string;
}

interface FoundUser {
  uid: string;
  at: Place;
  /** As JSON text; `null`: only the user's own object knows. */
  tokens: string | null;
}

/**
 * The JSON text of a {@link UsersPage}.
 * @throws {ApiError} 400 for a wrong cursor; 503 where an object does not answer: a list cannot name whom it lacks
 */
export async function listAll(env: Env, app: App, { cursor, limit, ...wanted }: ListAllOptions): Promise<string> {
  checkComplete(app);
  const start = placeAt(app, directoryWalk(app), cursor);
  const { found, end } = await nextUsers(env, app, start, limit ?? USERS_PER_PAGE, wanted);
  const unsure = found.filter(({ tokens }) => tokens === null).slice(0, FALLBACK_CALLS_MAX);
  const uids = unsure.map(({ uid }) => uid);
  const answers = await askOwnObjects(env, app, uids, wanted);
  const users: string[] = [];
  let bytes = 0;
  let last: Place | null = null;
  for (const { uid, at, tokens } of found) {
    const known = tokens ?? answers.get(uid);
    if (known instanceof ApiError) throw known;
    const text = known === undefined || known === "[]" ? "" : userText(uid, known);
    bytes += bytesOf(text) + 1;
    // Who was not asked, or does not fit, begins the next page.
    if (last !== null && (known === undefined || bytes > LOOKUP_BYTES_MAX)) return pageText(users, cursorOf(app, last));
    if (text !== "") users.push(text);
    last = at;
  }
  return pageText(users, cursorOf(app, end));
}

/** The next users in the directory, `limit` at most; `end` is where they end. No object of it is asked twice. */
async function nextUsers(
  env: Env,
  app: App,
  start: Place,
  limit: number,
  wanted: Wanted,
): Promise<{ found: FoundUser[]; end: Place | null }> {
  const now = Date.now();
  const found: FoundUser[] = [];
  let characters = 0;
  let end: Place | null = start;
  for (let calls = 0; end !== null && calls < PAGE_CALLS_MAX && found.length < limit; calls += 1) {
    const { shard, after }: Place = end;
    const left = LOOKUP_BYTES_MAX - characters;
    const page = await askDirectory(env, app, shard, (it) => it.page(rowId(after), limit - found.length, left));
    for (const row of page.entries) found.push(foundUser(row, shard, shownIn(row, app, wanted, now)));
    characters += page.entries.reduce((sum, { tokens }) => sum + (tokens?.length ?? 0), 0);
    end = placeAfter(directoryWalk(app), end, page.next);
    if (page.next !== null) break;
  }
  return { found, end };
}

function foundUser({ uid, id }: DirectoryRow, shard: number, tokens: string | null): FoundUser {
  return { uid, at: { shard, after: String(id) }, tokens };
}

function pageText(users: readonly string[], cursor: string | undefined): string {
  return `{"users":[${users.join()}]${cursor === undefined ? "" : `,"cursor":"${cursor}"`}}`;
}
