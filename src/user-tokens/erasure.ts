// The erasure of a user: everything goes, owner entries included, and what keeps older auth tokens from bringing anything back
// stays: one timestamp, and fences where that is not enough. Those are never out of the database, not even for the moment
// between two commits.
import { shortToken } from "../durable/names.ts";
import { CHANGES_KEPT_MS, TAKEOVER_WINDOW_MS } from "../limits.ts";
import { log } from "../log.ts";
import type { EraseOutcome, EraseRequest } from "./outcomes.ts";
import type { Rooms } from "./rooms.ts";

export async function erase(rooms: Rooms, request: EraseRequest): Promise<EraseOutcome> {
  const { operations } = rooms;
  begin(rooms, request, Date.now());
  await operations.cancel(() => true);
  return await operations.inTurn(() => finishErasure(rooms));
}

function begin({ store, slots, ends, operations }: Rooms, request: EraseRequest, now: number): void {
  const inFlight = operations.hashes();
  slots.erase(now, (rows) => {
    ends.endAll([...rows.map((row) => row.session), ...operations.sessions()], request.rules, request, now);
    // Where auth tokens carry no trusted time this ends no session: it keeps imports out that are older, as the record did.
    if (!request.trustedTime && (store.hasMarks || store.changes(now).length > 0))
      ends.add({ fences: [], validFrom: { at: now, until: now + CHANGES_KEPT_MS } });
    ends.dropDated(request);
    // An owner object remembers for a while whose a taken token was.
    const taken = store
      .changes(now)
      .filter(({ change, at }) => change === "taken_by_another_user" && at > now - TAKEOVER_WINDOW_MS);
    const hashes = [...rows.map((row) => row.hash), ...inFlight];
    const known = new Set(hashes.map(shortToken));
    const formerly = taken.map(({ token }) => token).filter((token) => !known.has(token));
    for (const hash of new Set([...hashes, ...formerly])) store.addPendingForget(hash);
    store.beginErasure(request.uid);
  });
}

/**
 * Tells the directory, then deletes this user's owner entries, whatever their version: in turn, no registration is under way, so no
 * entry of a token that is not held is needed. One that is held was registered after the erasure.
 */
export async function finishErasure({ store, owners, alarm, operations, publication }: Rooms): Promise<EraseOutcome> {
  try {
    if (!(await publication.settled())) throw new Error("the directory did not confirm");
    for (const hash of store.pendingForgets()) {
      if (!store.registrations.holds(hash)) await owners.erase(hash);
      store.deletePendingForget(hash);
    }
  } catch (error) {
    log.warn("erasure waits for another object", { error });
    await alarm.setAgain(Date.now());
    return { ok: false, reason: "unavailable" };
  }
  // The erasure has ended; what is there now came after it. It was acknowledged, and the pages are written over in time.
  if (store.pendingForgets().length > 0) return { ok: true };
  if (store.registrations.count() > 0 || !publication.isSettled) store.endErasure();
  else if (store.hasMarks) {
    store.transaction(() => store.wipe());
    await alarm.arm(Date.now());
  } else if (operations.isEmpty) {
    alarm.isGone();
    await store.deleteAll();
  }
  return { ok: true };
}
