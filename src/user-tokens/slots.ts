// What the slots hold. The only room that writes registrations, so that whatever must follow a change cannot be forgotten:
// every change goes through `#commit`, in one commit with the record of changes, the version under which the directory will show
// it, and the near alarm that says that it does not yet. Nothing here awaits.
import { decideFeedback } from "../domain/feedback.ts";
import { withLabels } from "../domain/labels.ts";
import type { ChangeKind, PushToken, Registration } from "../domain/registration.ts";
import { looksAlike } from "../domain/sender-token.ts";
import { appOf, type PlatformOf } from "../durable/platform.ts";
import { appNow } from "../durable/settings.ts";
import { DAY_MS, MUTED_KEPT_MS, RESTORED_VERSION_AHEAD_MS, SETTING_DAYS_MAX, VERSION_AHEAD_MS } from "../limits.ts";
import { countChanges } from "../metrics.ts";
import type { Alarm } from "./alarm.ts";
import { change, type Draft } from "./change.ts";
import { tooMany } from "./eviction.ts";
import type { Grant, Granted, Operation } from "./in-flight.ts";
import { notThis } from "./not-this.ts";
import type { DeliveryReport, FeedbackReport, FeedbackResult, HeldSlot, RegisterRequest } from "./outcomes.ts";
import type { SessionEnds } from "./session-ends.ts";
import type { UserTokensStore } from "./store.ts";
import { generationNow, showEveryMs } from "./versions.ts";

export class Slots {
  readonly #store: UserTokensStore;
  readonly #rows: UserTokensStore["registrations"];
  readonly #platform: PlatformOf;
  readonly #alarm: Alarm;
  readonly #ends: SessionEnds;

  constructor(store: UserTokensStore, platform: PlatformOf, alarm: Alarm, ends: SessionEnds) {
    this.#store = store;
    this.#rows = store.registrations;
    this.#platform = platform;
    this.#alarm = alarm;
    this.#ends = ends;
  }

  /** The slots as they stand, if this request would change nothing and is not due for a refresh; else `null`. */
  unchanged({ session, tokens, rules }: RegisterRequest, now: number): HeldSlot[] | null {
    const held: HeldSlot[] = [];
    const since = now - rules.refreshWindowMs;
    for (const token of tokens) {
      const mustBeClaimed = rules.policy === "exclusive";
      const registeredAt = this.#rows.unchangedSince(session.id, token, since, mustBeClaimed);
      if (registeredAt === undefined) return null;
      held.push({ kind: token.kind, hash: token.hash, registeredAt });
    }
    return held;
  }

  /**
   * Puts the granted tokens of a registration into its session's slots, and makes room. Answers what is stored, and the rows
   * whose place was taken.
   */
  fill(
    { uid, session, tokens, rules }: RegisterRequest,
    operation: Operation,
    now: number,
  ): { stored: Registration[]; gone: Registration[] } {
    const stored: Registration[] = [];
    const gone = this.#commit(now, (draft) => {
      let muted: boolean | undefined;
      for (const token of tokens) {
        const grant = operation.grantNow(token.hash);
        // Released above the claim's version: someone took the token meanwhile, as if it had been stored before.
        if (grant === null) continue;
        muted ??= this.#isMuted(session.id, operation, now);
        const taken = operation.taken.includes(token);
        stored.push(this.#put(draft, token, { ...grant, session: session.id, muted, taken, rules, now }));
      }
      this.#evict(draft, session.id, now);
      this.#store.setUid(uid);
    });
    return { stored, gone };
  }

  #put(draft: Draft, token: PushToken, { session, version, claimed, muted, taken, rules, now }: Granted): Registration {
    const slot = this.#rows.slot(session, token.kind);
    const before = this.#rows.holding(token.hash);
    const stays = before?.session === session;
    const registration: Registration = {
      ...token,
      labels: withLabels((before ?? slot)?.labels ?? {}, token.labels),
      session,
      version,
      claimed,
      registeredAt: stays && before.token === token.token ? before.registeredAt : now,
      refreshedAt: now,
      shownAt: now,
      suspectAt: null,
      imported: false,
      muted,
    };
    // A refresh and nothing else: senders need not see each of them.
    const isUnseen = stays && looksAlike(before, registration) && now < before.shownAt + showEveryMs(rules);
    if (isUnseen) registration.shownAt = before.shownAt;
    else draft.isSeen = true;
    if (before === undefined) {
      draft.changes.push(change(taken ? "taken_from_another_user" : "registered", registration, now));
    } else {
      this.#endImport(before, now);
      if (!stays) this.#delete(before, now);
      if (!stays || before.token !== token.token) {
        draft.changes.push(change(stays ? "rotated" : "moved", registration, now));
      }
    }
    if (slot !== undefined && !stays) this.#displace(draft, slot, now);
    this.#rows.put(registration);
    return registration;
  }

  /** A session that holds nothing yet takes the mute of what an import brought, with the registration: for all its slots. */
  #isMuted(session: string, operation: Operation, now: number): boolean {
    const rows = this.#rows.ofSession(session);
    if (rows.length > 0) return rows.some((row) => row.muted);
    return (
      this.#store.takeMuted(session, now) ||
      this.#rows.all().some((row) => row.imported && row.muted && operation.grantNow(row.hash) !== null)
    );
  }

  /** A session stays muted when its last registration goes, but for its own end: its app may register the next one at once. */
  #delete(row: Registration, now: number): void {
    this.#rows.delete(row);
    if (!row.muted || this.#rows.ofSession(row.session).length > 0) return;
    this.#store.keepMuted(row.session, now + MUTED_KEPT_MS);
  }

  /** Another row is put in its place. */
  #displace(draft: Draft, slot: Registration, now: number): void {
    this.#endImport(slot, now);
    draft.changes.push(change("displaced", slot, now));
    draft.gone.push(slot);
  }

  /**
   * Makes room for registrations and their bytes: the whole session that was refreshed longest ago goes; never the one that
   * registers.
   */
  #evict(draft: Draft, current: string, now: number): void {
    this.#remove(draft, tooMany(this.#rows.all(), current), "evicted", now);
  }

  /**
   * Puts what an import brings where `place` puts it, one after the other; `null`: nowhere. Only what an import brought may be in
   * the way. Answers the rows that gave way.
   */
  bring<T>(uid: string, items: readonly T[], place: (item: T) => Registration | null, now: number): Registration[] {
    return this.#commit(now, (draft) => {
      for (const item of items) {
        const row = place(item);
        if (row === null) continue;
        draft.isSeen = true;
        const before = this.#rows.holding(row.hash);
        if (before !== undefined) this.#rows.delete(before);
        const slot = this.#rows.slot(row.session, row.kind);
        if (slot !== undefined) this.#displace(draft, slot, now);
        this.#rows.put(row);
        this.#store.setUid(uid);
      }
    });
  }

  /** Empties slots. Answers the rows that went. */
  empty(rows: readonly Registration[], why: ChangeKind, now: number, code?: string): Registration[] {
    if (rows.length === 0) return [];
    return this.#commit(now, (draft) => this.#remove(draft, rows, why, now, code));
  }

  /** Empties all slots, and writes nothing of it into the record; `alongside` is part of the same commit. */
  erase(now: number, alongside: (rows: readonly Registration[]) => void): void {
    this.#commit(now, (draft) => {
      draft.isSeen = true;
      const rows = this.#rows.all();
      for (const row of rows) this.#rows.delete(row);
      alongside(rows);
    });
  }

  #remove(draft: Draft, rows: readonly Registration[], why: ChangeKind, now: number, code?: string): void {
    for (const row of rows) {
      draft.isSeen = true;
      if (why === "ended" || why === "logged_out") this.#rows.delete(row);
      else this.#delete(row, now);
      this.#endImport(row, now);
      draft.changes.push(change(why, row, now, code));
      draft.gone.push(row);
    }
  }

  /** What an import brought is gone, or a device's: a file that is imported again does not bring it back. */
  #endImport({ imported, hash, refreshedAt }: Registration, now: number): void {
    if (!imported) return;
    const retentionMs = appNow(this.#platform())?.rules.retentionMs ?? SETTING_DAYS_MAX * DAY_MS;
    this.#ends.endImport(hash, refreshedAt + retentionMs, now);
  }

  /**
   * After a restore the rows are claimed anew, by hash; the others go. Answers those. What the directory was told before the restore
   * is no longer known here, so the version goes above all of that: above `before`, the highest one when it was prepared, by what
   * may have come since.
   */
  reclaim(
    uid: string,
    rows: readonly Registration[],
    grants: ReadonlyMap<string, Grant>,
    before: number,
    now: number,
  ): Registration[] {
    return this.#commit(now, (draft) => {
      draft.isSeen = true;
      draft.versionMin = Math.max(now, this.#store.version + 1, before + 1) + RESTORED_VERSION_AHEAD_MS;
      for (const row of rows) {
        const grant = grants.get(row.hash);
        if (grant === undefined) this.#remove(draft, [row], "removed", now);
        else this.#rows.put({ ...row, ...grant, claimed: grant.claimed && row.claimed });
      }
      this.#store.setUid(uid);
    });
  }

  /** Another user holds the token too: the claim is no longer the only one. */
  share(row: Registration, now: number): void {
    this.#commit(now, () => this.#rows.put({ ...row, claimed: false }));
  }

  /** The session's user wants no pushes there, or wants them again. */
  mute(rows: readonly Registration[], muted: boolean, now: number): void {
    const others = rows.filter((row) => row.muted !== muted).map((row) => ({ ...row, muted }));
    this.#show(others, now, muted ? "muted" : "unmuted");
  }

  /** Tokens that were taken from others and are not held in the end: the record says so all the same. */
  recordTaken({ uid, session }: RegisterRequest, tokens: readonly PushToken[], now: number): void {
    if (tokens.length === 0) return;
    this.#commit(now, (draft) => {
      for (const token of tokens) {
        draft.changes.push(change("taken_from_another_user", { ...token, session: session.id }, now));
      }
      this.#store.setUid(uid);
    });
  }

  /**
   * What providers' reports do, and the rows that they prune. Only the very token that a report names is touched, and the reports
   * of one call on one token count as one.
   */
  report(
    reports: readonly FeedbackReport[],
    refreshWindowMs: number,
    now: number,
  ): { results: FeedbackResult[]; gone: Registration[] } {
    const newlySuspect = new Set<string>();
    const gone: Registration[] = [];
    const results = reports.map((each): FeedbackResult => {
      const report = { ...each, at: Math.min(each.at, now) };
      const row = this.#rows.named(report);
      if (row === undefined || row.token !== report.token) return notThis(row);
      const asBefore = newlySuspect.has(row.hash) ? { ...row, suspectAt: null } : row;
      const decision = decideFeedback(asBefore, report, refreshWindowMs);
      if (decision.do === "prune") gone.push(...this.empty([row], "pruned", now, report.code));
      if (decision.do === "suspect" && row.suspectAt === null) {
        newlySuspect.add(row.hash);
        this.#show([{ ...row, suspectAt: report.at }], now);
      }
      return { outcome: OUTCOMES[decision.do], why: decision.why };
    });
    return { results, gone };
  }

  /**
   * Where the host that took a push is not the one that the registration names, it names that one from now on. That the token
   * lives is no news to a suspect: APNs takes pushes for apps that are gone, too.
   */
  correct(reports: readonly DeliveryReport[], now: number): FeedbackResult[] {
    return reports.map(({ environment, at, ...named }): FeedbackResult => {
      const row = this.#rows.named(named);
      if (row === undefined || row.token !== named.token) return notThis(row);
      if (row.labels.device?.environment === environment) return { outcome: "kept", why: "that environment is known" };
      if (at < row.refreshedAt) return { outcome: "kept", why: "registered again after the push" };
      const labels = withLabels(row.labels, { device: { environment } });
      this.#show([{ ...row, labels }], now);
      return { outcome: "corrected", why: `device.environment is ${environment} from now on` };
    });
  }

  /**
   * What was refreshed since it was last shown is shown as it is: a device that is never used again expires in the directory when it
   * does here.
   */
  showRefreshes(now: number): void {
    const rows = this.#rows.all().filter((row) => row.shownAt < row.refreshedAt);
    this.#show(rows, now);
  }

  /** Puts the rows, and shows each as it is now. */
  #show(rows: readonly Registration[], now: number, why?: ChangeKind): void {
    if (rows.length === 0) return;
    this.#commit(now, (draft) => {
      draft.isSeen = true;
      for (const row of rows) {
        this.#rows.put({ ...row, shownAt: row.refreshedAt });
        if (why !== undefined) draft.changes.push(change(why, row, now));
      }
    });
  }

  /** What is shown is to be shown again, under a new version. `uid` is needed of a user who was never shown. */
  showAgain(now: number, uid: string | null = null): void {
    this.#commit(now, (draft) => {
      draft.isSeen = true;
      if (uid !== null) this.#store.setUid(uid);
    });
  }

  /** As {@link showAgain}, above a version that the directory has. */
  showAbove(version: number, now: number): void {
    this.#commit(now, (draft) => {
      draft.isSeen = true;
      draft.versionMin = Math.max(now + VERSION_AHEAD_MS, version + 1);
    });
  }

  /** One change of the slots, and all that must follow it. Answers the rows that went. */
  #commit(now: number, write: (draft: Draft) => void): Registration[] {
    const draft: Draft = { changes: [], gone: [], isSeen: false, versionMin: 0 };
    const platform = this.#platform();
    this.#store.transaction(() => {
      write(draft);
      const shown = draft.isSeen
        ? { version: this.#nextVersion(draft, now), generation: generationNow(platform) }
        : null;
      this.#store.addChanges(draft.changes, shown, now);
    });
    if (draft.isSeen) this.#alarm.setNear(now);
    countChanges(platform.env, appOf(platform), draft.changes);
    return draft.gone;
  }

  /** A first one is ahead of the clock, for the directory refuses newcomers below what it last had of someone who went. */
  #nextVersion({ versionMin }: Draft, now: number): number {
    const { version, highestVersion } = this.#store;
    const least = version === 0 ? now + VERSION_AHEAD_MS : now;
    return Math.max(least, highestVersion + 1, versionMin);
  }
}

const OUTCOMES = { keep: "kept", suspect: "suspect", prune: "pruned" } as const;
