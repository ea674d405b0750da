// The object of one user. No SQL (store.ts) and no HTTP (the Worker's routes).

import { retryable } from "cloudflare:durable-objects";
import { DurableObject } from "cloudflare:workers";
import { decideFeedback } from "../domain/feedback.ts";
import {
  type Change,
  type ChangeKind,
  type Kind,
  type PushToken,
  type Registration,
  type Rules,
  type Session,
  SHORT_HASH_LENGTH,
} from "../domain/registration.ts";
import type { ClaimOutcome, TokenOwnersRpc, UserTokensRpc } from "../durable/claims.ts";
import { inJurisdiction } from "../durable/jurisdiction.ts";
import { appOfName, shortUser, tokenOwnersName, userOfName } from "../durable/names.ts";
import { withTimeout } from "../durable/timeout.ts";
import {
  ALARM_LATE_MS,
  CHANGES_KEPT_MS,
  CLAIM_TIMEOUT_MS,
  COLLECT_EVERY_MS,
  DAY_MS,
  FENCES_MAX,
  REGISTRATIONS_PER_USER_MAX,
  TAKEOVER_WINDOW_MS,
  UNDATED_FENCES_MAX,
} from "../limits.ts";
import { log } from "../log.ts";
import { countChanges } from "../metrics.ts";
import { Operation } from "./in-flight.ts";
import type {
  EndAllSessionsRequest,
  EndSessionRequest,
  EraseRequest,
  FeedbackReport,
  FeedbackResult,
  ListOutcome,
  ListRequest,
  ReconcileOutcome,
  Refusal,
  RegisterOutcome,
  RegisterRequest,
  RemoveOutcome,
  RemoveRequest,
  SessionSummary,
  SessionsEnd,
  TokensOutcome,
  UnregisterRequest,
  UserExport,
} from "./outcomes.ts";
import { type Fence, UserTokensStore } from "./store.ts";

/** No session has this id. Its fence is that of all sessions that hold nothing, in place of those that gave way. */
const ANY_OTHER = "";

/**
 * Holds the registrations of one user and decides, alone and in order, what may happen to them. It:
 * - keeps at most one push token per slot (session, kind), and a token in at most one slot;
 * - asks a token's owner object before it stores a token that this user does not hold yet, and lets go of a token when
 *   that object says so;
 * - refuses sessions that ended, for as long as their auth tokens could live;
 * - keeps the record of the last changes;
 * - forgets what is too old, at reading time; an alarm collects the garbage.
 *
 * What holds at every moment: *held here ⇒ owned by this user on record*. docs/ownership.md has the protocol.
 *
 * Only reads, `endSession` and `release` may be repeated by the runtime: a lost reply of anything else is the client's
 * to repeat.
 */
export class UserTokens extends DurableObject<Env> implements UserTokensRpc {
  readonly #store: UserTokensStore;
  /** Registrations under way: claims in flight, and those that wait for their turn. */
  readonly #operations = new Set<Operation>();
  /** The end of the last registration's turn. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The alarm that is set, epoch ms; `undefined` until it was read once. */
  #alarmAt: number | null | undefined;

  static {
    for (const method of [
      "list",
      "tokens",
      "holding",
      "validFrom",
      "sessions",
      "export",
      "check",
      "endSession",
      "release",
      "reconcile",
    ] as const) {
      retryable(UserTokens.prototype[method]);
    }
  }

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new UserTokensStore(ctx.storage);
  }

  // What a session may do

  /** Whether the session may still act; the reason if not. */
  check(session: Session): { ok: true } | { ok: false; reason: Refusal } {
    const reason = this.#refusal(session, Date.now());
    return reason === null ? { ok: true } : { ok: false, reason };
  }

  #refusal(session: Session, now: number): Refusal | null {
    if (session.usableUntil !== null && session.usableUntil <= now) return "expired";
    if (!this.#store.exists) return null;
    if (this.#store.isFenced(session.id)) return "ended";
    if (session.issuedAt !== null && session.issuedAt <= this.#store.validFrom()) return "revoked";
    return this.#isShutOut(session.id, now) ? "unavailable" : null;
  }

  // Registration

  /**
   * Puts tokens into slots of a session. Acknowledged once they are stored, or once something later displaced them.
   * All of them or, on failure, none.
   */
  async register(request: RegisterRequest): Promise<RegisterOutcome> {
    const now = Date.now();
    const reason = this.#refusal(request.session, now);
    if (reason !== null) return { ok: false, reason };
    const held = this.#unchanged(request, now);
    if (held !== null) {
      await this.#arm(now);
      return { ok: true, changed: false, held };
    }
    const operation = new Operation(request.session, request.tokens);
    this.#operations.add(operation);
    return await this.#inTurn(() => this.#registerInTurn(request, operation));
  }

  /** Fences gave way, and a session that holds nothing may have had one of them; that of one that holds something stands. */
  #isShutOut(session: string, now: number): boolean {
    return this.#store.fenceEnd(ANY_OTHER) > now && this.#store.registrationsOf(session).length === 0;
  }

  /** Runs `work` when the work before it has ended: registrations and erasures of one user take turns. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** The slots as they stand, if this request would change nothing and is not due for a refresh; else `null`. */
  #unchanged({ session, tokens, rules }: RegisterRequest, now: number) {
    const held = [];
    for (const token of tokens) {
      const { kind, hash } = token;
      const since = now - rules.refreshWindowMs;
      const registeredAt = this.#store.registeredAt(session.id, token, since, rules.policy === "exclusive");
      if (registeredAt === undefined) return null;
      held.push({ kind, hash, registeredAt });
    }
    return held;
  }

  async #registerInTurn(request: RegisterRequest, operation: Operation): Promise<RegisterOutcome> {
    let taken = 0;
    try {
      const { session, rules } = request;
      const takeovers = this.#store.takeovers(session.id, Date.now());
      for (const token of request.tokens) {
        // A removal meanwhile does not end this: acknowledged, the tokens must be with no other user either.
        if (this.#refusal(session, Date.now()) !== null) break;
        const holding = this.#store.holding(token.kind, token.token);
        if (holding !== undefined && isClaimed(holding, rules)) {
          operation.granted.set(token.hash, holding.version);
          continue;
        }
        const mayTake = (takeovers?.count ?? 0) + taken < rules.takeoversPerSession;
        const claim = await this.#claim(token, rules, mayTake);
        if (!claim.ok) return toRefusal(claim, takeovers?.until ?? Date.now() + TAKEOVER_WINDOW_MS);
        operation.granted.set(token.hash, claim.version);
        if (claim.taken) {
          taken += 1;
          operation.taken.add(token.hash);
        }
      }
      return this.#storeGranted(request, operation);
    } finally {
      this.#operations.delete(operation);
      operation.settle();
      const unused = [...new Map([...operation.owed, ...operation.granted])].filter(
        ([hash]) => !this.#store.holdsHash(hash),
      );
      this.#forget(unused.map(([hash, version]) => ({ hash, version })));
      if (taken > 0) this.#countTakeovers(request.session.id, taken);
      await this.#arm(Date.now());
    }
  }

  /** The second look, for the claims let other calls in; then the write. No await: nothing comes in between. */
  #storeGranted({ uid, session, tokens, rules }: RegisterRequest, operation: Operation): RegisterOutcome {
    const now = Date.now();
    const reason = this.#refusal(session, now);
    if (reason !== null) return { ok: false, reason };
    if (operation.cancelled) return { ok: true, changed: true, held: [] };
    const stored: Registration[] = [];
    const gone: Registration[] = [];
    this.#store.transaction(() => {
      const changes: Change[] = [];
      for (const token of tokens) {
        const version = operation.granted.get(token.hash);
        // Released above the claim's version: someone took the token meanwhile, as if it had been stored before.
        if (version === undefined || operation.isReleasedSince(token.hash, version)) continue;
        const registration = this.#put(token, { session, rules, version, now, operation, changes, gone });
        stored.push(registration);
      }
      gone.push(...this.#evict(session.id, now, changes));
      this.#store.setUser({ uid, retentionMs: rules.retentionMs });
      this.#record(changes, now);
    });
    this.#operations.delete(operation);
    this.#letGo(gone);
    return {
      ok: true,
      changed: true,
      held: stored.map(({ kind, hash, registeredAt }) => ({ kind, hash, registeredAt })),
    };
  }

  #put(
    token: PushToken,
    context: {
      session: Session;
      rules: Rules;
      version: number;
      now: number;
      operation: Operation;
      changes: Change[];
      gone: Registration[];
    },
  ): Registration {
    const { session, rules, version, now, operation, changes, gone } = context;
    const slot = this.#store.slot(session.id, token.kind);
    const before = this.#store.holding(token.kind, token.token);
    const stays = before !== undefined && before.session === session.id;
    const registration: Registration = {
      ...token,
      session: session.id,
      version,
      claimed: rules.policy === "exclusive",
      registeredAt: stays ? before.registeredAt : now,
      refreshedAt: now,
      suspectAt: null,
    };
    if (before !== undefined && !stays) {
      this.#store.delete(before);
      changes.push(change("moved", registration, now));
    } else if (before === undefined) {
      changes.push(
        change(operation.taken.has(token.hash) ? "taken_from_another_user" : "registered", registration, now),
      );
    }
    if (slot !== undefined && !stays) {
      changes.push(change("displaced", slot, now));
      gone.push(slot);
    }
    this.#store.put(registration);
    return registration;
  }

  /** Makes room: the session refreshed longest ago gives way, whole; never the one that registers. */
  #evict(current: string, now: number, changes: Change[]): Registration[] {
    let excess = this.#store.count() - REGISTRATIONS_PER_USER_MAX;
    if (excess <= 0) return [];
    const sessions = [...Map.groupBy(this.#store.registrations(), (row) => row.session)]
      .filter(([session]) => session !== current)
      .map(([, slots]) => ({ slots, refreshedAt: Math.max(...slots.map((slot) => slot.refreshedAt)) }))
      .sort((a, b) => a.refreshedAt - b.refreshedAt);
    const evicted: Registration[] = [];
    for (const { slots } of sessions) {
      if (excess <= 0) break;
      evicted.push(...slots);
      excess -= slots.length;
    }
    for (const row of evicted) {
      this.#store.delete(row);
      changes.push(change("evicted", row, now));
    }
    return evicted;
  }

  async #claim(token: PushToken, rules: Rules, mayTake: boolean): Promise<ClaimOutcome> {
    try {
      return await withTimeout(
        this.#owners(token.hash).claim({
          kind: token.kind,
          token: token.token,
          hash: token.hash,
          user: this.#me,
          policy: rules.policy,
          mayTake,
          takeoversPerToken: rules.takeoversPerToken,
          until: Date.now() + CLAIM_TIMEOUT_MS,
        }),
        CLAIM_TIMEOUT_MS,
      );
    } catch (error) {
      log.warn("claim failed", { error });
      return { ok: false, reason: "unavailable" };
    }
  }

  #countTakeovers(session: string, taken: number): void {
    const now = Date.now();
    const window = this.#store.takeovers(session, now) ?? { count: 0, until: now + TAKEOVER_WINDOW_MS };
    this.#store.transaction(() => this.#store.setTakeovers(session, window.count + taken, window.until, now));
    log.info("tokens taken from another user", { user: shortUser(this.#me), taken });
  }

  /**
   * Another user claims the token: let go of it, if it is held under a lower version. A late or doubled release, of a
   * version that was since surpassed, does no harm.
   */
  async release(kind: Kind, token: string, version: number): Promise<void> {
    for (const operation of this.#operations) operation.release(kind, token, version);
    const row = this.#store.holding(kind, token);
    if (row === undefined || row.version >= version) return;
    const now = Date.now();
    this.#store.transaction(() => {
      this.#store.delete(row);
      this.#record([change("taken_by_another_user", row, now)], now);
    });
  }

  // Removal

  /** Empties slots: the session's own, or all of the user's. The session may register again. */
  async remove({ session, all }: RemoveRequest): Promise<RemoveOutcome> {
    const now = Date.now();
    const reason = all ? this.#refusal(session, now) : null;
    if (reason !== null) return { ok: false, reason };
    const rows = all ? this.#store.registrations() : this.#store.registrationsOf(session.id);
    const cancelled = this.#cancel((operation) => all || operation.session === session.id);
    this.#delete(rows, "removed", now);
    await Promise.all(cancelled);
    return { ok: true, removed: rows.length };
  }

  /** Empties exactly the slots that a ticket names, as long as they hold the registrations that it names. */
  async unregister({ session, slots }: UnregisterRequest): Promise<{ removed: number }> {
    const rows = slots.flatMap(({ kind, hash, registeredAt }) => {
      const row = this.#store.slot(session, kind);
      return row !== undefined && row.hash === hash && row.registeredAt === registeredAt ? [row] : [];
    });
    this.#delete(rows, "removed", Date.now());
    return { removed: rows.length };
  }

  /** Ends a session: its slots are empty and, behind the fence, stay so. Safe to repeat. */
  async endSession(request: EndSessionRequest): Promise<{ removed: number; known: boolean }> {
    const { session, issuedAt, fenceUntil, onlyIfKnown = false } = request;
    const now = Date.now();
    const rows = this.#store.registrationsOf(session);
    const known = rows.length > 0 || this.#isUnderWay(session) || this.#store.fenceEnd(session) > (fenceUntil ?? 0);
    if (onlyIfKnown && !known) return { removed: 0, known };
    if (fenceUntil !== null) {
      this.#store.transaction(() => this.#fence([{ session, issuedAt: issuedAt ?? now, until: fenceUntil }], request));
    }
    const cancelled = this.#cancel((operation) => operation.session === session);
    this.#delete(rows, "ended", now);
    await Promise.all(cancelled);
    await this.#arm(now);
    return { removed: rows.length, known };
  }

  #isUnderWay(session: string): boolean {
    return [...this.#operations].some((operation) => operation.session === session);
  }

  /**
   * Ends all sessions. Where auth tokens carry a trusted time, every one issued until now is dead. Where they do not, or a
   * session outlives them, those sessions are fenced that hold a registration or are about to.
   */
  async endAllSessions(request: EndAllSessionsRequest): Promise<{ removed: number; fenced: number }> {
    const now = Date.now();
    const rows = this.#store.registrations();
    const { fenced } = this.#refuseAllSessions(rows, request);
    if (request.fencesUntil !== undefined) this.#shortenFences(request.fencesUntil);
    const cancelled = this.#cancel(() => true);
    this.#delete(rows, "ended", now);
    await Promise.all(cancelled);
    await this.#arm(now);
    return { removed: rows.length, fenced };
  }

  #shortenFences(until: number): void {
    this.#store.transaction(() => {
      for (const fence of this.#store.fences()) if (fence.until > until) this.#store.setFence({ ...fence, until });
    });
  }

  /**
   * Beyond FENCES_MAX the oldest auth tokens' fences give way, and `tokens_valid_from` rises over them instead. Where that
   * keeps nobody out, those give way that end soonest, beyond UNDATED_FENCES_MAX, and until they would have ended no session
   * may act that holds nothing: an ended one never does.
   */
  #fence(fences: Fence[], ending: SessionsEnd): void {
    for (const fence of fences) this.#store.setFence(fence);
    const byTime = isTimeEnough(ending);
    const max = byTime ? FENCES_MAX : UNDATED_FENCES_MAX;
    if (this.#store.fences().length <= max) return;
    // Those that are over take nobody's place: no auth token of theirs can live.
    this.#store.deleteExpiredFacts(Date.now());
    const all = this.#store.fences().filter((fence) => fence.session !== ANY_OTHER);
    const excess = all.length - max;
    if (excess <= 0) return;
    // Rows may outlive the end of their session only by a reconciliation; they must not vouch for it.
    const holding = new Set(byTime ? [] : this.#store.registrations().map((row) => row.session));
    const first = all
      .filter((fence) => !holding.has(fence.session))
      .sort((a, b) => (byTime ? a.issuedAt - b.issuedAt : a.until - b.until))
      .slice(0, excess);
    if (first.length === 0) return;
    for (const fence of first) this.#store.deleteFence(fence.session);
    if (byTime) {
      const before = this.#store.validFromFact() ?? { at: 0, until: 0 };
      const validFrom = Math.max(before.at, ...first.map((fence) => fence.issuedAt));
      this.#store.setValidFrom(validFrom, Math.max(before.until, ...all.map((fence) => fence.until)));
    } else {
      const until = Math.max(this.#store.fenceEnd(ANY_OTHER), ...first.map((fence) => fence.until));
      this.#store.setFence({ session: ANY_OTHER, issuedAt: 0, until });
      log.warn("a user has too many ended sessions", { user: shortUser(this.#me), until });
    }
  }

  /** Cancels the registrations under way that `covers` covers; answers when each has settled. */
  #cancel(covers: (operation: Operation) => boolean): Promise<void>[] {
    const covered = [...this.#operations].filter(covers);
    for (const operation of covered) operation.cancel();
    return covered.map((operation) => operation.settled);
  }

  #delete(rows: Registration[], why: ChangeKind, now: number, code?: string): void {
    if (rows.length === 0) return;
    this.#store.transaction(() => {
      for (const row of rows) this.#store.delete(row);
      this.#record(
        rows.map((row) => change(why, row, now, code)),
        now,
      );
    });
    this.#letGo(rows);
  }

  /** Adds to the record of changes, within the transaction of what changed. */
  #record(changes: Change[], now: number): void {
    this.#store.addChanges(changes, now);
    countChanges(this.env, appOfName(this.#name), changes);
  }

  // The owner objects

  /** Tells owner objects that deleted registrations' tokens are nobody's. Best effort: a stale entry costs one release. */
  #letGo(rows: Registration[]): void {
    this.#forget(rows.filter((row) => !this.#store.holdsHash(row.hash)));
  }

  #forget(claims: { hash: string; version: number }[]): void {
    for (const { hash, version } of claims) {
      if (this.#isInFlight(hash)) {
        for (const operation of this.#operations) if (operation.concerns(hash)) operation.owed.set(hash, version);
        continue;
      }
      const forgotten = this.#owners(hash).forget(hash, this.#me, version);
      this.ctx.waitUntil(forgotten.catch((error) => log.warn("forget failed", { error })));
    }
  }

  #isInFlight(hash: string): boolean {
    return [...this.#operations].some((operation) => operation.concerns(hash));
  }

  get #name(): string {
    if (this.ctx.id.name === undefined) throw new Error("UserTokens objects are addressed by name");
    return this.ctx.id.name;
  }

  /** What owner objects call this user. */
  get #me(): string {
    return userOfName(this.#name);
  }

  #owners(hash: string): TokenOwnersRpc {
    const owners = inJurisdiction(this.env.TOKEN_OWNERS, this.ctx.id.jurisdiction);
    return owners.getByName(tokenOwnersName(appOfName(this.#name), hash));
  }

  // Reading

  /** What may be pushed now: registrations within their retention, oldest first. */
  list({ session, retentionMs }: ListRequest): ListOutcome {
    const now = Date.now();
    const reason = session === null ? null : this.#refusal(session, now);
    if (reason !== null) return { ok: false, reason };
    return { ok: true, registrations: this.#live(now, retentionMs) };
  }

  /** As {@link list}, of each registration only what clients see. */
  tokens({ session, retentionMs }: ListRequest): TokensOutcome {
    const now = Date.now();
    const reason = session === null ? null : this.#refusal(session, now);
    if (reason !== null) return { ok: false, reason };
    return { ok: true, tokens: this.#store.tokens(now - retentionMs) };
  }

  #live(now: number, retentionMs: number): Registration[] {
    return this.#store
      .registrations()
      .filter((row) => row.refreshedAt + retentionMs > now)
      .sort((a, b) => a.registeredAt - b.registeredAt);
  }

  /** The registration that holds the token and this user's uid, for whoever asks who owns a token; `null` if none does. */
  holding(kind: Kind, token: string, retentionMs: number): { uid: string; registration: Registration } | null {
    const row = this.#store.holding(kind, token);
    const user = this.#store.user();
    if (row === undefined || user === undefined || row.refreshedAt + retentionMs <= Date.now()) return null;
    return { uid: user.uid, registration: row };
  }

  /** Auth tokens issued at or before this (epoch ms) are dead; 0: none are. */
  validFrom(): number {
    return this.#store.validFrom();
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
      validFrom: this.#store.validFrom(),
      registrations: this.#store.registrations(),
      fences: this.#store.fences().flatMap(({ session, until }) => (session === ANY_OTHER ? [] : [{ session, until }])),
      takeovers: this.#store.allTakeovers(now),
      changes: this.#store.changes(now),
    };
  }

  // Provider feedback

  /** What each report did. Compare-and-prune: only the very token that the provider reported. */
  feedback(reports: FeedbackReport[], refreshWindowMs: number): FeedbackResult[] {
    const now = Date.now();
    return reports.map((report) => {
      const row = this.#store.holding(report.kind, report.token);
      if (row === undefined) return { outcome: "unknown", why: "nobody holds this token" };
      const decision = decideFeedback(row, report, refreshWindowMs);
      if (decision.do === "keep") return { outcome: "kept", why: decision.why };
      if (decision.do === "prune") {
        this.#delete([row], "pruned", now, report.code);
        return { outcome: "pruned", why: decision.why };
      }
      if (row.suspectAt === null) this.#store.transaction(() => this.#store.put({ ...row, suspectAt: report.at }));
      return { outcome: "suspect", why: decision.why };
    });
  }

  // Erasure

  /**
   * Deletes everything about the user, owner entries included, and leaves what keeps older auth tokens from bringing
   * anything back: one timestamp, and fences where that is not enough. `unavailable`: an owner object did not answer; the
   * alarm goes on, and a repeat answers `ok` once it is done.
   */
  async erase(request: EraseRequest): Promise<{ ok: true } | { ok: false; reason: "unavailable" }> {
    const now = Date.now();
    const rows = this.#store.registrations();
    const inFlight = [...this.#operations].flatMap((operation) => operation.hashes);
    this.#store.transaction(() => {
      this.#refuseAllSessions(rows, request);
      if (isTimeEnough(request)) this.#dropFencesUntil(this.#store.validFrom());
      for (const row of rows) this.#store.delete(row);
      for (const hash of new Set([...rows.map((row) => row.hash), ...inFlight])) this.#store.addPendingForget(hash);
      this.#store.deleteRecord();
    });
    const cancelled = this.#cancel(() => true);
    await this.#setAlarm(now);
    await Promise.all(cancelled);
    return await this.#inTurn(() => this.#finishErasure());
  }

  /** `tokens_valid_from` does what these fences did. */
  #dropFencesUntil(validFrom: number): void {
    for (const { session, issuedAt } of this.#store.fences()) {
      if (issuedAt <= validFrom) this.#store.deleteFence(session);
    }
  }

  /**
   * Deletes this user's owner entries, whatever their version: in turn, no registration is under way, so no entry of a
   * token that is not held is needed. One that is held was registered after the erasure.
   */
  async #finishErasure(): Promise<{ ok: true } | { ok: false; reason: "unavailable" }> {
    try {
      for (const hash of this.#store.pendingForgets()) {
        if (!this.#store.holdsHash(hash)) await this.#eraseEntry(hash);
        this.#store.deletePendingForget(hash);
      }
    } catch (error) {
      log.warn("erasure waits for an owner object", { error });
      await this.#setAlarm(Date.now());
      return { ok: false, reason: "unavailable" };
    }
    const isEmpty = this.#store.registrations().length + this.#store.pendingForgets().length === 0;
    if (isEmpty) await this.#startOver();
    return { ok: true };
  }

  /**
   * Leaves nothing of the deleted rows in the database's pages. Not while there is a registration: it was acknowledged, and
   * the pages are written over in time. No await: what must stay is back in the same transaction.
   */
  async #startOver(): Promise<void> {
    const { fences, validFrom } = { fences: this.#store.fences(), validFrom: this.#store.validFromFact() };
    this.#alarmAt = null;
    const deleted = this.#store.deleteAll();
    if (validFrom !== undefined || fences.length > 0) {
      this.#store.transaction(() => {
        if (validFrom !== undefined) this.#store.setValidFrom(validFrom.at, validFrom.until);
        for (const fence of fences) this.#store.setFence(fence);
      });
    }
    await deleted;
    await this.#arm(Date.now());
  }

  async #eraseEntry(hash: string): Promise<void> {
    const owners = await withTimeout(this.#owners(hash).owners(hash), CLAIM_TIMEOUT_MS);
    const mine = owners.find((owner) => owner.user === this.#me);
    if (mine !== undefined) {
      await withTimeout(this.#owners(hash).erase(hash, this.#me, mine.version), CLAIM_TIMEOUT_MS);
    }
  }

  // Recovery

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
   * What must follow a restore: registrations that were let go since that moment are back, and so are sessions that ended.
   * Drops what the user does not own on record, and ends all sessions; the devices log in and register anew. Safe to
   * repeat; `unavailable`: an owner object did not answer, repeat until `ok`.
   */
  async reconcile(request: EndAllSessionsRequest): Promise<ReconcileOutcome> {
    return await this.#inTurn(() => this.#reconcileInTurn(request));
  }

  async #reconcileInTurn(request: EndAllSessionsRequest): Promise<ReconcileOutcome> {
    if (!this.#store.exists) return { ok: true, kept: 0, dropped: 0 };
    const rows = this.#store.registrations();
    this.#refuseAllSessions(rows, request);
    const versions = new Map<string, number>();
    try {
      for (const { hash } of rows) {
        const owners = await withTimeout(this.#owners(hash).owners(hash), CLAIM_TIMEOUT_MS);
        const mine = owners.find(({ user }) => user === this.#me);
        if (mine !== undefined) versions.set(hash, mine.version);
      }
    } catch (error) {
      log.warn("a reconciliation waits for an owner object", { error });
      return { ok: false, reason: "unavailable" };
    }
    // Sessions may have ended meanwhile, and tokens been taken.
    const now = Date.now();
    const present = rows.flatMap((row) => {
      const slot = this.#store.slot(row.session, row.kind);
      return slot !== undefined && slot.hash === row.hash && slot.version === row.version ? [slot] : [];
    });
    const dropped = present.filter(({ hash }) => !versions.has(hash));
    this.#store.transaction(() => {
      for (const row of present) {
        const version = versions.get(row.hash);
        if (version !== undefined && version > row.version) this.#store.put({ ...row, version });
      }
    });
    this.#delete(dropped, "removed", now);
    await this.#arm(now);
    return { ok: true, kept: present.length - dropped.length, dropped: dropped.length };
  }

  /** Every auth token issued until now is dead; where they carry no trusted time, the sessions known here end. */
  #refuseAllSessions(rows: Registration[], request: EndAllSessionsRequest): { fenced: number } {
    const { rules, trustedTime } = request;
    const now = Date.now();
    const until = now + rules.fenceMs;
    const known = new Set([...rows.map((row) => row.session), ...[...this.#operations].map((o) => o.session)]);
    const fences = isTimeEnough(request) ? [] : [...known];
    this.#store.transaction(() => {
      if (trustedTime) this.#store.setValidFrom(Math.max(now, this.#store.validFrom()), until);
      if (fences.length > 0)
        this.#fence(
          fences.map((session) => ({ session, issuedAt: now, until })),
          request,
        );
    });
    return { fenced: fences.length };
  }

  // Time

  /** Collects what is over, and sleeps until the next thing is; leaves an empty object when nothing is left. */
  override async alarm(): Promise<void> {
    this.#alarmAt = null;
    if (this.#store.pendingForgets().length > 0) {
      const erased = await this.#inTurn(() => this.#finishErasure());
      if (!erased.ok) return;
    }
    const now = Date.now();
    const user = this.#store.user();
    if (user !== undefined) {
      const expired = this.#store.registrations().filter((row) => row.refreshedAt + user.retentionMs <= now);
      this.#delete(expired, "expired", now);
    }
    this.#store.deleteExpiredFacts(now);
    const ends = this.#store.registrations().map((row) => row.refreshedAt + (user?.retentionMs ?? 0));
    // A user who is here writes soon: what is over beside the registrations waits for a later round. Each is billed.
    const next = ends.length > 0 ? Math.min(...ends, now + COLLECT_EVERY_MS) : this.#store.nextFactEnd();
    if (this.#store.pendingForgets().length > 0) await this.#setAlarm(now);
    else if (next !== undefined) await this.#setAlarm(next);
    else if (this.#operations.size === 0) {
      this.#alarmAt = null;
      await this.#store.deleteAll();
    }
  }

  /**
   * Sees to it that the alarm is set if there is anything to collect. Every write is looked at within CHANGES_KEPT_MS, and
   * the alarm finds the exact time itself; one that is late is taken for lost.
   */
  async #arm(now: number): Promise<void> {
    if (!this.#store.exists) return;
    if (this.#alarmAt === undefined) this.#alarmAt = await this.ctx.storage.getAlarm();
    if (this.#alarmAt === null) await this.#setAlarm(now + CHANGES_KEPT_MS);
    else if (this.#alarmAt <= now - ALARM_LATE_MS) await this.#setAlarm(now);
  }

  /** Rounded up to the day: setting the same alarm again writes nothing. */
  async #setAlarm(at: number): Promise<void> {
    this.#alarmAt = Math.ceil(at / DAY_MS) * DAY_MS;
    await this.ctx.storage.setAlarm(this.#alarmAt);
  }
}

/** Whether `tokens_valid_from` keeps ended sessions out for good. */
function isTimeEnough({ trustedTime = false, sessionsOutliveTokens = false }: SessionsEnd): boolean {
  return trustedTime && !sessionsOutliveTokens;
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

function change(kind: ChangeKind, row: PushToken & { session: string }, at: number, code?: string): Change {
  return {
    at,
    change: kind,
    kind: row.kind,
    platform: row.platform,
    session: row.session,
    token: row.hash.slice(0, SHORT_HASH_LENGTH),
    ...(code === undefined ? {} : { code }),
  };
}
