// Who may act: fences, `tokens_valid_from`, and what becomes of fences when they are too many. Nothing here awaits.
import type { Registration, Rules, Session } from "../domain/registration.ts";
import { FENCES_MAX, UNDATED_FENCES_MAX } from "../limits.ts";
import type { Refusal, SessionsEnd } from "./outcomes.ts";
import type { Fence, UserTokensStore } from "./store.ts";

/**
 * No session has this id. A fence under it stands for all fences that were dropped for lack of room: it blocks every session
 * that holds nothing.
 */
const ANY_OTHER = "";

export class SessionEnds {
  readonly #store: UserTokensStore;
  /** Called when fences were dropped, and sessions that hold nothing are refused until then (epoch ms). */
  readonly #onShutOut: (until: number) => void;

  constructor(store: UserTokensStore, onShutOut: (until: number) => void) {
    this.#store = store;
    this.#onShutOut = onShutOut;
  }

  /** Why the session may not act; `null` if it may. */
  refusal(session: Session, now: number): Refusal | null {
    if (session.usableUntil !== null && session.usableUntil <= now) return "expired";
    if (!this.#store.exists) return null;
    if (this.#store.fence(session.id) !== undefined) return "ended";
    if (session.issuedAt !== null && session.issuedAt <= this.validFrom()) return "revoked";
    return this.#isShutOut(session.id, now) ? "unavailable" : null;
  }

  /** Whether fences were dropped and this session may have had one. A session that holds a registration never lost its fence. */
  #isShutOut(session: string, now: number): boolean {
    return this.fenceEnd(ANY_OTHER) > now && this.#store.registrations.ofSession(session).length === 0;
  }

  /** Auth tokens issued at or before this (epoch ms) are dead; 0: none are. */
  validFrom(): number {
    return this.#store.validFrom()?.at ?? 0;
  }

  /** Until when the session's fence stands, epoch ms; 0: there is none. */
  fenceEnd(session: string): number {
    return this.#store.fence(session)?.until ?? 0;
  }

  /** The fences of single sessions. */
  list(): { session: string; until: number }[] {
    return this.#store
      .fences()
      .filter(({ session }) => session !== ANY_OTHER)
      .map(({ session, until }) => ({ session, until }));
  }

  /** Ends these sessions. */
  fence(fences: readonly Fence[], ending: SessionsEnd): void {
    if (fences.length === 0) return;
    this.#store.transaction(() => {
      for (const fence of fences) this.#store.setFence(fence);
      this.#dropExcess(ending);
    });
  }

  /**
   * Every auth token issued until now is dead; where they carry no trusted time, or a session outlives them, the sessions known
   * here end.
   */
  refuseAll(known: Iterable<string>, rules: Rules, ending: SessionsEnd, now: number): void {
    const until = now + rules.fenceMs;
    this.#store.transaction(() => {
      if (ending.trustedTime) this.#store.setValidFrom({ at: Math.max(now, this.validFrom()), until });
      if (isTimeEnough(ending)) return;
      this.fence(
        [...new Set(known)].map((session) => ({ session, issuedAt: now, until })),
        ending,
      );
    });
  }

  /** Where the issuer accepts no auth token any more that it made until now: when every fence may end. */
  shorten(until: number): void {
    this.#store.transaction(() => {
      for (const fence of this.#store.fences()) if (fence.until > until) this.#store.setFence({ ...fence, until });
    });
  }

  /** Drops the fences of which `tokens_valid_from` does the work. */
  dropDated(ending: SessionsEnd): void {
    if (!isTimeEnough(ending)) return;
    for (const { session, issuedAt } of this.#store.fences()) {
      if (issuedAt <= this.validFrom()) this.#store.deleteFence(session);
    }
  }

  /**
   * Beyond FENCES_MAX, the fences of the oldest auth tokens are dropped, and `tokens_valid_from` rises over them. Where auth
   * tokens carry no trusted time, up to UNDATED_FENCES_MAX fences are kept. Beyond that, the fences that end soonest are dropped,
   * and until they would have ended, sessions that hold nothing are refused: an ended session holds nothing.
   */
  #dropExcess(ending: SessionsEnd): void {
    const byTime = isTimeEnough(ending);
    const max = byTime ? FENCES_MAX : UNDATED_FENCES_MAX;
    if (this.#store.fences().length <= max) return;
    // An expired fence needs no place: no auth token of its session can live.
    this.#store.deleteExpiredFacts(Date.now());
    const all = this.#store.fences().filter((fence) => fence.session !== ANY_OTHER);
    const dropped = this.#excess(all, all.length - max, byTime);
    if (dropped.length === 0) return;
    for (const fence of dropped) this.#store.deleteFence(fence.session);
    if (byTime) {
      const before = this.#store.validFrom() ?? { at: 0, until: 0 };
      const at = Math.max(before.at, ...dropped.map((fence) => fence.issuedAt));
      this.#store.setValidFrom({ at, until: Math.max(before.until, ...all.map((fence) => fence.until)) });
      return;
    }
    const until = Math.max(this.fenceEnd(ANY_OTHER), ...dropped.map((fence) => fence.until));
    this.#store.setFence({ session: ANY_OTHER, issuedAt: 0, until });
    this.#onShutOut(until);
  }

  #excess(fences: readonly Fence[], count: number, byTime: boolean): Fence[] {
    if (count <= 0) return [];
    // After a reconciliation a session that ended may still hold something; that must not vouch for it.
    const holding = new Set(byTime ? [] : this.#store.registrations.all().map((row: Registration) => row.session));
    return fences
      .filter((fence) => !holding.has(fence.session))
      .sort((a, b) => (byTime ? a.issuedAt - b.issuedAt : a.until - b.until))
      .slice(0, count);
  }
}

/** Whether `tokens_valid_from` keeps ended sessions out for good. */
function isTimeEnough({ trustedTime = false, sessionsOutliveTokens = false }: SessionsEnd): boolean {
  return trustedTime && !sessionsOutliveTokens;
}
