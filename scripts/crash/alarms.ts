// Alarms that ring while the crash test runs. The registry sets them hours and days ahead, and workerd goes by the real clock; so
// while the server is down, the files say that some of them are due in a moment. workerd keeps the time of an alarm twice: for
// itself in the metadata of the class, and in the object's own file.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** An alarm that was moved: of which object, and to when (nanoseconds). */
export interface MovedAlarm {
  object: string;
  at: bigint;
}

const NS_PER_MS = 1_000_000n;

/**
 * Moves the alarms of up to `count` objects of a class to moments within `spreadMs` from now. The server must be down.
 * An object whose two times differ is left alone: a kill between the two writes is for workerd to sort out.
 */
export function moveAlarms(
  data: string,
  className: string,
  { count, spreadMs, random }: { count: number; spreadMs: number; random: () => number },
): MovedAlarm[] {
  const directory = join(data, className);
  const moved: MovedAlarm[] = [];
  withDatabase(join(directory, "metadata.sqlite"), (metadata) => {
    const all = alarmsIn(metadata).map((alarm) => ({ ...alarm, order: random() }));
    for (const { object, at: before } of all.sort((a, b) => a.order - b.order)) {
      if (moved.length >= count) break;
      const at = (BigInt(Date.now()) + BigInt(Math.floor(random() * spreadMs))) * NS_PER_MS;
      const file = join(directory, `${object}.sqlite`);
      if (!existsSync(file) || !withDatabase(file, (own) => setOwnAlarm(own, before, at))) continue;
      metadata.prepare("UPDATE _cf_ALARM SET scheduled_time = ? WHERE actor_id = ?").run(at, object);
      moved.push({ object, at });
    }
  });
  return moved;
}

/** How many of the alarms that were moved have rung: they stand at another time, or not at all. The server must be down. */
export function countRung(data: string, className: string, moved: readonly MovedAlarm[]): number {
  return withDatabase(join(data, className, "metadata.sqlite"), (metadata) => {
    const times = new Map(alarmsIn(metadata).map(({ object, at }) => [object, at]));
    return moved.filter(({ object, at }) => times.get(object) !== at).length;
  });
}

export function alarmsIn(metadata: DatabaseSync): MovedAlarm[] {
  const select = metadata.prepare("SELECT actor_id, scheduled_time FROM _cf_ALARM");
  select.setReadBigInts(true);
  return select.all().map((row) => ({ object: String(row.actor_id), at: BigInt(String(row.scheduled_time)) }));
}

/** Whether the object's own alarm stood at `before`; then it is at `at` now. */
function setOwnAlarm(own: DatabaseSync, before: bigint, at: bigint): boolean {
  const exists = own.prepare("SELECT 1 FROM sqlite_master WHERE name = '_cf_METADATA'").get() !== undefined;
  if (!exists) return false;
  return own.prepare("UPDATE _cf_METADATA SET value = ? WHERE key = 1 AND value = ?").run(at, before).changes === 1;
}

export function withDatabase<T>(file: string, use: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(file);
  try {
    return use(database);
  } finally {
    database.close();
  }
}
