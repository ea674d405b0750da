// What the alarm does: it collects what has expired by the settings of now, and sleeps until the next thing does.
import { appNow } from "../durable/settings.ts";
import { COLLECT_EVERY_MS, DAY_MS } from "../limits.ts";
import { log } from "../log.ts";
import { finishErasure } from "./erasure.ts";
import type { Rooms } from "./rooms.ts";

/** Leaves an empty object when nothing is left. */
export async function collect(rooms: Rooms): Promise<void> {
  const { store, slots, ends, operations, owners, alarm, platform } = rooms;
  if (store.pendingForgets().length > 0) {
    const erased = await operations.inTurn(() => finishErasure(rooms));
    if (!erased.ok) return;
  }
  const now = Date.now();
  const app = appNow(platform());
  if (app === null) {
    log.error("an alarm cannot read the configuration of its app: nothing is collected");
    await alarm.set(now + DAY_MS);
    return;
  }
  const { retentionMs, sessionMs } = app.rules;
  const expired = store.registrations.all().filter((row) => row.refreshedAt + retentionMs <= now);
  owners.forget(slots.empty(expired, "expired", now));
  if (store.exists) {
    store.transaction(() => {
      store.deleteExpiredFacts(now);
      ends.collect(sessionMs, now);
    });
  }
  await sleep(rooms, retentionMs, sessionMs, now);
}

async function sleep(rooms: Rooms, retentionMs: number, sessionMs: number, now: number): Promise<void> {
  const { store, ends, operations, alarm } = rooms;
  const expiries = store.registrations.all().map((row) => row.refreshedAt + retentionMs);
  const others = [store.nextFactEnd(), ends.nextEnd(sessionMs)].filter((end) => end !== undefined);
  if (store.pendingForgets().length > 0) await alarm.set(now);
  // An active user writes again soon, so expired facts can wait for a later alarm: every alarm is billed.
  else if (expiries.length > 0) await alarm.set(Math.min(...expiries, now + COLLECT_EVERY_MS));
  else if (others.length > 0) await alarm.set(Math.min(...others));
  else if (operations.isEmpty) {
    alarm.isGone();
    await store.deleteAll();
  }
}
