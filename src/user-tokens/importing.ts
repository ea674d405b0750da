// Registrations from another system's file. They give way to whatever devices did here, and bring nothing back that went.
import { withLabels } from "../domain/labels.ts";
import { type ChangeKind, importSession, type Registration, SHORT_HASH_LENGTH } from "../domain/registration.ts";
import { mapBounded } from "../durable/concurrency.ts";
import {
  CLAIM_TIMEOUT_MS,
  IMPORT_CLAIMS_MAX,
  OBJECT_CONCURRENCY,
  REGISTRATIONS_PER_USER_MAX,
  TOKEN_BYTES_PER_USER_MAX,
} from "../limits.ts";
import { isClaimed } from "./claiming.ts";
import { bytesOf } from "./eviction.ts";
import type { Grant, Operation } from "./in-flight.ts";
import type { ImportItem, ImportOutcome, ImportRequest } from "./outcomes.ts";
import type { Rooms } from "./rooms.ts";

/** An item that may be stored. */
interface Candidate {
  index: number;
  item: ImportItem;
  operation: Operation;
}

/** After these the user no longer has the token: a file that saw it there earlier is old. */
const GONE: readonly ChangeKind[] = [
  "displaced",
  "taken_by_another_user",
  "removed",
  "ended",
  "logged_out",
  "pruned",
  "evicted",
];

/** In turn: claims what may be stored, looks again, and stores it in one commit. */
export async function importInTurn(rooms: Rooms, request: ImportRequest): Promise<ImportOutcome[]> {
  const { store, slots, operations, publication, ends } = rooms;
  const { uid } = request;
  // Where `tokens_valid_from` took the place of fences, a session of the file may be one that ended, unless a device holds
  // something in it.
  const lives = (session: string) => store.registrations.ofSession(session).some((row) => !row.imported);
  const isKnown = ({ session }: ImportItem) => ends.validFrom() === 0 || lives(session);
  const items = request.items.map((item) =>
    isKnown(item) ? item : { ...item, session: importSession(item.token.hash) },
  );
  const startedAt = Date.now();
  const reasons = items.map((item) => whyNot(rooms, request, item, startedAt));
  const candidates = items.flatMap((item, index): Candidate[] => {
    if (reasons[index] !== null) return [];
    const session = { id: item.session, issuedAt: null, usableUntil: null };
    return [{ index, item, operation: operations.begin(session, [item.token]) }];
  });
  const outcomes = reasons.map((reason): ImportOutcome => reason ?? "imported");
  try {
    const contested = await claimCandidates(rooms, request, candidates);
    const now = Date.now();
    const place = ({ index, item, operation }: Candidate): Registration | null => {
      const grant = operation.grantNow(item.token.hash);
      const reason =
        contested.get(item.token.hash) ??
        whyNot(rooms, request, item, now) ??
        // It was removed, or a device took it, while it was claimed.
        (grant === null || operation.cancelled ? "newer_here" : null);
      outcomes[index] = reason ?? "imported";
      return reason === null && grant !== null ? toRegistration(rooms, item, grant) : null;
    };
    if (candidates.some(({ operation }) => operation.granted.size > 0)) {
      publication.forget(slots.bring(uid, candidates, place, now));
    } else {
      for (const candidate of candidates) place(candidate);
    }
  } finally {
    for (const { operation } of candidates) operations.end(operation);
    for (const { operation } of candidates) {
      operation.settle();
      const ended = new Map([...operation.owed, ...[...operation.granted].map(versionOf)]);
      publication.forget([...ended].map(([hash, version]) => ({ hash, version })));
    }
  }
  return outcomes;
}

function versionOf([hash, { version }]: [string, Grant]): [string, number] {
  return [hash, version];
}

/** Why an item is not to be stored as things are; `null`: it may be. */
function whyNot({ store, ends }: Rooms, { rules }: ImportRequest, item: ImportItem, now: number): ImportOutcome | null {
  const { session, token, refreshedAt, isDated } = item;
  const { registrations } = store;
  const row = registrations.holding(token.hash);
  if (row?.imported === false) return "held_here";
  if (row !== undefined && (!isDated || row.refreshedAt >= refreshedAt)) return "already";
  if (refreshedAt + rules.retentionMs <= now) return "expired";
  const short = token.hash.slice(0, SHORT_HASH_LENGTH);
  const isGone = store.changes(now).some((c) => c.token === short && c.at >= refreshedAt && GONE.includes(c.change));
  if (isGone) return "newer_here";
  const refusal = ends.refusal({ id: session, issuedAt: refreshedAt, usableUntil: null }, now);
  if (refusal === "unavailable") return refusal;
  if (refusal === "revoked" && store.uid() === null) return "erased";
  if (refusal !== null || ends.importEndedAt(token.hash) >= refreshedAt) return "ended";
  const slot = registrations.slot(session, token.kind);
  if (slot !== undefined && slot !== row && (!slot.imported || slot.refreshedAt > refreshedAt)) return "held_here";
  const more = [...registrations.all(), { token: token.token, labels: withLabels({}, token.labels) }];
  const isMore = row === undefined && slot === undefined;
  const isFull = more.length > REGISTRATIONS_PER_USER_MAX || bytesOf(more) > TOKEN_BYTES_PER_USER_MAX;
  return isMore && isFull ? "full" : null;
}

/**
 * Whether the token stays with this user, where another user's import saw the device at `seenAt` (epoch ms): a device registered it
 * here, or a later import brought it.
 * @throws if it is being registered: nobody knows yet
 */
export function staysHere({ store, operations }: Rooms, hash: string, version: number, seenAt: number): boolean {
  if (operations.hashes().includes(hash)) throw new Error("the token is being registered");
  const row = store.registrations.holding(hash);
  return row !== undefined && (!row.imported || row.refreshedAt >= seenAt || row.version >= version);
}

/** Asks for the tokens that the user does not hold. What is granted stands in the operations; answers the others, by hash. */
async function claimCandidates(
  { store, owners }: Rooms,
  { rules }: ImportRequest,
  candidates: readonly Candidate[],
): Promise<Map<string, ImportOutcome>> {
  const contested = new Map<string, ImportOutcome>();
  const until = Date.now() + CLAIM_TIMEOUT_MS;
  let claims = 0;
  const byHash = Map.groupBy(candidates, ({ item }) => item.token.hash);
  await mapBounded([...byHash], OBJECT_CONCURRENCY, async ([hash, ofToken]) => {
    const row = store.registrations.holding(hash);
    let grant: Grant | undefined;
    if (row !== undefined && isClaimed(row, rules)) {
      grant = { version: row.version, claimed: row.claimed };
    } else if (claims < IMPORT_CLAIMS_MAX) {
      claims += 1;
      const imported = Math.max(...ofToken.map(({ item }) => item.refreshedAt));
      const claim = await owners.claim(hash, { policy: rules.policy, mayTake: false, until, imported }, () => {});
      if (claim.ok) grant = { version: claim.version, claimed: rules.policy === "exclusive" };
      else contested.set(hash, claim.reason === "held" ? "held_here" : "unavailable");
    } else {
      contested.set(hash, "unavailable");
    }
    if (grant !== undefined) for (const { operation } of ofToken) operation.granted.set(hash, grant);
  });
  return contested;
}

function toRegistration({ store }: Rooms, item: ImportItem, grant: Grant): Registration {
  const { session, token, registeredAt, refreshedAt, suspectAt, muted } = item;
  const [other] = store.registrations.ofSession(session);
  return {
    ...token,
    labels: withLabels({}, token.labels),
    session,
    ...grant,
    registeredAt,
    refreshedAt,
    shownAt: refreshedAt,
    suspectAt,
    muted: other?.muted ?? (store.takeMuted(session, Date.now()) || muted),
    imported: true,
  };
}
