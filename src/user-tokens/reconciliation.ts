// What must follow a restore to an earlier moment: registrations that were let go since then are back, and so are sessions
// that ended.
import type { Registration } from "../domain/registration.ts";
import type { Marks } from "../durable/claims.ts";
import { mapBounded } from "../durable/concurrency.ts";
import { OBJECT_CONCURRENCY } from "../limits.ts";
import { log } from "../log.ts";
import type { Grant } from "./in-flight.ts";
import type { ReconcileOutcome, ReconcileRequest } from "./outcomes.ts";
import type { Rooms } from "./rooms.ts";

const UNAVAILABLE = { ok: false, reason: "unavailable" } as const;

/**
 * Puts the marks back that were set after the restored moment, drops what their sessions hold and what the user does not own on
 * record, claims the rest anew, and ends all sessions. Safe to repeat.
 */
export async function reconcile(rooms: Rooms, request: ReconcileRequest): Promise<ReconcileOutcome> {
  const { operations, restoration, publication } = rooms;
  // Asked by this instance: whoever asked before its data were restored may have found none.
  const marks = await restoration.keptMarks();
  if (marks === null) return UNAVAILABLE;
  const outcome = await operations.inTurn(() => reconcileInTurn(rooms, request, marks));
  if (!outcome.ok) return outcome;
  restoration.isReconciled(Date.now());
  const isDone = (await publication.settled()) && (await restoration.dropMarks(marks));
  // What was reconciled is about to go, if another restore was prepared meanwhile.
  return isDone && restoration.ended === undefined ? outcome : UNAVAILABLE;
}

async function reconcileInTurn(
  { store, slots, ends, operations, owners, publication, restoration }: Rooms,
  request: ReconcileRequest,
  marks: Marks,
): Promise<ReconcileOutcome> {
  const { fences, validFrom, kept } = marks;
  // A user of whom nothing was ever kept, before a restore or after it.
  if (!store.exists && kept === null) return { ok: true, kept: 0, dropped: 0 };
  ends.add(marks);
  const ended = new Set(fences.map(({ session }) => session));
  // Between the restore and now nothing kept ended sessions out: what was registered then counts as theirs.
  const isOver = ({ session, refreshedAt }: Registration) =>
    ended.has(session) ||
    refreshedAt <= (validFrom?.at ?? 0) ||
    refreshedAt >= (kept?.since ?? Number.POSITIVE_INFINITY);
  const over = slots.empty(store.registrations.all().filter(isOver), "ended", Date.now());
  publication.forget(over);
  const rows = store.registrations.all();
  const known = [...rows.map((row) => row.session), ...operations.sessions()];
  ends.endAll(known, request.rules, request, Date.now());
  const grants = new Map<string, Grant>();
  try {
    // Together: the caller does not wait for a hundred, one after the other.
    await mapBounded(rows, OBJECT_CONCURRENCY, async ({ hash }) => {
      const grant = await owners.renew(hash);
      if (grant !== null) grants.set(hash, grant);
    });
  } catch (error) {
    log.warn("a reconciliation waits for another object", { error });
    return UNAVAILABLE;
  }
  // The data are about to be others.
  if (restoration.ended !== undefined) return UNAVAILABLE;
  // Sessions may have ended meanwhile, and tokens been taken.
  const present = rows.flatMap((row) => {
    const slot = store.registrations.slot(row.session, row.kind);
    return slot !== undefined && slot.hash === row.hash && slot.version === row.version ? [slot] : [];
  });
  const dropped = slots.reclaim(request.uid, present, grants, kept?.version ?? 0, Date.now());
  return { ok: true, kept: present.length - dropped.length, dropped: dropped.length + over.length };
}
