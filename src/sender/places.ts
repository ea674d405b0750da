// Walking the directory: one of its objects after the other, each in its own order. A cursor says where the next page begins.
import type { App } from "../config/apps.ts";
import { directoryGeneration } from "../durable/names.ts";
import { ApiError, invalid } from "../http/errors.ts";

/** In one of the directory's objects, after the row of that id; `null`: at its beginning. */
export interface Place {
  shard: number;
  after: number | null;
}

/**
 * Where the walk begins.
 * @throws {ApiError} 400 for a cursor that was not given by the directory of now; 503 while that does not know everybody
 */
export function placeAt({ directory }: App, cursor: string | null | undefined): Place {
  if (!directory.complete) throw incomplete();
  if (cursor == null) return { shard: 0, after: null };
  const [, generation, shard, after] = /^(\d+:\d+):(\d+):(\d*)$/.exec(decoded(cursor)) ?? [];
  const place = { shard: Number(shard), after: after === "" ? null : Number(after) };
  if (generation === directoryGeneration(directory) && place.shard < directory.objects) return place;
  throw invalid({
    cursor: [
      "The cursor field is not one that this list gave, or the directory was rebuilt since. Begin again without it.",
    ],
  });
}

/** Where a walk goes on that has read an object up to `next`; `null`: that was all. */
export function placeAfter({ directory }: App, { shard }: Place, next: number | null): Place | null {
  if (next !== null) return { shard, after: next };
  return shard + 1 < directory.objects ? { shard: shard + 1, after: null } : null;
}

/** The text that stands for a place: it names nobody. `undefined`: there is no next page. */
export function cursorOf({ directory }: App, place: Place | null): string | undefined {
  if (place === null) return undefined;
  // Of digits and colons, base64 has no + and no /.
  return btoa(`${directoryGeneration(directory)}:${place.shard}:${place.after ?? ""}`).replaceAll("=", "");
}

function decoded(cursor: string): string {
  try {
    return atob(cursor);
  } catch {
    return "";
  }
}

/** Nobody may be missing from a list of all without a word. */
function incomplete(): ApiError {
  const message =
    "The directory of this app does not know all users yet. Its operator finishes `npm run directory -- --rebuild`, then sets `directory.complete`.";
  return new ApiError("ERR_OPERATION_FAILED", message, { status: 503, logged: "warn" });
}
