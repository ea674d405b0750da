// What is read of a user's object. Whatever has expired is ignored here, whether or not it was collected yet.
import type { Registration } from "../domain/registration.ts";
import type { SessionSummary, UserExport } from "./outcomes.ts";
import type { SessionEnds } from "./session-ends.ts";
import type { UserTokensStore } from "./store.ts";

/** The registrations that may be pushed at `now`, oldest first. */
export function live({ registrations }: UserTokensStore, retentionMs: number, now: number): Registration[] {
  return registrations
    .all()
    .filter((row) => row.refreshedAt + retentionMs > now)
    .sort((a, b) => a.registeredAt - b.registeredAt);
}

/** The sessions that hold one of these registrations, the most recently seen first. */
export function bySession(registrations: readonly Registration[]): SessionSummary[] {
  return [...Map.groupBy(registrations, (row) => row.session)]
    .map(([session, rows]) => ({
      session,
      labels: latest(rows).labels,
      muted: rows.some((row) => row.muted),
      registrations: rows.map(({ kind, platform }) => ({ kind, platform })),
      firstSeenAt: Math.min(...rows.map((row) => row.registeredAt)),
      lastSeenAt: Math.max(...rows.map((row) => row.refreshedAt)),
    }))
    .sort((a, b) => b.lastSeenAt - a.lastSeenAt);
}

/** Everything that is held about the user. */
export function exported(store: UserTokensStore, ends: SessionEnds, now: number): UserExport {
  return {
    uid: store.uid(),
    validFrom: ends.validFrom(),
    registrations: store.registrations.all(),
    fences: ends.list(),
    takeovers: store.takeovers(now) ?? null,
    changes: store.changes(now),
  };
}

function latest(rows: readonly Registration[]): Registration {
  return rows.reduce((a, b) => (b.refreshedAt > a.refreshedAt ? b : a));
}
