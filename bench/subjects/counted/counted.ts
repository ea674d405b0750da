// The registry with a meter on what Cloudflare bills: calls of objects, rows read and rows written, by SQLite's own counters.
// `GET /counts` answers what was counted since the last time it was asked.
import registry, { Directory, TokenOwners, UserTokens } from "../../../src/index.ts";

export { Directory, TokenOwners, UserTokens };

export interface Counts {
  userCalls: number;
  ownerCalls: number;
  directoryCalls: number;
  rowsRead: number;
  rowsWritten: number;
}

let cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
let alarms = 0;
let userCalls = 0;
let ownerCalls = 0;
let directoryCalls = 0;
let isMetered = false;

/** Objects of one workerd share the isolate and so the prototypes: one meter sees them all. */
function meter(storage: DurableObjectStorage): void {
  if (isMetered) return;
  isMetered = true;
  const sql = Object.getPrototypeOf(storage.sql);
  const { exec } = sql;
  sql.exec = function (this: SqlStorage, ...args: Parameters<SqlStorage["exec"]>) {
    const cursor = exec.apply(this, args);
    cursors.push(cursor);
    return cursor;
  };
  // Setting an alarm is one row written; setting the same again is none, and the registry never does.
  const storagePrototype = Object.getPrototypeOf(storage);
  const { setAlarm } = storagePrototype;
  storagePrototype.setAlarm = function (
    this: DurableObjectStorage,
    ...args: Parameters<DurableObjectStorage["setAlarm"]>
  ) {
    alarms += 1;
    return setAlarm.apply(this, args);
  };
}

function countCalls(prototype: object, count: () => void): void {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const property = Object.getOwnPropertyDescriptor(prototype, name);
    if (name === "constructor" || typeof property?.value !== "function") continue;
    const method = property.value;
    Object.defineProperty(prototype, name, {
      ...property,
      value(this: { ctx: DurableObjectState }, ...args: unknown[]) {
        count();
        meter(this.ctx.storage);
        return method.apply(this, args);
      },
    });
  }
}

countCalls(UserTokens.prototype, () => {
  userCalls += 1;
});
countCalls(TokenOwners.prototype, () => {
  ownerCalls += 1;
});
countCalls(Directory.prototype, () => {
  directoryCalls += 1;
});

function takeCounts(): Counts {
  const counts = {
    userCalls,
    ownerCalls,
    directoryCalls,
    rowsRead: cursors.reduce((sum, cursor) => sum + cursor.rowsRead, 0),
    rowsWritten: cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, alarms),
  };
  cursors = [];
  alarms = 0;
  userCalls = 0;
  ownerCalls = 0;
  directoryCalls = 0;
  return counts;
}

export default {
  fetch(request: Request, env: Env, ctx: ExecutionContext): Response | Promise<Response> {
    if (new URL(request.url).pathname === "/counts") return Response.json(takeCounts());
    return registry.fetch(request, env, ctx);
  },
};
