// Why a user does, or does not, get pushes (docs/no-push.md). Pure: no I/O, no clock.
import { type Change, type ChangeKind, type Registration, SHORT_HASH_LENGTH } from "./registration.ts";

type Verdict = [code: string, sentence: string, next: string, fits: (registration: Registration) => boolean];
type Loss = [code: string, sentence: string, next: string, lost: ChangeKind];

const LAUNCH = "Let the user open the app, logged in: then it registers.";
const LOG_IN = "Let the user log in: then the app registers.";

/** Of a user who holds something. The first that fits a registration is the verdict. */
const HELD: readonly Verdict[] = [
  [
    "ok",
    "There is a device that may be pushed.",
    "Look at what FCM or APNs answer to your sender, and at the notification settings of the device.",
    ({ muted, suspectAt }) => !muted && suspectAt === null,
  ],
  [
    "all_suspect",
    "A provider reported trouble with every token that may be pushed.",
    `Check credentials, bundle id and environment of the sender. ${LAUNCH}`,
    ({ muted }) => !muted,
  ],
  ["muted", "The user muted every device.", "Let the user unmute a device in the app.", () => true],
];

/** Of a user who holds nothing. The first that stands among the last losses is the verdict. */
const LOST: readonly Loss[] = [
  ["taken", "Another user logged in on the device, and has its token now.", LAUNCH, "taken_by_another_user"],
  ["pruned", "A provider called the token dead: the app was removed, or its token changed.", LAUNCH, "pruned"],
  ["expired", "The app was not opened for so long that its registration expired.", LAUNCH, "expired"],
  ["evicted", "The user had too many registrations, and the oldest went.", LAUNCH, "evicted"],
  ["ended", "The session was ended by your back end, or from another device of the user.", LOG_IN, "ended"],
  ["logged_out", "The user logged out.", LOG_IN, "logged_out"],
  ["removed", "The app, or your back end, removed the registration; the user is still logged in.", LAUNCH, "removed"],
];

const NOTHING = [
  "nothing_known",
  "No device is registered, and none was in the last 30 days.",
  "Check that the app logs in as this user, may show notifications, and registers its token.",
] as const;

const ARRIVALS: readonly ChangeKind[] = ["registered", "taken_from_another_user", "moved", "rotated"];

/** The codes of all verdicts, in their order. */
export const VERDICTS = [...HELD, ...LOST, NOTHING].map(([code]) => code);

export interface Explanation {
  verdict: { code: string; sentence: string };
  /** What to do about it. */
  next: string;
  /** The entries of the record on which the verdict rests, oldest first. */
  evidence: Change[];
}

/**
 * @param live - what may be pushed now, muted ones included
 * @param isStale - whether something has expired that was not collected yet
 * @param changes - the record, oldest first
 */
export function explain(live: readonly Registration[], isStale: boolean, changes: Change[]): Explanation {
  for (const [code, sentence, next, fits] of HELD) {
    const tokens = live.filter(fits).map(({ hash }) => hash.slice(0, SHORT_HASH_LENGTH));
    const evidence = changes.filter(({ token }, i) => tokens.includes(token) && isLast(changes, i));
    if (tokens.length > 0) return { verdict: { code, sentence }, next, evidence };
  }
  const losses = lastLosses(changes);
  for (const [code, sentence, next, lost] of LOST) {
    const evidence = losses.filter(({ change }) => change === lost);
    if (evidence.length > 0 || (isStale && lost === "expired")) {
      return { verdict: { code, sentence }, next, evidence };
    }
  }
  const [code, sentence, next] = NOTHING;
  return { verdict: { code, sentence }, next, evidence: [] };
}

function isLast(changes: readonly Change[], index: number): boolean {
  return !changes.slice(index + 1).some(({ token }) => token === changes[index]?.token);
}

/** What was lost since the last device came: what went before has been made good since. */
function lastLosses(changes: readonly Change[]): Change[] {
  const isLoss = ({ change }: Change) => LOST.some(([, , , lost]) => lost === change);
  const last = changes.findLastIndex(isLoss);
  const arrival = changes.slice(0, last).findLastIndex(({ change }) => ARRIVALS.includes(change));
  return changes.slice(arrival + 1, last + 1).filter(isLoss);
}
