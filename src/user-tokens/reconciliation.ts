// What must follow a restore to an earlier moment: registrations that were let go since then are back, and so are sessions
// that ended.
import { log } from "../log.ts";
import type { EndAllSessionsRequest, ReconcileOutcome } from "./outcomes.ts";
import type { Rooms } from "./rooms.ts";

/** In turn. Drops what the user does not own on record, and ends all sessions. */
export async function reconcile(
  { store, slots, ends, operations, owners }: Rooms,
  request: EndAllSessionsRequest,
): Promise<ReconcileOutcome> {
  if (!store.exists) return { ok: true, kept: 0, dropped: 0 };
  const rows = store.registrations.all();
  const known = [...rows.map((row) => row.session), ...operations.sessions()];
  ends.refuseAll(known, request.rules, request, Date.now());
  const versions = new Map<string, number>();
  try {
    for (const { hash } of rows) {
      const version = await owners.versionOf(hash);
      if (version !== undefined) versions.set(hash, version);
    }
  } catch (error) {
    log.warn("a reconciliation waits for an owner object", { error });
    return { ok: false, reason: "unavailable" };
  }
  // Sessions may have ended meanwhile, and tokens been taken.
  const now = Date.now();
  const present = rows.flatMap((row) => {
    const slot = store.registrations.slot(row.session, row.kind);
    return slot !== undefined && slot.hash === row.hash && slot.version === row.version ? [slot] : [];
  });
  slots.reclaim(present, versions, now);
  const dropped = slots.empty(
    present.filter(({ hash }) => !versions.has(hash)),
    "removed",
    now,
  );
  owners.forget(dropped);
  return { ok: true, kept: present.length - dropped.length, dropped: dropped.length };
}
