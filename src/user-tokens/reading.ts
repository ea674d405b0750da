// What is read of a user's object. Whatever has expired is ignored here, whether or not it was collected yet.
import { type Labels, withLabels } from "../domain/labels.ts";
import type { ListedToken, Registration } from "../domain/registration.ts";
import { byAge } from "../domain/sender-token.ts";
import type { SessionSummary, UserExport } from "./outcomes.ts";
import type { SessionEnds } from "./session-ends.ts";
import type { UserTokensStore } from "./store.ts";

/** The registrations that may be pushed at `now`, oldest first. */
export function live({ registrations }: UserTokensStore, retentionMs: number, now: number): Registration[] {
  return registrations
    .all()
    .filter((row) => row.refreshedAt + retentionMs > now)
    .sort(byAge);
}

/** Of each registration what clients see. */
export function listed(registrations: readonly Registration[]): ListedToken[] {
  return registrations.map(({ token, platform }) => ({ token, platform }));
}

/** The sessions that hold one of these registrations, the most recently seen first. */
export function bySession(registrations: readonly Registration[]): SessionSummary[] {
  return [...Map.groupBy(registrations, (row) => row.session)]
    .map(([session, rows]) => ({
      session,
      labels: labelsOf(rows),
      muted: rows.some((row) => row.muted),
      registrations: rows.map(({ kind, platform, suspectAt }) => ({ kind, platform, suspectAt })),
      firstSeenAt: Math.min(...rows.map((row) => row.registeredAt)),
      lastSeenAt: Math.max(...rows.map((row) => row.refreshedAt)),
    }))
    .sort((a, b) => b.lastSeenAt - a.lastSeenAt);
}

/** Everything that is held about the user. */
export function exported(store: UserTokensStore, ends: SessionEnds, now: number): UserExport {
  const window = store.takeovers(now);
  return {
    uid: store.uid(),
    validFrom: ends.validFrom(),
    registrations: store.registrations.all(),
    fences: ends.list(),
    muted: store.mutedSessions().filter(({ until }) => until > now),
    takeovers: window === undefined ? null : { count: window.count, until: window.until },
    changes: store.changes(now),
  };
}

/** Each label from the row that says it, the latest of several: a call states labels for its own tokens only. */
function labelsOf(rows: readonly Registration[]): Labels {
  return rows
    .toSorted((a, b) => a.refreshedAt - b.refreshedAt)
    .reduce<Labels>((labels, row) => withLabels(labels, row.labels), {});
}
