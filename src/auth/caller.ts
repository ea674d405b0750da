import type { Session } from "../domain/registration.ts";

/** Who calls with an auth token. */
export interface Caller {
  uid: string;
  session: Session;
  /** The auth token is genuine but over: its session may still remove its tokens, never add or read. */
  expired: boolean;
  authToken: string;
}
