// The directory made anew from what it is made of (API keys): docs/operations.md says when that is needed.
import { Hono } from "hono/tiny";
import { backEnd, knownApp } from "../auth/middleware.ts";
import type { App } from "../config/apps.ts";
import type { OwnersPosition } from "../durable/claims.ts";
import { mapBounded } from "../durable/concurrency.ts";
import { directoryGeneration, userHash } from "../durable/names.ts";
import type { AppEnv } from "../http/context.ts";
import { invalid } from "../http/errors.ts";
import { body } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { OBJECT_CONCURRENCY, OWNER_SHARDS, REBUILD_USERS_MAX } from "../limits.ts";
import { askDirectory, askOwnersShard, askUserByHash } from "../objects.ts";

/** Where a rebuild goes on: first through all owners, who may be missing in the directory, then through those it has. */
type Place =
  | { walk: "owners"; shard: number; after: OwnersPosition | null }
  | { walk: "directory"; shard: number; after: number | null };

interface Step {
  /** Users who gave the directory their state. */
  users: number;
  next: Place | null;
}

export const serverDirectory = new Hono<AppEnv>()
  .post("/rebuild", knownApp, backEnd("fullAccess"), body(schemas.rebuildBody), async (c) => {
    const { app } = c.var;
    const { cursor } = c.req.valid("json");
    const place: Place = cursor == null ? { walk: "owners", shard: 0, after: null } : read(app, cursor);
    const { users, next } =
      place.walk === "owners" ? await showOwners(c.env, app, place) : await showKnown(c.env, app, place);
    if (next === null) return c.json({ data: { users } });
    const done = next.walk === "owners" ? next.shard : OWNER_SHARDS + next.shard;
    return c.json({ data: { users, done, of: OWNER_SHARDS + app.directory.objects, cursor: written(app, next) } });
  })
  .post("/forget_epoch", knownApp, backEnd("fullAccess"), body(schemas.forgetEpochBody), async (c) => {
    const { app } = c.var;
    const over = c.req.valid("json");
    if (directoryGeneration(over) === directoryGeneration(app.directory)) {
      throw invalid({ epoch: [`The epoch field must not be ${over.epoch}, which is in use.`] });
    }
    const shards = Array.from({ length: over.objects }, (_, shard) => shard);
    await mapBounded(shards, OBJECT_CONCURRENCY, async (shard) => {
      await askDirectory(c.env, app, shard, (directory) => directory.clear(), over);
    });
    return c.json({ data: { success: true } });
  });

async function showOwners(env: Env, app: App, { shard, after }: Extract<Place, { walk: "owners" }>): Promise<Step> {
  const { users, next } = await askOwnersShard(env, app, shard, (owners) => owners.page(after, REBUILD_USERS_MAX));
  await mapBounded(users, OBJECT_CONCURRENCY, async (user) => {
    await askUserByHash(env, app, user, (object) => object.show(null));
  });
  if (next !== null) return { users: users.length, next: { walk: "owners", shard, after: next } };
  const isLast = shard + 1 === OWNER_SHARDS;
  const walk = isLast ? "directory" : "owners";
  return { users: users.length, next: { walk, shard: isLast ? 0 : shard + 1, after: null } };
}

async function showKnown(env: Env, app: App, { shard, after }: Extract<Place, { walk: "directory" }>): Promise<Step> {
  const { entries, next } = await askDirectory(env, app, shard, (directory) =>
    directory.page(after, REBUILD_USERS_MAX, Number.MAX_SAFE_INTEGER),
  );
  await mapBounded(entries, OBJECT_CONCURRENCY, async ({ uid }) => {
    await askUserByHash(env, app, await userHash(app.appId, uid), (object) => object.show(uid));
  });
  if (next !== null) return { users: entries.length, next: { walk: "directory", shard, after: next } };
  const isLast = shard + 1 === app.directory.objects;
  return { users: entries.length, next: isLast ? null : { walk: "directory", shard: shard + 1, after: null } };
}

/** The text that stands for a place. Another setting of the directory has other objects: its cursors are of no use. */
function written({ directory }: App, place: Place): string {
  const { walk, shard, after } = place;
  const position = typeof after === "object" && after !== null ? `${after.hash}.${after.version}` : (after ?? "");
  return [directoryGeneration(directory), walk, shard, position].join("/");
}

/** @throws {ApiError} 400 for a cursor that was not given by the directory of now */
function read({ directory }: App, cursor: string): Place {
  const [generation, walk, number, position] = cursor.split("/");
  const shard = Number(number);
  if (generation === directoryGeneration(directory)) {
    if (walk === "owners" && shard < OWNER_SHARDS) {
      const [, hash = "", version] = /^([\w-]{43})\.(\d+)$/.exec(position ?? "") ?? [];
      return { walk, shard, after: version === undefined ? null : { hash, version: Number(version) } };
    }
    if (walk === "directory" && shard < directory.objects) {
      return { walk, shard, after: position === "" ? null : Number(position) };
    }
  }
  throw invalid({
    cursor: ["The cursor field is not one that this call gave, or of another directory. Begin without it."],
  });
}
