// An entry of the record of changes.
import { type Change, type ChangeKind, type PushToken, SHORT_HASH_LENGTH } from "../domain/registration.ts";

export function change(kind: ChangeKind, row: PushToken & { session: string }, at: number, code?: string): Change {
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
