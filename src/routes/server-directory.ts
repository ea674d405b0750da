// The directory made anew from what it is made of (API keys): docs/operations.md says when that is needed.
import { Hono } from "hono/tiny";
import { backEnd, knownApp } from "../auth/middleware.ts";
import type { App } from "../config/apps.ts";
import { mapBounded } from "../durable/concurrency.ts";
import { directoryGeneration, userHash } from "../durable/names.ts";
import type { AppEnv } from "../http/context.ts";
import { invalid } from "../http/errors.ts";
import { body } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { OBJECT_CONCURRENCY, OWNER_SHARDS, REBUILD_USERS_MAX } from "../limits.ts";
import { askDirectory, askOwnersShard, askUserByHash } from "../objects.ts";
import { cursorOf, type Place, placeAfter, placeAt, ROW_ID, rowId, type Walk } from "../sender/places.ts";

/** What one call of a rebuild did. */
interface Step {
  /** Users who gave the directory their state. */
  users: number;
  /** The position up to which the object was read; `null`: all of it. */
  next: string | number | null;
}

/** First through all owners, who may be missing in the directory, then through those it has. */
function rebuildWalk({ directory }: App): Walk {
  return {
    shards: OWNER_SHARDS + directory.objects,
    position: (shard) => (shard < OWNER_SHARDS ? /^[\w-]{43}\.\d+$/ : ROW_ID),
  };
}

export const serverDirectory = new Hono<AppEnv>()
  .post("/rebuild", knownApp, backEnd("fullAccess"), body(schemas.rebuildBody), async (c) => {
    const { app } = c.var;
    const walk = rebuildWalk(app);
    const place = placeAt(app, walk, c.req.valid("json").cursor);
    const { users, next } = await (place.shard < OWNER_SHARDS ? showOwners : showKnown)(c.env, app, place);
    const then = placeAfter(walk, place, next);
    if (then === null) return c.json({ data: { users } });
    return c.json({ data: { users, done: then.shard, of: walk.shards, cursor: cursorOf(app, then) } });
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

async function showOwners(env: Env, app: App, { shard, after }: Place): Promise<Step> {
  const [hash = "", version] = after.split(".");
  const position = after === "" ? null : { hash, version: Number(version) };
  const { users, next } = await askOwnersShard(env, app, shard, (owners) => owners.page(position, REBUILD_USERS_MAX));
  await mapBounded(users, OBJECT_CONCURRENCY, async (user) => {
    await askUserByHash(env, app, user, (object) => object.show(null));
  });
  return { users: users.length, next: next && `${next.hash}.${next.version}` };
}

async function showKnown(env: Env, app: App, { shard, after }: Place): Promise<Step> {
  const { entries, next } = await askDirectory(env, app, shard - OWNER_SHARDS, (directory) =>
    directory.page(rowId(after), REBUILD_USERS_MAX, Number.MAX_SAFE_INTEGER),
  );
  await mapBounded(entries, OBJECT_CONCURRENCY, async ({ uid }) => {
    await askUserByHash(env, app, await userHash(app.appId, uid), (object) => object.show(uid));
  });
  return { users: entries.length, next };
}
