// A registration in its turn: it asks for the tokens, looks again, and stores what it got.
import { claimAll } from "./claiming.ts";
import type { Operation } from "./in-flight.ts";
import type { ContestedToken, HeldSlot, RegisterOutcome, RegisterRequest } from "./outcomes.ts";
import type { Rooms } from "./rooms.ts";

export async function registerInTurn(
  rooms: Rooms,
  request: RegisterRequest,
  operation: Operation,
): Promise<RegisterOutcome> {
  const { store, slots, operations, publication } = rooms;
  const { erasures } = store;
  let held: readonly HeldSlot[] = [];
  try {
    const contested = await claimAll(rooms, request, operation);
    const outcome = storeGranted(rooms, request, operation, contested);
    if (outcome.ok) held = outcome.held;
    return outcome;
  } finally {
    operations.end(operation);
    operation.settle();
    const ended = new Map([...operation.granted].map(([hash, { version }]) => [hash, version]));
    for (const [hash, version] of operation.owed) if (!ended.has(hash)) ended.set(hash, version);
    publication.forget([...ended].map(([hash, version]) => ({ hash, version })));
    const notHeld = operation.taken.filter(({ hash }) => !held.some((slot) => slot.hash === hash));
    if (store.erasures === erasures) slots.recordTaken(request, notHeld, Date.now());
  }
}

/** The second look, because the claims let other calls in; then the write. No await: nothing comes in between. */
function storeGranted(
  { ends, slots, operations, publication }: Rooms,
  request: RegisterRequest,
  operation: Operation,
  contested: ContestedToken[],
): RegisterOutcome {
  const now = Date.now();
  const reason = ends.refusal(request.session, now);
  if (reason !== null) return { ok: false, reason };
  if (operation.cancelled) return { ok: true, changed: true, held: [], contested };
  if (operation.granted.size === 0) return { ok: true, changed: false, held: [], contested };
  const { stored, gone } = slots.fill(request, operation, now);
  operations.end(operation);
  publication.forget(gone);
  const held = stored.map(({ kind, hash, registeredAt }) => ({ kind, hash, registeredAt }));
  return { ok: true, changed: true, held, contested };
}
