// The object of one user: what others may ask, and the user's side of the protocol. No SQL (store.ts), no HTTP.

import { retryable } from "cloudflare:durable-objects";
import { DurableObject } from "cloudflare:workers";
import type { Registration, Session } from "../domain/registration.ts";
import type { Kept, Marks, UserTokensRpc } from "../durable/claims.ts";
import { log } from "../log.ts";
import { collect } from "./collection.ts";
import { erase } from "./erasure.ts";
import { importInTurn, staysHere } from "./importing.ts";
import type { Operations } from "./in-flight.ts";
import {
  type DeliveryReport,
  type EndAllSessionsRequest,
  type EndSessionRequest,
  type EraseOutcome,
  type EraseRequest,
  type FeedbackReport,
  type FeedbackResult,
  type ImportOutcome,
  type ImportRequest,
  type ListOutcome,
  type ListRequest,
  type MuteOutcome,
  type MuteRequest,
  REPEATABLE_BY_USERS,
  type ReconcileOutcome,
  type ReconcileRequest,
  type Refusal,
  type RegisterOutcome,
  type RegisterRequest,
  type RemoveOutcome,
  type RemoveRequest,
  type RestoreOutcome,
  type RestoreRequest,
  type SessionSummary,
  type TokensOutcome,
  type Unavailable,
  type UnregisterRequest,
  type UserExport,
} from "./outcomes.ts";
import type { Publication } from "./publication.ts";
import { bySession, exported, listed, live } from "./reading.ts";
import { reconcile } from "./reconciliation.ts";
import { registerInTurn } from "./registering.ts";
import { createRooms, type Rooms } from "./rooms.ts";
import type { SessionEnds } from "./session-ends.ts";
import type { Slots } from "./slots.ts";
import type { UserTokensStore } from "./store.ts";

/**
 * Holds the registrations of one user and decides, alone and in order, what may happen to them. It:
 * - keeps at most one push token per slot (session, kind), and a token in at most one slot;
 * - asks a token's owner object before it stores a token that this user does not hold yet, and lets go of a token when
 *   that object says so;
 * - refuses sessions that ended, for as long as their auth tokens could live;
 * - keeps the record of the last changes;
 * - ignores what has expired when it is read; an alarm collects the garbage;
 * - tells the directory of every change that senders see, before it tells anybody else.
 *
 * What holds at every moment: *held here ⇒ owned by this user on record*. docs/ownership.md has the protocol, docs/directory.md
 * that of what is shown.
 */
export class UserTokens extends DurableObject<Env> implements UserTokensRpc {
  readonly #rooms: Rooms;
  readonly #store: UserTokensStore;
  readonly #slots: Slots;
  readonly #ends: SessionEnds;
  readonly #operations: Operations;
  readonly #publication: Publication;

  static {
    for (const method of REPEATABLE_BY_USERS) retryable(UserTokens.prototype[method]);
  }

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#rooms = createRooms(ctx.storage, () => ({ ctx: this.ctx, env: this.env }));
    const { store, slots, ends, operations, publication } = this.#rooms;
    this.#store = store;
    this.#slots = slots;
    this.#ends = ends;
    this.#operations = operations;
    this.#publication = publication;
  }

  /** Whether the session may still act; the reason if not. */
  check(session: Session): { ok: true } | { ok: false; reason: Refusal } {
    const reason = this.#ends.refusal(session, Date.now());
    return reason === null ? { ok: true } : { ok: false, reason };
  }

  // Registration

  /**
   * Puts tokens into slots of a session. Acknowledged once they are stored, or once something later displaced them; a token
   * that could not be claimed is named, and costs no other.
   */
  async register(request: RegisterRequest): Promise<RegisterOutcome> {
    const now = Date.now();
    const reason = this.#ends.refusal(request.session, now);
    if (reason !== null) return { ok: false, reason };
    const held = this.#slots.unchanged(request, now);
    if (held !== null) {
      return await this.#acknowledge({ ok: true, changed: false, held, contested: [] });
    }
    const operation = this.#operations.begin(request.session, request.tokens);
    const outcome = await this.#operations.inTurn(() => registerInTurn(this.#rooms, request, operation));
    return await this.#acknowledge(outcome);
  }

  /**
   * Another user claims the token: let go of it, if it is held under a lower version. A late or doubled release, of a
   * version that was since surpassed, does no harm. Answers once no lookup shows the token here, also where it went before.
   * @throws if the directory does not confirm: then the claim fails
   */
  async release(hash: string, version: number): Promise<void> {
    this.#operations.release(hash, version);
    const row = this.#store.registrations.holding(hash);
    if (row !== undefined && row.version < version) this.#slots.empty([row], "taken_by_another_user", Date.now());
    if (!(await this.#publication.settled())) throw new Error("the directory did not confirm");
  }

  /** As {@link register}, from another system's file: nothing of a device's gives way. One outcome per item. */
  async importAll(request: ImportRequest): Promise<ImportOutcome[] | Unavailable> {
    return await this.#acknowledge(await this.#operations.inTurn(() => importInTurn(this.#rooms, request)));
  }

  /** As {@link release}, for the import of another user; `false`: {@link staysHere}. */
  async releaseImported(hash: string, version: number, seenAt: number): Promise<boolean> {
    if (staysHere(this.#rooms, hash, version, seenAt)) return false;
    await this.release(hash, version);
    return true;
  }

  /** Another user came to share the token (policy `shared`): the claim is no longer the only one. */
  async share(hash: string, version: number): Promise<void> {
    this.#operations.share(hash, version);
    const row = this.#store.registrations.holding(hash);
    if (row?.claimed === true && row.version < version) this.#slots.share(row, Date.now());
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
    this.#publication.forget(this.#slots.empty(rows, "removed", now));
    await cancelled;
    return await this.#acknowledge({ ok: true, removed: rows.length });
  }

  /**
   * Empties exactly the slots that are named, as long as they hold what is named. A token that is named without a time is not
   * stored by a registration under way either.
   */
  async unregister({ session, slots }: UnregisterRequest): Promise<{ removed: number } | Unavailable> {
    const rows = slots.flatMap((slot) => {
      const { registrations } = this.#store;
      const row = session === null ? registrations.named(slot) : registrations.slot(session, slot.kind);
      if (row === undefined || (row.hash !== slot.hash && row.token !== slot.token)) return [];
      return row.registeredAt === (slot.registeredAt ?? row.registeredAt) ? [row] : [];
    });
    const named = slots.filter(({ registeredAt }) => registeredAt === undefined);
    const dropped = named.map(({ hash }) => this.#operations.drop(session, hash));
    this.#publication.forget(this.#slots.empty(rows, "removed", Date.now()));
    await Promise.all(dropped);
    return await this.#acknowledge({ removed: rows.length });
  }

  /** Ends a session: its slots are empty and, behind the fence, stay so. Safe to repeat. */
  async endSession(request: EndSessionRequest): Promise<{ removed: number; known: boolean } | Unavailable> {
    const { session, fence, onlyIfKnown = false, isLogout = false } = request;
    await this.#rooms.restoration.ended;
    const now = Date.now();
    const rows = this.#store.registrations.ofSession(session);
    const isUnderWay = this.#operations.sessions().includes(session);
    const known = rows.length > 0 || isUnderWay || this.#ends.isFencedUnlike(session, fence);
    if (onlyIfKnown && !known) return await this.#acknowledge({ removed: 0, known });
    this.#ends.end(request, now);
    const cancelled = this.#operations.cancel((operation) => operation.session === session);
    this.#publication.forget(this.#slots.empty(rows, isLogout ? "logged_out" : "ended", now));
    await cancelled;
    return await this.#acknowledge({ removed: rows.length, known });
  }

  /**
   * Ends all sessions. Where auth tokens carry a trusted time, every one issued until now is dead. Where they do not, or a
   * session outlives them, those sessions are fenced that hold a registration or are about to.
   */
  async endAllSessions(request: EndAllSessionsRequest): Promise<{ removed: number } | Unavailable> {
    await this.#rooms.restoration.ended;
    const now = Date.now();
    const rows = this.#store.registrations.all();
    const known = [...rows.map((row) => row.session), ...this.#operations.sessions()];
    this.#ends.endAll(known, request.rules, request, now);
    if (request.fencesUntil !== undefined) this.#ends.shorten(request.fencesUntil);
    const cancelled = this.#operations.cancel(() => true);
    this.#publication.forget(this.#slots.empty(rows, "ended", now));
    await cancelled;
    return await this.#acknowledge({ removed: rows.length });
  }

  /** Senders leave a session's registrations out, or take them in again. */
  async mute({ session, of, muted }: MuteRequest): Promise<MuteOutcome> {
    const now = Date.now();
    const reason = this.#ends.refusal(session, now);
    if (reason !== null) return { ok: false, reason };
    const rows = this.#store.registrations.ofSession(of);
    this.#slots.mute(rows, muted, now);
    return await this.#acknowledge({ ok: true, known: rows.length > 0 });
  }

  // Reading

  /** What may be pushed now: registrations within their retention, oldest first. */
  list({ session, retentionMs }: ListRequest): ListOutcome {
    const now = Date.now();
    const reason = session === null ? null : this.#ends.refusal(session, now);
    if (reason !== null) return { ok: false, reason };
    return { ok: true, registrations: live(this.#store, retentionMs, now) };
  }

  /** As {@link list}, of each registration only what clients see. */
  tokens({ session, retentionMs }: ListRequest): TokensOutcome {
    const now = Date.now();
    const reason = session === null ? null : this.#ends.refusal(session, now);
    if (reason !== null) return { ok: false, reason };
    return { ok: true, tokens: listed(live(this.#store, retentionMs, now)) };
  }

  /** The registration of the token of that hash and this user's uid, for whoever asks who owns a token; `null`: none. */
  holding(hash: string, retentionMs: number): { uid: string; registration: Registration } | null {
    const row = this.#store.registrations.holding(hash);
    const uid = this.#store.uid();
    if (row === undefined || uid === null || row.refreshedAt + retentionMs <= Date.now()) return null;
    return { uid, registration: row };
  }

  /** Auth tokens issued at or before this (epoch ms) are dead; 0: none are. */
  validFrom(): number {
    return this.#ends.validFrom();
  }

  /** The sessions that hold a registration, the most recently seen first. */
  sessions(retentionMs: number): SessionSummary[] {
    return bySession(live(this.#store, retentionMs, Date.now()));
  }

  /** Everything that is held about the user here. */
  export(): UserExport {
    return exported(this.#store, this.#ends, Date.now());
  }

  /** What each report of a provider did, then each of a delivery; code of before deliveries answers the former alone. */
  async feedback(
    reports: FeedbackReport[],
    refreshWindowMs: number,
    deliveries: DeliveryReport[] = [],
  ): Promise<FeedbackResult[] | Unavailable> {
    const { results, gone } = this.#slots.report(reports, refreshWindowMs, Date.now());
    this.#publication.forget(gone);
    return await this.#acknowledge([...results, ...this.#slots.correct(deliveries, Date.now())]);
  }

  // Erasure and recovery

  /**
   * Deletes everything about the user, owner entries included, and leaves what keeps older auth tokens from bringing
   * anything back: one timestamp, and fences where that is not enough.
   */
  async erase(request: EraseRequest): Promise<EraseOutcome> {
    await this.#rooms.restoration.ended;
    return await erase(this.#rooms, request);
  }

  /**
   * Sees to it that the next instance of this object starts from its data as they were at a moment of the last 30 days. {@link restart} and {@link reconcile} follow. workerd itself keeps no history and refuses.
   */
  async prepareRestore(request: RestoreRequest): Promise<RestoreOutcome> {
    return await this.#rooms.restoration.prepare(request);
  }

  /** Ends this instance. The caller's call fails, as all calls under way do. */
  restart(): void {
    this.ctx.abort("restarted to restore its data");
  }

  /** What keeps ended sessions out. */
  async marks(): Promise<Marks> {
    return this.#ends.marks();
  }

  /** Keeps the marks of another object, while that one is restored. */
  async keepMarks(marks: Marks, version: number): Promise<Kept | null> {
    const kept = this.#ends.keep(marks, version, Date.now());
    await this.#rooms.alarm.arm(Date.now());
    return kept;
  }

  /** The marks that were kept then are where they belong; not if another restore, or attempt of this one, kept more since. */
  async dropMarks(kept: Kept): Promise<void> {
    if (!this.#store.keepsFor(kept)) return;
    this.#rooms.alarm.isGone();
    await this.#store.deleteAll();
  }

  /**
   * What must follow a restore. Drops what the user does not own on record, and ends all sessions; the devices log in and
   * register anew. Safe to repeat; `unavailable`: another object did not answer, repeat until `ok`.
   */
  async reconcile(request: ReconcileRequest): Promise<ReconcileOutcome> {
    // A restore was prepared, and whoever did that is gone: it happens now, and the repeat of this call reconciles.
    if (this.#rooms.restoration.ended !== undefined) this.restart();
    return await reconcile(this.#rooms, request);
  }

  /**
   * Gives the directory what senders see of this user, whatever it has. `uid`: of a user whom the directory knows; where this object
   * holds nothing, the directory then forgets the user.
   */
  async show(uid: string | null): Promise<{ ok: true } | Unavailable> {
    return (await this.#publication.showAgain(uid)) ? { ok: true } : { ok: false, reason: "unavailable" };
  }

  // Time

  /** Collects what has expired, and publishes what is due. Never throws: the platform gives up on an alarm that does. */
  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    this.#rooms.alarm.rings(info?.scheduledTime);
    try {
      await collect(this.#rooms);
    } catch (error) {
      log.error("an alarm failed", { error });
      await this.#rooms.alarm.setAgain(Date.now());
    }
  }

  /** Nobody is told of anything that a lookup could still contradict. */
  async #acknowledge<T>(outcome: T): Promise<T | Unavailable> {
    return (await this.#publication.settled()) ? outcome : { ok: false, reason: "unavailable" };
  }
}
