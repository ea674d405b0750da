// What the directory says of users, and whom it leaves to their own objects: who has a token that may have expired, who is shown
// in a form that this release does not know, who is not there while the directory is not complete, and whom an object of it that
// is silent may know. What it says is passed on as the JSON text that it is: nothing is parsed where all of it is shown.
import type { App } from "../config/apps.ts";
import type { SenderToken } from "../domain/sender-token.ts";
import { mapBounded } from "../durable/concurrency.ts";
import { directoryShard } from "../durable/names.ts";
import { type DirectoryEntry, entryOn, SNAPSHOT_FORMAT } from "../durable/snapshots.ts";
import type { ErrorCode } from "../http/errors.ts";
import { LOOKUP_BYTES_MAX, OBJECT_CONCURRENCY } from "../limits.ts";
import { log } from "../log.ts";
import { askDirectory } from "../objects.ts";
import { askOwnObjects, isWanted, type Wanted } from "./own-objects.ts";

/** Why a user is not answered for. */
export interface Failure {
  code: ErrorCode | "ERR_RESPONSE_TOO_LARGE";
  message: string;
}

export const TOO_LARGE: Failure = {
  code: "ERR_RESPONSE_TOO_LARGE",
  message: "The reply would be too large. Ask for this user in a smaller batch.",
};

/**
 * The tokens of each user as JSON text, or why there is no answer, in their order. The uids are those under which the app knows
 * its users.
 */
export async function readUsers(
  env: Env,
  app: App,
  uids: readonly string[],
  wanted: Wanted,
): Promise<(string | Failure)[]> {
  const now = Date.now();
  const nobody = app.directory.complete ? "[]" : null;
  const shards = [...Map.groupBy(uids.keys(), (i) => directoryShard(app.directory, uids[i] as string))];
  // Users are not spread evenly: each object may answer twice its share of what a reply may hold.
  const bytesMax = Math.ceil((2 * LOOKUP_BYTES_MAX) / Math.max(2, shards.length));
  const answerOn = (line: string) => {
    const entry = entryOn(line);
    if (entry === undefined) return nobody;
    return entry.tokens === null ? TOO_LARGE : shownIn(entry, app, wanted, now);
  };
  const answers = new Array<string | Failure | null>(uids.length).fill(null);
  await mapBounded(shards, OBJECT_CONCURRENCY, async ([shard, places]) => {
    const asked = places.map((i) => uids[i] as string);
    const lines = await readShard(env, app, shard, asked, bytesMax);
    for (const [n, line] of lines?.entries() ?? []) answers[places[n] as number] = answerOn(line);
  });
  const left = uids.filter((_, i) => answers[i] === null);
  const own = await askOwnObjects(env, app, left, wanted);
  return answers.map((answer, i) => answer ?? own.get(uids[i] as string) ?? "[]");
}

/** `null`: the directory object did not answer. */
async function readShard(env: Env, app: App, shard: number, uids: readonly string[], bytesMax: number) {
  try {
    const lines = (await askDirectory(env, app, shard, (directory) => directory.lines(uids, bytesMax))).split("\n");
    if (lines.length !== uids.length) throw new Error("a row holds a line break");
    return lines;
  } catch (error) {
    log.warn("a directory object failed: its users' own objects are asked", { app: app.appId, error });
    return null;
  }
}

/** What a row shows, as JSON text; `null`: only the user's own object knows. */
export function shownIn(
  { format, tokens, muted, shownSince }: DirectoryEntry,
  app: App,
  wanted: Wanted,
  now: number,
): string | null {
  if (format !== SNAPSHOT_FORMAT || tokens === null || shownSince + app.rules.retentionMs <= now) return null;
  const isAll = (muted === 0 || wanted.includeMuted === true) && wanted.kind == null && wanted.platform == null;
  if (isAll) return tokens;
  return JSON.stringify((JSON.parse(tokens) as SenderToken[]).filter((token) => isWanted(token, wanted)));
}

/**
 * What the directory holds of the user, whether or not it is still shown; `null`: nothing.
 * @throws {ApiError} 503 where it does not answer
 */
export async function shownOf(env: Env, app: App, uid: string) {
  const shard = directoryShard(app.directory, uid);
  const row = entryOn(await askDirectory(env, app, shard, (directory) => directory.lines([uid], LOOKUP_BYTES_MAX)));
  if (row === undefined) return null;
  const { format, tokens, shownSince } = row;
  return { format, shownSince, pushTokens: format === SNAPSHOT_FORMAT ? JSON.parse(tokens ?? "[]") : tokens };
}

/** A user as the replies of many have it. */
export function userText(uid: string, tokens: string): string {
  return `{"uid":${JSON.stringify(uid)},"pushTokens":${tokens}}`;
}

const encoder = new TextEncoder();

export function bytesOf(text: string): number {
  return encoder.encode(text).byteLength;
}
