// Walking objects that are numbered, one after the other, each in its own order. A cursor says where the next page begins.
import type { App } from "../config/apps.ts";
import { directoryGeneration } from "../durable/names.ts";
import { ApiError, invalid } from "../http/errors.ts";

/** In the object of that number, after the row of that position; `""`: at its beginning. */
export interface Place {
  shard: number;
  after: string;
}

/** What is walked. */
export interface Walk {
  /** How many objects there are. */
  shards: number;
  /** The form of a position in the object of that number. */
  position(shard: number): RegExp;
}

/** The position of a row of the directory: its id. */
export const ROW_ID = /^\d+$/;

/** The walk through the app's directory. */
export function directoryWalk({ directory }: App): Walk {
  return { shards: directory.objects, position: () => ROW_ID };
}

/** The id of the row at that position; `null`: there is none before. */
export function rowId(after: string): number | null {
  return after === "" ? null : Number(after);
}

/**
 * Where a page begins.
 * @throws {ApiError} 400 for a cursor that was not given while the directory was as it is now
 */
export function placeAt({ directory }: App, walk: Walk, cursor: string | null | undefined): Place {
  if (cursor == null) return { shard: 0, after: "" };
  const [, generation, number, after = ""] = /^(\d+:\d+):(\d+):(.*)$/.exec(decoded(cursor)) ?? [];
  const shard = Number(number);
  const isPlace = generation === directoryGeneration(directory) && shard < walk.shards;
  if (isPlace && (after === "" || walk.position(shard).test(after))) return { shard, after };
  throw invalid({
    cursor: [
      "The cursor field is not one that this call gave, or the directory was rebuilt since. Begin again without it.",
    ],
  });
}

/** Where a walk goes on that has read an object up to `next`; `null`: that was all. */
export function placeAfter({ shards }: Walk, { shard }: Place, next: string | number | null): Place | null {
  if (next !== null) return { shard, after: String(next) };
  return shard + 1 < shards ? { shard: shard + 1, after: "" } : null;
}

/** The text that stands for a place: it names nobody. `undefined`: there is no next page. */
export function cursorOf({ directory }: App, place: Place | null): string | undefined {
  if (place === null) return undefined;
  // Of letters, digits, colons, points and dashes, base64 has no + and no /.
  return btoa(`${directoryGeneration(directory)}:${place.shard}:${place.after}`).replaceAll("=", "");
}

function decoded(cursor: string): string {
  try {
    return atob(cursor);
  } catch {
    return "";
  }
}

/**
 * Nobody may be missing from a list of all without a word.
 * @throws {ApiError} 503
 */
export function checkComplete({ directory }: App): void {
  if (directory.complete) return;
  const message =
    "The directory of this app does not know all users yet. Its operator finishes `npm run directory -- --rebuild`, then sets `directory.complete`.";
  throw new ApiError("ERR_OPERATION_FAILED", message, { status: 503, logged: "warn" });
}
