// What one commit changes in the slots, and an entry of the record of changes.
import {
  type Change,
  type ChangeKind,
  type PushToken,
  type Registration,
  SHORT_HASH_LENGTH,
} from "../domain/registration.ts";

/** What a change takes out of the slots, and adds to the record. */
export interface Draft {
  changes: Change[];
  gone: Registration[];
  /** Senders see it. */
  isSeen: boolean;
  /** The version that the change takes is at least this. */
  versionMin: number;
}

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
