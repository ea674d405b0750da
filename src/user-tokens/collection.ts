// What the alarm does: it collects what has expired by the settings of now, and sleeps until the next thing does.
import { appNow } from "../durable/settings.ts";
import { COLLECT_EVERY_MS } from "../limits.ts";
import { log } from "../log.ts";
import { finishErasure } from "./erasure.ts";
import type { Rooms } from "./rooms.ts";

/** Leaves an empty object when nothing is left. What another object did not answer is tried again, later each time. */
export async function collect(rooms: Rooms): Promise<void> {
  const { store, slots, ends, operations, publication, alarm, platform } = rooms;
  if (store.isErasing) {
    const erased = await operations.inTurn(() => finishErasure(rooms));
    if (!erased.ok) return;
  }
  const now = Date.now();
  const app = appNow(platform());
  if (app === null) {
    log.error("an alarm cannot read the configuration of its app: nothing is collected");
    await alarm.setAgain(now);
    return;
  }
  const { retentionMs, sessionMs } = app.rules;
  const expired = store.registrations.all().filter((row) => row.refreshedAt + retentionMs <= now);
  publication.forget(slots.empty(expired, "expired", now));
  slots.showRefreshes(now);
  if (store.exists) {
    store.transaction(() => {
      store.deleteExpiredFacts(now);
      ends.collect(sessionMs, now);
    });
  }
  // Also where nothing changed: the directory hears of every user who holds something at least every COLLECT_EVERY_MS.
  const isKnown = store.version === 0 || (await publication.publish());
  if (isKnown && (await publication.settled())) await sleep(rooms, retentionMs, sessionMs);
  else await alarm.setAgain(Date.now());
}

async function sleep(rooms: Rooms, retentionMs: number, sessionMs: number): Promise<void> {
  const { store, ends, operations, publication, alarm } = rooms;
  const now = Date.now();
  // A change may have come meanwhile: the near alarm does what is left here.
  if (!publication.isSettled || store.isErasing) {
    alarm.setNear(now);
    return;
  }
  const expiries = store.registrations.all().map((row) => row.refreshedAt + retentionMs);
  store.deleteExpiredChanges(expiries.length === 0, now);
  const others = [store.nextFactEnd(), ends.nextEnd(sessionMs)].filter((end) => end !== undefined);
  // An active user writes again soon, so expired facts can wait for a later alarm: every alarm is billed.
  if (expiries.length > 0) await alarm.setFar(Math.min(...expiries, now + COLLECT_EVERY_MS));
  else if (others.length > 0) await alarm.setFar(Math.min(...others));
  else if (operations.isEmpty) {
    alarm.isGone();
    await store.deleteAll();
  }
}
