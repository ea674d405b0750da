// A push token as senders see it, in whatever way they ask. Pure: no I/O.
import type { Kind, Platform } from "./kinds.ts";
import { type Labels, shownLabels } from "./labels.ts";
import type { Registration } from "./registration.ts";
import { targetOf } from "./token.ts";

/** Times are epoch milliseconds. */
export interface SenderToken extends Labels {
  token: string;
  kind: Kind;
  /** Of kind `fcm`: the field of an FCM message in which it is sent. */
  target?: "fid" | "token";
  platform: Platform;
  sessionId: string;
  registeredAt: number;
  refreshedAt: number;
  /** A provider reported trouble since the last registration: send on, the next report decides. */
  suspect: boolean;
  /** The device's user wants no pushes there; only where the sender asked for muted ones. */
  muted?: true;
}

/** `refreshedAt` is the registration's own unless another is given. */
export function toSenderToken(r: Registration, refreshedAt = r.refreshedAt): SenderToken {
  const target = targetOf(r.kind, r.token);
  return {
    token: r.token,
    kind: r.kind,
    ...(target === null ? {} : { target }),
    platform: r.platform,
    sessionId: r.session,
    registeredAt: r.registeredAt,
    refreshedAt,
    suspect: r.suspectAt !== null,
    ...(r.muted ? { muted: true as const } : {}),
    ...shownLabels(r.labels),
  };
}

/** Whether senders see the same of both, but for the time of the last refresh. */
export function looksAlike(a: Registration, b: Registration): boolean {
  return JSON.stringify(toSenderToken(a, 0)) === JSON.stringify(toSenderToken(b, 0));
}

/** The order in which the tokens of one user are shown: the oldest first. */
export function byAge(a: Registration, b: Registration): number {
  return a.registeredAt - b.registeredAt || compare(a.session, b.session) || compare(a.kind, b.kind);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
