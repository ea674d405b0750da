// What Cloudflare bills, counted while a test does something: calls of objects, and rows by SQLite's own counters.
import { Directory, TokenOwners, UserTokens } from "../../src/index.ts";

export interface Metered {
  /** Each call of an object, in order: `UserTokens.register`, `TokenOwners.claim`, … */
  calls: string[];
  rowsRead: number;
  /** Setting an alarm is one row written. */
  rowsWritten: number;
}

/**
 * Waits until nothing more comes of what was done here. workerd looks for timers that are due when it has nothing else to do: the
 * first wait ends after those that objects have set for at once, the second after all that came of these.
 */
async function settled(): Promise<void> {
  for (let waits = 0; waits < 3; waits += 1) await scheduler.wait(2);
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Counts what `work` costs, with what it leaves to `waitUntil`. Objects of a test file share the isolate and so the prototypes:
 * nothing else may run beside it.
 */
export async function metered(work: () => Promise<unknown>): Promise<Metered> {
  await settled();
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
    await settled();
  } finally {
    for (const undo of restore) undo();
  }
  return {
    calls,
    rowsRead: cursors.reduce((sum, cursor) => sum + cursor.rowsRead, 0),
    rowsWritten: cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, alarms),
  };
}
