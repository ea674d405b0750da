// The erasure of a user: everything goes, owner entries included, and what keeps older auth tokens from bringing anything back
// stays: one timestamp, and fences where that is not enough.
import { log } from "../log.ts";
import type { EraseOutcome, EraseRequest } from "./outcomes.ts";
import type { Rooms } from "./rooms.ts";

/** `unavailable`: an owner object did not answer; the alarm goes on, and a repeat answers `ok` once it is done. */
export async function erase(rooms: Rooms, request: EraseRequest): Promise<EraseOutcome> {
  const { operations, alarm } = rooms;
  const now = Date.now();
  begin(rooms, request, now);
  const cancelled = operations.cancel(() => true);
  await alarm.set(now);
  await cancelled;
  return await operations.inTurn(() => finishErasure(rooms));
}

function begin({ store, slots, ends, operations }: Rooms, request: EraseRequest, now: number): void {
  const inFlight = operations.hashes();
  slots.erase(now, (rows) => {
    ends.refuseAll([...rows.map((row) => row.session), ...operations.sessions()], request.rules, request, now);
    ends.dropDated(request);
    for (const hash of new Set([...rows.map((row) => row.hash), ...inFlight])) store.addPendingForget(hash);
    store.deleteRecord();
  });
}

/**
 * Deletes this user's owner entries, whatever their version: in turn, no registration is under way, so no entry of a token
 * that is not held is needed. One that is held was registered after the erasure.
 */
export async function finishErasure(rooms: Rooms): Promise<EraseOutcome> {
  const { store, owners, alarm } = rooms;
  try {
    for (const hash of store.pendingForgets()) {
      if (!store.registrations.holds(hash)) await owners.erase(hash);
      store.deletePendingForget(hash);
    }
  } catch (error) {
    log.warn("erasure waits for an owner object", { error });
    await alarm.set(Date.now());
    return { ok: false, reason: "unavailable" };
  }
  if (store.registrations.count() === 0 && store.pendingForgets().length === 0) await startOver(rooms);
  return { ok: true };
}

/**
 * Leaves nothing of the deleted rows in the database's pages. Not while there is a registration: it was acknowledged, and
 * the pages are written over in time. No await: what must stay is back in the same transaction.
 */
async function startOver({ store, alarm }: Rooms): Promise<void> {
  const { fences, validFrom } = { fences: store.fences(), validFrom: store.validFrom() };
  alarm.isGone();
  const deleted = store.deleteAll();
  if (validFrom !== undefined || fences.length > 0) {
    store.transaction(() => {
      if (validFrom !== undefined) store.setValidFrom(validFrom);
      for (const fence of fences) store.setFence(fence);
    });
  }
  await deleted;
  if (store.exists) await alarm.arm(Date.now());
}
