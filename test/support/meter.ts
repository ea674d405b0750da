// What Cloudflare bills, counted while a test does something: calls of objects, and rows by SQLite's own counters.
import { Directory, TokenOwners, UserTokens } from "../../src/index.ts";

export interface Metered {
  /** Each call of an object, in order: `UserTokens.register`, `TokenOwners.claim`, … */
  calls: string[];
  rowsRead: number;
  /** Setting an alarm is one row written. */
  rowsWritten: number;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Counts what `work` costs, with what it leaves to `waitUntil` and that ends within `settleMs`; what came before has ended then,
 * too. Objects of a test file share the isolate and so the prototypes: nothing else may run beside it.
 */
export async function metered(work: () => Promise<unknown>, settleMs = 50): Promise<Metered> {
  await scheduler.wait(settleMs);
  const calls: string[] = [];
  const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
  let alarms = 0;
  const restore: (() => void)[] = [];
  const meteredPrototypes = new Set<object>();

  function replace(target: object, name: string, wrap: (method: Method) => Method): void {
    const property = Object.getOwnPropertyDescriptor(target, name);
    if (property === undefined || typeof property.value !== "function") return;
    Object.defineProperty(target, name, { ...property, value: wrap(property.value) });
    restore.push(() => Object.defineProperty(target, name, property));
  }

  function meterStorage(storage: DurableObjectStorage): void {
    const sql = Object.getPrototypeOf(storage.sql);
    if (meteredPrototypes.has(sql)) return;
    meteredPrototypes.add(sql);
    replace(
      sql,
      "exec",
      (exec) =>
        function (...args) {
          const cursor = exec.apply(this, args);
          cursors.push(cursor as SqlStorageCursor<Record<string, SqlStorageValue>>);
          return cursor;
        },
    );
    replace(
      Object.getPrototypeOf(storage),
      "setAlarm",
      (setAlarm) =>
        function (...args) {
          alarms += 1;
          return setAlarm.apply(this, args);
        },
    );
  }

  for (const { prototype, name: object } of [UserTokens, TokenOwners, Directory]) {
    for (const method of Object.getOwnPropertyNames(prototype)) {
      if (method === "constructor") continue;
      replace(
        prototype,
        method,
        (call) =>
          function (...args) {
            calls.push(`${object}.${method}`);
            meterStorage((this as { ctx: DurableObjectState }).ctx.storage);
            return call.apply(this, args);
          },
      );
    }
  }
  try {
    await work();
    await scheduler.wait(settleMs);
  } finally {
    for (const undo of restore) undo();
  }
  return {
    calls,
    rowsRead: cursors.reduce((sum, cursor) => sum + cursor.rowsRead, 0),
    rowsWritten: cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, alarms),
  };
}
