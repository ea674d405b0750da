// The object of one user: what others may ask, and the user's side of the protocol. No SQL (store.ts), no HTTP.

import { retryable } from "cloudflare:durable-objects";
import { DurableObject } from "cloudflare:workers";
import type { Registration, Rules, Session } from "../domain/registration.ts";
import type { ClaimOutcome, UserTokensRpc } from "../durable/claims.ts";
import { shortUser } from "../durable/names.ts";
import { userOf } from "../durable/platform.ts";
import { COLLECT_EVERY_MS } from "../limits.ts";
import { log } from "../log.ts";
import { Alarm } from "./alarm.ts";
import { erase, finishErasure } from "./erasure.ts";
import { type Operation, Operations } from "./in-flight.ts";
import {
  type EndAllSessionsRequest,
  type EndSessionRequest,
  type EraseOutcome,
  type EraseRequest,
  type FeedbackReport,
  type FeedbackResult,
  type HeldSlot,
  type ListOutcome,
  type ListRequest,
  REPEATABLE_BY_USERS,
  type ReconcileOutcome,
  type Refusal,
  type RegisterOutcome,
  type RegisterRequest,
  type RemoveOutcome,
  type RemoveRequest,
  type SessionSummary,
  type TokensOutcome,
  type UnregisterRequest,
  type UserExport,
} from "./outcomes.ts";
import { OwnerObjects } from "./owner-objects.ts";
import { reconcile } from "./reconciliation.ts";
import type { Rooms } from "./rooms.ts";
import { SessionEnds } from "./session-ends.ts";
import { Slots } from "./slots.ts";
import { UserTokensStore } from "./store.ts";
import { Takeovers } from "./takeovers.ts";

/**
 * Holds the registrations of one user and decides, alone and in order, what may happen to them. It:
 * - keeps at most one push token per slot (session, kind), and a token in at most one slot;
 * - asks a token's owner object before it stores a token that this user does not hold yet, and lets go of a token when
 *   that object says so;
 * - refuses sessions that ended, for as long as their auth tokens could live;
 * - keeps the record of the last changes;
 * - ignores what has expired when it is read; an alarm collects the garbage.
 *
 * What holds at every moment: *held here ⇒ owned by this user on record*. docs/ownership.md has the protocol.
 */
export class UserTokens extends DurableObject<Env> implements UserTokensRpc {
  /** What log lines say of the user. */
  readonly #user: () => string;
  readonly #store: UserTokensStore;
  readonly #slots: Slots;
  readonly #ends: SessionEnds;
  readonly #operations = new Operations();
  readonly #owners: OwnerObjects;
  readonly #takeovers: Takeovers;
  readonly #alarm: Alarm;
  readonly #rooms: Rooms;

  static {
    for (const method of REPEATABLE_BY_USERS) retryable(UserTokens.prototype[method]);
  }

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const platform = () => ({ ctx: this.ctx, env: this.env });
    this.#user = () => shortUser(userOf(platform()));
    this.#store = new UserTokensStore(ctx.storage);
    this.#slots = new Slots(this.#store, platform);
    this.#ends = new SessionEnds(this.#store, (until) =>
      log.warn("a user has too many ended sessions", { user: this.#user(), until }),
    );
    this.#owners = new OwnerObjects(platform, this.#store.registrations, this.#operations);
    this.#takeovers = new Takeovers(this.#store);
    this.#alarm = new Alarm(platform);
    this.#rooms = {
      store: this.#store,
      slots: this.#slots,
      ends: this.#ends,
      operations: this.#operations,
      owners: this.#owners,
      alarm: this.#alarm,
    };
  }

  /** Whether the session may still act; the reason if not. */
  check(session: Session): { ok: true } | { ok: false; reason: Refusal } {
    const reason = this.#ends.refusal(session, Date.now());
    return reason === null ? { ok: true } : { ok: false, reason };
  }

  // Registration

  /**
   * Puts tokens into slots of a session. Acknowledged once they are stored, or once something later displaced them.
   * All of them or, on failure, none.
   */
  async register(request: RegisterRequest): Promise<RegisterOutcome> {
    const now = Date.now();
    const reason = this.#ends.refusal(request.session, now);
    if (reason !== null) return { ok: false, reason };
    const held = this.#unchanged(request, now);
    if (held !== null) {
      await this.#arm(now);
      return { ok: true, changed: false, held };
    }
    const operation = this.#operations.begin(request.session, request.tokens);
    return await this.#operations.inTurn(() => this.#registerInTurn(request, operation));
  }

  /** The slots as they stand, if this request would change nothing and is not due for a refresh; else `null`. */
  #unchanged({ session, tokens, rules }: RegisterRequest, now: number): HeldSlot[] | null {
    const held: HeldSlot[] = [];
    const since = now - rules.refreshWindowMs;
    for (const token of tokens) {
      const mustBeClaimed = rules.policy === "exclusive";
      const registeredAt = this.#store.registrations.unchangedSince(session.id, token, since, mustBeClaimed);
      if (registeredAt === undefined) return null;
      held.push({ kind: token.kind, hash: token.hash, registeredAt });
    }
    return held;
  }

  async #registerInTurn(request: RegisterRequest, operation: Operation): Promise<RegisterOutcome> {
    const { session } = request;
    try {
      const refused = await this.#claimAll(request, operation);
      return refused ?? this.#storeGranted(request, operation);
    } finally {
      this.#operations.end(operation);
      operation.settle();
      const ended = [...new Map([...operation.owed, ...operation.granted])];
      this.#owners.forget(ended.map(([hash, version]) => ({ hash, version })));
      if (operation.taken.size > 0) this.#recordTakeovers(session.id, operation.taken.size);
      await this.#arm(Date.now());
    }
  }

  /** Asks for each token that the user does not hold. `null`: all are granted, or there is no use in asking on. */
  async #claimAll({ session, tokens, rules }: RegisterRequest, operation: Operation): Promise<RegisterOutcome | null> {
    const window = this.#takeovers.window(session.id, Date.now());
    for (const token of tokens) {
      // A removal meanwhile does not end this: acknowledged, the tokens must be with no other user either.
      if (this.#ends.refusal(session, Date.now()) !== null) return null;
      const holding = this.#store.registrations.holding(token.hash);
      if (holding !== undefined && isClaimed(holding, rules)) {
        operation.granted.set(token.hash, holding.version);
        continue;
      }
      const mayTake = window.count + operation.taken.size < rules.takeoversPerSession;
      const claim = await this.#owners.claim(token, rules, mayTake);
      if (!claim.ok) return toRefusal(claim, window.until);
      operation.granted.set(token.hash, claim.version);
      if (claim.taken) operation.taken.add(token.hash);
    }
    return null;
  }

  /** The second look, because the claims let other calls in; then the write. No await: nothing comes in between. */
  #storeGranted(request: RegisterRequest, operation: Operation): RegisterOutcome {
    const now = Date.now();
    const reason = this.#ends.refusal(request.session, now);
    if (reason !== null) return { ok: false, reason };
    if (operation.cancelled) return { ok: true, changed: true, held: [] };
    const { stored, gone } = this.#slots.fill(request, operation, now);
    this.#operations.end(operation);
    this.#owners.forget(gone);
    return {
      ok: true,
      changed: true,
      held: stored.map(({ kind, hash, registeredAt }) => ({ kind, hash, registeredAt })),
    };
  }

  #recordTakeovers(session: string, taken: number): void {
    this.#takeovers.add(session, taken, Date.now());
    log.info("tokens taken from another user", { user: this.#user(), taken });
  }

  /**
   * Another user claims the token: let go of it, if it is held under a lower version. A late or doubled release, of a
   * version that was since surpassed, does no harm.
   */
  async release(hash: string, version: number): Promise<void> {
    this.#operations.release(hash, version);
    const row = this.#store.registrations.holding(hash);
    if (row === undefined || row.version >= version) return;
    this.#slots.empty([row], "taken_by_another_user", Date.now());
  }

  // Removal

  /** Empties slots: the session's own, or all of the user's. The session may register again. */
  async remove({ session, all }: RemoveRequest): Promise<RemoveOutcome> {
    const now = Date.now();
    const reason = all ? this.#ends.refusal(session, now) : null;
    if (reason !== null) return { ok: false, reason };
    const { registrations } = this.#store;
    const rows = all ? registrations.all() : registrations.ofSession(session.id);
    const cancelled = this.#operations.cancel((operation) => all || operation.session === session.id);
    this.#owners.forget(this.#slots.empty(rows, "removed", now));
    await cancelled;
    return { ok: true, removed: rows.length };
  }

  /** Empties exactly the slots that a ticket names, as long as they hold the registrations that it names. */
  async unregister({ session, slots }: UnregisterRequest): Promise<{ removed: number }> {
    const rows = slots.flatMap(({ kind, hash, registeredAt }) => {
      const row = this.#store.registrations.slot(session, kind);
      return row !== undefined && row.hash === hash && row.registeredAt === registeredAt ? [row] : [];
    });
    this.#owners.forget(this.#slots.empty(rows, "removed", Date.now()));
    return { removed: rows.length };
  }

  /** Ends a session: its slots are empty and, behind the fence, stay so. Safe to repeat. */
  async endSession(request: EndSessionRequest): Promise<{ removed: number; known: boolean }> {
    const { session, issuedAt, fenceUntil, onlyIfKnown = false } = request;
    const now = Date.now();
    const rows = this.#store.registrations.ofSession(session);
    const isUnderWay = this.#operations.sessions().includes(session);
    const known = rows.length > 0 || isUnderWay || this.#ends.fenceEnd(session) > (fenceUntil ?? 0);
    if (onlyIfKnown && !known) return { removed: 0, known };
    if (fenceUntil !== null) this.#ends.fence([{ session, issuedAt: issuedAt ?? now, until: fenceUntil }], request);
    const cancelled = this.#operations.cancel((operation) => operation.session === session);
    this.#owners.forget(this.#slots.empty(rows, "ended", now));
    await cancelled;
    await this.#arm(now);
    return { removed: rows.length, known };
  }

  /**
   * Ends all sessions. Where auth tokens carry a trusted time, every one issued until now is dead. Where they do not, or a
   * session outlives them, those sessions are fenced that hold a registration or are about to.
   */
  async endAllSessions(request: EndAllSessionsRequest): Promise<{ removed: number }> {
    const now = Date.now();
    const rows = this.#store.registrations.all();
    const known = [...rows.map((row) => row.session), ...this.#operations.sessions()];
    this.#ends.refuseAll(known, request.rules, request, now);
    if (request.fencesUntil !== undefined) this.#ends.shorten(request.fencesUntil);
    const cancelled = this.#operations.cancel(() => true);
    this.#owners.forget(this.#slots.empty(rows, "ended", now));
    await cancelled;
    await this.#arm(now);
    return { removed: rows.length };
  }

  // Reading

  /** What may be pushed now: registrations within their retention, oldest first. */
  list({ session, retentionMs }: ListRequest): ListOutcome {
    const now = Date.now();
    const reason = session === null ? null : this.#ends.refusal(session, now);
    if (reason !== null) return { ok: false, reason };
    return { ok: true, registrations: this.#live(now, retentionMs) };
  }

  /** As {@link list}, of each registration only what clients see. */
  tokens({ session, retentionMs }: ListRequest): TokensOutcome {
    const now = Date.now();
    const reason = session === null ? null : this.#ends.refusal(session, now);
    if (reason !== null) return { ok: false, reason };
    return { ok: true, tokens: this.#store.registrations.tokens(now - retentionMs) };
  }

  #live(now: number, retentionMs: number): Registration[] {
    return this.#store.registrations
      .all()
      .filter((row) => row.refreshedAt + retentionMs > now)
      .sort((a, b) => a.registeredAt - b.registeredAt);
  }

  /** The registration of the token of that hash and this user's uid, for whoever asks who owns a token; `null`: none. */
  holding(hash: string, retentionMs: number): { uid: string; registration: Registration } | null {
    const row = this.#store.registrations.holding(hash);
    const user = this.#store.user();
    if (row === undefined || user === undefined || row.refreshedAt + retentionMs <= Date.now()) return null;
    return { uid: user.uid, registration: row };
  }

  /** Auth tokens issued at or before this (epoch ms) are dead; 0: none are. */
  validFrom(): number {
    return this.#ends.validFrom();
  }

  /** The sessions that hold a registration, the most recently seen first. */
  sessions(retentionMs: number): SessionSummary[] {
    const bySession = Map.groupBy(this.#live(Date.now(), retentionMs), (row) => row.session);
    return [...bySession]
      .map(([session, rows]) => ({
        session,
        registrations: rows.map(({ kind, platform }) => ({ kind, platform })),
        firstSeenAt: Math.min(...rows.map((row) => row.registeredAt)),
        lastSeenAt: Math.max(...rows.map((row) => row.refreshedAt)),
      }))
      .sort((a, b) => b.lastSeenAt - a.lastSeenAt);
  }

  /** Everything that is held about the user here. */
  export(): UserExport {
    const now = Date.now();
    return {
      uid: this.#store.user()?.uid ?? null,
      validFrom: this.#ends.validFrom(),
      registrations: this.#store.registrations.all(),
      fences: this.#ends.list(),
      takeovers: this.#store.allTakeovers(now),
      changes: this.#store.changes(now),
    };
  }

  /** What each report of a provider did. */
  feedback(reports: FeedbackReport[], refreshWindowMs: number): FeedbackResult[] {
    const now = Date.now();
    return reports.map((report) => {
      const { gone, ...result } = this.#slots.report(report, refreshWindowMs, now);
      this.#owners.forget(gone);
      return result;
    });
  }

  // Erasure and recovery

  /**
   * Deletes everything about the user, owner entries included, and leaves what keeps older auth tokens from bringing
   * anything back: one timestamp, and fences where that is not enough.
   */
  async erase(request: EraseRequest): Promise<EraseOutcome> {
    return await erase(this.#rooms, request);
  }

  /**
   * Sees to it that the next instance of this object starts from its data as they were at `at` (epoch ms, in the last 30
   * days). {@link restart} and {@link reconcile} follow. workerd itself keeps no history and refuses.
   */
  async prepareRestore(at: number): Promise<void> {
    const bookmark = await this.ctx.storage.getBookmarkForTime(at);
    await this.ctx.storage.onNextSessionRestoreBookmark(bookmark);
  }

  /** Ends this instance. The caller's call fails, as all calls under way do. */
  restart(): void {
    this.ctx.abort("restarted to restore its data");
  }

  /**
   * What must follow a restore. Drops what the user does not own on record, and ends all sessions; the devices log in and
   * register anew. Safe to repeat; `unavailable`: an owner object did not answer, repeat until `ok`.
   */
  async reconcile(request: EndAllSessionsRequest): Promise<ReconcileOutcome> {
    const outcome = await this.#operations.inTurn(() => reconcile(this.#rooms, request));
    await this.#arm(Date.now());
    return outcome;
  }

  // Time

  /** Collects what has expired, and sleeps until the next thing does; leaves an empty object when nothing is left. */
  override async alarm(): Promise<void> {
    this.#alarm.isGone();
    if (this.#store.pendingForgets().length > 0) {
      const erased = await this.#operations.inTurn(() => finishErasure(this.#rooms));
      if (!erased.ok) return;
    }
    const now = Date.now();
    const { registrations } = this.#store;
    const user = this.#store.user();
    if (user !== undefined) {
      const expired = registrations.all().filter((row) => row.refreshedAt + user.retentionMs <= now);
      this.#owners.forget(this.#slots.empty(expired, "expired", now));
    }
    this.#store.deleteExpiredFacts(now);
    const ends = registrations.all().map((row) => row.refreshedAt + (user?.retentionMs ?? 0));
    // An active user writes again soon, so expired facts can wait for a later alarm: every alarm is billed.
    const next = ends.length > 0 ? Math.min(...ends, now + COLLECT_EVERY_MS) : this.#store.nextFactEnd();
    if (this.#store.pendingForgets().length > 0) await this.#alarm.set(now);
    else if (next !== undefined) await this.#alarm.set(next);
    else if (this.#operations.isEmpty) {
      this.#alarm.isGone();
      await this.#store.deleteAll();
    }
  }

  async #arm(now: number): Promise<void> {
    if (this.#store.exists) await this.#alarm.arm(now);
  }
}

/** Rows stored under `shared` have no claim: under `exclusive` they count as not held until the next registration. */
function isClaimed(row: Registration, rules: Rules): boolean {
  return row.claimed || rules.policy === "shared";
}

function toRefusal(claim: ClaimOutcome & { ok: false }, sessionWindowEnd: number): RegisterOutcome {
  switch (claim.reason) {
    case "unavailable":
      return { ok: false, reason: "unavailable" };
    case "session_limit":
      return { ok: false, reason: "too_many_takeovers", retryAfterMs: sessionWindowEnd - Date.now() };
    case "token_limit":
      return { ok: false, reason: "too_many_takeovers", retryAfterMs: claim.retryAfterMs };
  }
}
