// What the slots hold. The only room that writes registrations, so that whatever must follow a change cannot be forgotten:
// every change goes through `#commit`, in one transaction with the record of changes. Nothing here awaits.
import { decideFeedback } from "../domain/feedback.ts";
import { withLabels } from "../domain/labels.ts";
import {
  type Change,
  type ChangeKind,
  type PushToken,
  type Registration,
  SHORT_HASH_LENGTH,
} from "../domain/registration.ts";
import { appOf, type PlatformOf } from "../durable/platform.ts";
import { REGISTRATIONS_PER_USER_MAX } from "../limits.ts";
import { countChanges } from "../metrics.ts";
import type { Operation } from "./in-flight.ts";
import type { FeedbackReport, FeedbackResult, RegisterRequest } from "./outcomes.ts";
import type { UserTokensStore } from "./store.ts";

/** What a change takes out of the slots, and adds to the record. */
interface Draft {
  changes: Change[];
  gone: Registration[];
}

export class Slots {
  readonly #store: UserTokensStore;
  readonly #platform: PlatformOf;

  constructor(store: UserTokensStore, platform: PlatformOf) {
    this.#store = store;
    this.#platform = platform;
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
      for (const token of tokens) {
        const version = operation.granted.get(token.hash);
        // Released above the claim's version: someone took the token meanwhile, as if it had been stored before.
        if (version === undefined || operation.isReleasedSince(token.hash, version)) continue;
        const claimed = rules.policy === "exclusive";
        const taken = operation.taken.has(token.hash);
        stored.push(this.#put(draft, token, { session: session.id, version, claimed, taken, now }));
      }
      this.#evict(draft, session.id, now);
      this.#store.setUser({ uid, retentionMs: rules.retentionMs });
    });
    return { stored, gone };
  }

  #put(draft: Draft, token: PushToken, { session, version, claimed, taken, now }: Claimed): Registration {
    const slot = this.#store.registrations.slot(session, token.kind);
    const before = this.#store.registrations.holding(token.hash);
    const stays = before !== undefined && before.session === session;
    const registration: Registration = {
      ...token,
      labels: withLabels((before ?? slot)?.labels ?? {}, token.labels),
      session,
      version,
      claimed,
      registeredAt: stays ? before.registeredAt : now,
      refreshedAt: now,
      suspectAt: null,
    };
    if (before !== undefined && !stays) {
      this.#store.registrations.delete(before);
      draft.changes.push(change("moved", registration, now));
    } else if (before === undefined) {
      draft.changes.push(change(taken ? "taken_from_another_user" : "registered", registration, now));
    }
    if (slot !== undefined && !stays) {
      draft.changes.push(change("displaced", slot, now));
      draft.gone.push(slot);
    }
    this.#store.registrations.put(registration);
    return registration;
  }

  /** Makes room: the whole session that was refreshed longest ago goes; never the one that registers. */
  #evict(draft: Draft, current: string, now: number): void {
    let excess = this.#store.registrations.count() - REGISTRATIONS_PER_USER_MAX;
    if (excess <= 0) return;
    const sessions = [...Map.groupBy(this.#store.registrations.all(), (row) => row.session)]
      .filter(([session]) => session !== current)
      .map(([, rows]) => ({ rows, refreshedAt: Math.max(...rows.map((row) => row.refreshedAt)) }))
      .sort((a, b) => a.refreshedAt - b.refreshedAt);
    for (const { rows } of sessions) {
      if (excess <= 0) break;
      excess -= rows.length;
      this.#remove(draft, rows, "evicted", now);
    }
  }

  /** Empties slots. Answers the rows that went. */
  empty(rows: readonly Registration[], why: ChangeKind, now: number, code?: string): Registration[] {
    if (rows.length === 0) return [];
    return this.#commit(now, (draft) => this.#remove(draft, rows, why, now, code));
  }

  /** Empties all slots, and writes nothing of it into the record; `alongside` is part of the same commit. */
  erase(now: number, alongside: (rows: readonly Registration[]) => void): void {
    this.#commit(now, () => {
      const rows = this.#store.registrations.all();
      for (const row of rows) this.#store.registrations.delete(row);
      alongside(rows);
    });
  }

  #remove(draft: Draft, rows: readonly Registration[], why: ChangeKind, now: number, code?: string): void {
    for (const row of rows) {
      this.#store.registrations.delete(row);
      draft.changes.push(change(why, row, now, code));
      draft.gone.push(row);
    }
  }

  /** The rows are claimed anew, under these versions by hash. */
  reclaim(rows: readonly Registration[], versions: ReadonlyMap<string, number>, now: number): void {
    this.#commit(now, () => {
      for (const row of rows) {
        const version = versions.get(row.hash);
        if (version !== undefined && version > row.version) this.#store.registrations.put({ ...row, version });
      }
    });
  }

  /** What a provider's report does, and the row that it prunes. Only the very token that it names is touched. */
  report(report: FeedbackReport, refreshWindowMs: number, now: number): FeedbackResult & { gone: Registration[] } {
    const row = this.#store.registrations.holding(report.hash);
    if (row === undefined) return { outcome: "unknown", why: "nobody holds this token", gone: [] };
    const decision = decideFeedback(row, report, refreshWindowMs);
    const { why } = decision;
    switch (decision.do) {
      case "keep":
        return { outcome: "kept", why, gone: [] };
      case "prune":
        return { outcome: "pruned", why, gone: this.empty([row], "pruned", now, report.code) };
      case "suspect":
        if (row.suspectAt === null) {
          this.#commit(now, () => this.#store.registrations.put({ ...row, suspectAt: report.at }));
        }
        return { outcome: "suspect", why, gone: [] };
    }
  }

  /** One change of the slots, and all that must follow it. Answers the rows that went. */
  #commit(now: number, write: (draft: Draft) => void): Registration[] {
    const draft: Draft = { changes: [], gone: [] };
    this.#store.transaction(() => {
      write(draft);
      this.#store.addChanges(draft.changes, now);
    });
    const platform = this.#platform();
    countChanges(platform.env, appOf(platform), draft.changes);
    return draft.gone;
  }
}

interface Claimed {
  session: string;
  version: number;
  claimed: boolean;
  /** Another user held or owned the token. */
  taken: boolean;
  now: number;
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
