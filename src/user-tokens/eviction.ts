// Who gives way where a user holds too much. Pure: no I/O.
import type { Registration } from "../domain/registration.ts";
import { REGISTRATIONS_PER_USER_MAX, TOKEN_BYTES_PER_USER_MAX } from "../limits.ts";

/** What must go of these, whole sessions, those that were refreshed longest ago first; nothing of the session `current`. */
export function tooMany(all: readonly Registration[], current: string): Registration[] {
  let excess = all.length - REGISTRATIONS_PER_USER_MAX;
  let excessBytes = all.reduce((sum, row) => sum + bytesOf(row), 0) - TOKEN_BYTES_PER_USER_MAX;
  const sessions = [...Map.groupBy(all, (row) => row.session)]
    .filter(([session]) => session !== current)
    .map(([, rows]) => ({ rows, refreshedAt: Math.max(...rows.map((row) => row.refreshedAt)) }))
    .sort((a, b) => a.refreshedAt - b.refreshedAt);
  const going: Registration[] = [];
  for (const { rows } of sessions) {
    if (excess <= 0 && excessBytes <= 0) break;
    excess -= rows.length;
    excessBytes -= rows.reduce((sum, row) => sum + bytesOf(row), 0);
    going.push(...rows);
  }
  return going;
}

/** What the limit of a user's bytes counts; as {@link RegistrationsTable.size} does. */
function bytesOf({ token, labels }: Registration): number {
  return token.length + JSON.stringify(labels).length;
}
