// Counters in Analytics Engine, for deployments that bind a data set as METRICS: what changed and what was refused, never
// what was only read or is unchanged. One point per kind of event; a point is billed, and an idle launch costs nothing.
//
//   index1    appId
//   blob1     "change" (of registrations: see ChangeKind), "refusal" (an error reply), "event" (to be looked into), "no_token" (a client sent a word such
//             as `null` in place of a token) or "unknown_code" (a sender reported a word that no provider is known to use)
//   blob2     which: `registered`, `taken_from_another_user`, `pruned`, … or the error's code, the field, the kind of token
//   double1   how many
import type { ChangeKind } from "./domain/registration.ts";

/** The binding is optional: it can only be deployed by accounts that have switched Analytics Engine on. */
interface MetricsEnv {
  METRICS?: Pick<AnalyticsEngineDataset, "writeDataPoint">;
}

/** Counts changes of registrations, one point per kind. */
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

/** Counts a word such as `null` that came in place of a token. */
export function countWord(env: object, app: string, field: string): void {
  (env as MetricsEnv).METRICS?.writeDataPoint({ indexes: [app], blobs: ["no_token", field], doubles: [1] });
}

/** Counts a code of a sender that no provider is known to use: reports with it remove nothing. */
export function countUnknownCode(env: object, app: string, kind: string): void {
  (env as MetricsEnv).METRICS?.writeDataPoint({ indexes: [app], blobs: ["unknown_code", kind], doubles: [1] });
}
