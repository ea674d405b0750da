// Counters in Analytics Engine, for deployments that bind a data set as METRICS: what changed and what was refused, never
// what was only read or is unchanged. One point a kind of event; a point is billed, and an idle launch costs nothing.
//
//   index1    appId
//   blob1     "change" (of registrations: see ChangeKind), "refusal" (an error reply) or "event" (to be looked into)
//   blob2     which: `registered`, `taken_from_another_user`, `pruned`, … or the error's code
//   double1   how many
import type { ChangeKind } from "./domain/registration.ts";

/** The binding is optional: it can only be deployed by accounts that have switched Analytics Engine on. */
interface MetricsEnv {
  METRICS?: Pick<AnalyticsEngineDataset, "writeDataPoint">;
}

/** Counts changes of registrations, a point for each kind. */
export function countChanges(env: object, app: string, changes: readonly { change: ChangeKind }[]): void {
  const { METRICS } = env as MetricsEnv;
  if (METRICS === undefined) return;
  for (const [change, all] of Map.groupBy(changes, (each) => each.change)) {
    METRICS.writeDataPoint({ indexes: [app], blobs: ["change", change], doubles: [all.length] });
  }
}

/** Counts something that an operator should look into. */
export function countEvent(env: object, app: string, what: "contested_token" | "takeover"): void {
  (env as MetricsEnv).METRICS?.writeDataPoint({ indexes: [app], blobs: ["event", what], doubles: [1] });
}

/** Counts an error reply. `app` is `""` where the request named no app of ours. */
export function countRefusal(env: object, app: string, code: string): void {
  (env as MetricsEnv).METRICS?.writeDataPoint({ indexes: [app], blobs: ["refusal", code], doubles: [1] });
}
