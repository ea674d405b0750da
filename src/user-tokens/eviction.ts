// Who gives way where a user holds too much. Pure: no I/O.
import type { Registration } from "../domain/registration.ts";
import { REGISTRATIONS_PER_USER_MAX, TOKEN_BYTES_PER_USER_MAX } from "../limits.ts";

/** What must go of these, whole sessions, those that were refreshed longest ago first; nothing of the session `current`. */
export function tooMany(all: readonly Registration[], current: string): Registration[] {
  let excess = all.length - REGISTRATIONS_PER_USER_MAX;
  let excessBytes = bytesOf(all) - TOKEN_BYTES_PER_USER_MAX;
  if (excess <= 0 && excessBytes <= 0) return [];
  const sessions = [...Map.groupBy(all, (row) => row.session)]
    .filter(([session]) => session !== current)
    .map(([, rows]) => ({ rows, refreshedAt: Math.max(...rows.map((row) => row.refreshedAt)) }))
    .sort((a, b) => a.refreshedAt - b.refreshedAt);
  const going: Registration[] = [];
  for (const { rows } of sessions) {
    if (excess <= 0 && excessBytes <= 0) break;
    excess -= rows.length;
    excessBytes -= bytesOf(rows);
    going.push(...rows);
  }
  return going;
}

/** What the limit of a user's bytes counts. */
export function bytesOf(rows: readonly Pick<Registration, "token" | "labels">[]): number {
  return rows.reduce((sum, { token, labels }) => sum + token.length + JSON.stringify(labels).length, 0);
}
