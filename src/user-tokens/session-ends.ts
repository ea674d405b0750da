// Who may act: fences, `tokens_valid_from`, and what becomes of fences when they are too many. A mark never ends earlier than it
// was set to end: whatever sets it again can only raise it (but for `shorten`). Nothing here awaits.
import { IMPORT_SESSION_PREFIX, importSession, type Rules, type Session } from "../domain/registration.ts";
import type { Fence, Kept, Marks } from "../durable/claims.ts";
import { FENCES_MAX, IMPORT_FENCES_MAX, UNDATED_FENCES_MAX } from "../limits.ts";
import type { EndSessionRequest, FenceRule, Refusal, SessionsEnd } from "./outcomes.ts";
import type { UserTokensStore } from "./store.ts";

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
    const { until } = this.#store.fence(ANY_OTHER) ?? { until: 0 };
    return until > now && this.#store.registrations.ofSession(session).length === 0;
  }

  /** Auth tokens issued at or before this (epoch ms) are dead; 0: none are. */
  validFrom(): number {
    return this.#store.validFrom()?.at ?? 0;
  }

  /** Whether the session is fenced in a way that this end would change. */
  isFencedUnlike(session: string, fence: FenceRule | null): boolean {
    const before = this.#store.fence(session);
    return before !== undefined && (fence === null || (before.open && !fence.open));
  }

  /** The fences of single sessions. */
  list(): { session: string; until: number }[] {
    return this.#store
      .fences()
      .filter(({ session }) => session !== ANY_OTHER)
      .map(({ session, until }) => ({ session, until }));
  }

  /** Ends one session. Its fence is not written again where it stands long enough. */
  end({ session, issuedAt, fence, ...ending }: EndSessionRequest, now: number): void {
    if (fence === null) return;
    const before = this.#standing(session, now);
    // Until now the auth token may have been taken for a good one, if nobody had said that it is dead.
    const isNews = before === undefined || (before.open && !fence.open);
    const endedAt = isNews ? now : before.endedAt;
    const until = Math.max(endedAt + fence.ms, fence.atLeastUntil ?? 0);
    this.#store.transaction(() => {
      this.#raise({ session, issuedAt: issuedAt ?? before?.issuedAt ?? now, endedAt, open: fence.open, until });
      this.#dropExcess(ending, fence.ms, now);
    });
  }

  /**
   * Every auth token issued until now is dead; where they carry no trusted time, or a session outlives them, the sessions known
   * here end.
   */
  endAll(known: Iterable<string>, rules: Rules, ending: SessionsEnd, now: number): void {
    const until = now + rules.fenceMs;
    const open = ending.trustedTime !== true;
    this.#store.transaction(() => {
      if (ending.trustedTime) this.#raiseValidFrom(now, until);
      if (isTimeEnough(ending)) {
        this.#store.deleteMuted();
        return;
      }
      for (const session of new Set(known)) {
        if (this.#standing(session, now) === undefined) {
          this.#raise({ session, issuedAt: now, endedAt: now, open, until });
        }
      }
      this.#dropExcess(ending, rules.fenceMs, now);
    });
  }

  /** What an import brought of that installation is gone, or a device's: until then (epoch ms) no import brings it back. */
  endImport(hash: string, until: number, now: number): void {
    if (until <= now) return;
    const isImports = ({ session, issuedAt }: Fence) => issuedAt === 0 && session.startsWith(IMPORT_SESSION_PREFIX);
    const [soonest, ...others] = this.#store
      .fences()
      .filter(isImports)
      .sort((a, b) => a.until - b.until);
    if (soonest !== undefined && others.length + 1 >= IMPORT_FENCES_MAX) this.#store.deleteFence(soonest.session);
    this.#raise({ session: importSession(hash), issuedAt: 0, endedAt: now, open: false, until });
  }

  /** When what an import brought of that installation went, epoch ms; 0: no mark says that it did. */
  importEndedAt(hash: string): number {
    return this.#store.fence(importSession(hash))?.endedAt ?? 0;
  }

  #standing(session: string, now: number): Fence | undefined {
    const fence = this.#store.fence(session);
    return fence !== undefined && fence.until > now ? fence : undefined;
  }

  #raise(fence: Fence): void {
    const before = this.#store.fence(fence.session);
    this.#store.setFence(before === undefined ? fence : higher(before, fence));
  }

  #raiseValidFrom(at: number, until: number): void {
    const before = this.#store.validFrom() ?? { at: 0, until: 0 };
    this.#store.setValidFrom({ at: Math.max(before.at, at), until: Math.max(before.until, until) });
  }

  /** What ends sessions here. */
  marks(): Marks {
    const validFrom = this.#store.validFrom() ?? null;
    return { fences: this.#store.fences(), validFrom, kept: this.#store.kept() };
  }

  /**
   * Keeps the marks of the same user's own object while that is restored, which may take several attempts. Answers what is kept from
   * now on; `null`: some were kept already.
   */
  keep(marks: Marks, version: number, now: number): Kept | null {
    const isFirst = !this.#store.exists;
    return this.#store.transaction(() => {
      this.add(marks);
      const before = this.#store.kept() ?? { since: now, attempts: 0, version: 0 };
      const kept = {
        since: Math.min(before.since, now),
        attempts: before.attempts + 1,
        version: Math.max(before.version, version),
      };
      this.#store.setKept(kept);
      return isFirst ? kept : null;
    });
  }

  /** Marks that were set elsewhere: of this user, after the moment to which the data were restored. */
  add({ fences, validFrom }: Pick<Marks, "fences" | "validFrom">): void {
    this.#store.transaction(() => {
      for (const fence of fences) this.#raise(fence);
      if (validFrom !== null) this.#raiseValidFrom(validFrom.at, validFrom.until);
    });
  }

  /** The declared flush: the issuer accepts no auth token any more that it made until now, so every fence ends then. */
  shorten(until: number): void {
    this.#store.transaction(() => {
      for (const fence of this.#store.fences()) {
        if (fence.until > until) this.#store.setFence({ ...fence, open: false, until });
      }
    });
  }

  /** Drops the fences of which `tokens_valid_from` does the work from now on. */
  dropDated(ending: SessionsEnd): void {
    if (!isTimeEnough(ending)) return;
    const dated = this.#store.fences().filter(({ issuedAt }) => issuedAt <= this.validFrom());
    if (dated.length === 0) return;
    this.#raiseValidFrom(0, Math.max(...dated.map(({ until }) => until)));
    for (const { session } of dated) this.#store.deleteFence(session);
  }

  /**
   * Drops the marks that no auth token needs any more: those whose time has ended, also by the longest session that the app
   * allows now (`sessionMs`), if that is longer than when they were set.
   */
  collect(sessionMs: number, now: number): void {
    for (const fence of this.#store.fences()) {
      const end = endOf(fence, sessionMs);
      if (end <= now) this.#store.deleteFence(fence.session);
      else if (fence.session === ANY_OTHER && end > fence.until) this.#store.setFence({ ...fence, until: end });
    }
    const validFrom = this.#store.validFrom();
    if (validFrom !== undefined && Math.max(validFrom.until, validFrom.at + sessionMs) <= now) {
      this.#store.deleteValidFrom();
    }
  }

  /** When the next mark can be dropped, epoch ms; `undefined`: there is none. */
  nextEnd(sessionMs: number): number | undefined {
    const ends = this.#store.fences().map((fence) => endOf(fence, sessionMs));
    const validFrom = this.#store.validFrom();
    if (validFrom !== undefined) ends.push(Math.max(validFrom.until, validFrom.at + sessionMs));
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  /**
   * Beyond FENCES_MAX, the fences of the oldest auth tokens are dropped, and `tokens_valid_from` rises over them. Where auth
   * tokens carry no trusted time, up to UNDATED_FENCES_MAX fences are kept. Beyond that, the fences that end soonest are dropped,
   * and until they would have ended, sessions that hold nothing are refused: an ended session holds nothing.
   */
  #dropExcess(ending: SessionsEnd, fenceMs: number, now: number): void {
    const byTime = isTimeEnough(ending);
    const max = byTime ? FENCES_MAX : UNDATED_FENCES_MAX;
    if (this.#store.fences().length <= max) return;
    // An expired fence needs no place: no auth token of its session can live.
    this.collect(ending.trustedTime === true ? fenceMs : 0, now);
    const all = this.#store.fences().filter((fence) => fence.session !== ANY_OTHER);
    const dropped = this.#excess(all, all.length - max, byTime);
    if (dropped.length === 0) return;
    for (const fence of dropped) this.#store.deleteFence(fence.session);
    const until = Math.max(...dropped.map((fence) => fence.until));
    if (byTime) {
      this.#raiseValidFrom(Math.max(...dropped.map((fence) => fence.issuedAt)), until);
      return;
    }
    const endedAt = Math.max(...dropped.map((fence) => fence.endedAt));
    this.#raise({ session: ANY_OTHER, issuedAt: 0, endedAt, open: false, until });
    this.#onShutOut(until);
  }

  #excess(fences: readonly Fence[], count: number, byTime: boolean): Fence[] {
    if (count <= 0) return [];
    // After a reconciliation a session that ended may still hold something; that must not vouch for it.
    const holding = new Set(byTime ? [] : this.#store.registrations.all().map((row) => row.session));
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

/**
 * Both marks as one. An open fence gets its end from the first mark that has one: from then on the auth token is known to be
 * dead. One that has an end is open no more.
 */
function higher(a: Fence, b: Fence): Fence {
  const { session } = a;
  const closed = [a, b].filter((fence) => !fence.open);
  const until = Math.max(...(closed.length > 0 ? closed : [a, b]).map((fence) => fence.until));
  const issuedAt = Math.max(a.issuedAt, b.issuedAt);
  return { session, issuedAt, endedAt: Math.max(a.endedAt, b.endedAt), open: closed.length === 0, until };
}

/** When no auth token of the session can live, by the rule of its time or of now, whichever is later. */
function endOf({ open, until, endedAt }: Fence, sessionMs: number): number {
  return open ? until : Math.max(until, endedAt + sessionMs);
}
