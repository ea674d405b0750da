// What the RPC methods of UserTokens take and answer. Expected outcomes are values, not exceptions: an error's class dies
// at the RPC boundary. After a deploy old and new objects run side by side for minutes, so these types only grow.
import type { FeedbackVerdict } from "../domain/feedback-codes.ts";
import type { Kind } from "../domain/kinds.ts";
import type { Environment, Labels } from "../domain/labels.ts";
import type { Change, ListedToken, PushToken, Registration, Rules, Session } from "../domain/registration.ts";

/**
 * Methods that may run twice, whatever came in between: reads, and calls whose second run finds nothing to do. A repeated
 * `register` could undo a later removal, and a repeated `remove` a later registration.
 */
export const REPEATABLE_BY_USERS = [
  "list",
  "tokens",
  "holding",
  "validFrom",
  "sessions",
  "export",
  "check",
  "marks",
  "share",
  "endSession",
  "release",
  "reconcile",
  "show",
] as const;

/**
 * Why a session may not act: its auth token `expired`, is older than `tokens_valid_from` (`revoked`), or the session
 * `ended`. These are final: the auth token is dead. `unavailable`: so many sessions ended that nobody can tell whether
 * this one did.
 */
export type Refusal = "expired" | "revoked" | "ended" | "unavailable";

export interface Refused {
  ok: false;
  reason: Refusal;
}

/**
 * What was asked for is done, or will be, but the directory has not confirmed it (or another object, where the outcome says so): a
 * repeat helps.
 */
export interface Unavailable {
  ok: false;
  reason: "unavailable";
}

export interface RegisterRequest {
  uid: string;
  session: Session;
  /** One to three, of different kinds. */
  tokens: PushToken[];
  rules: Rules;
}

/** A registration as a ticket names it: a later one of the same token in the same slot is another one. */
export interface HeldSlot {
  kind: Kind;
  hash: string;
  registeredAt: number;
}

export type RegisterOutcome =
  /**
   * Acknowledged, but for what `contested` names. `held` are the slots as they stand now: a token that was displaced meanwhile
   * is missing.
   */
  { ok: true; changed: boolean; held: HeldSlot[]; contested: ContestedToken[] } | Refused;

/** A token that could not be stored; its owner is unchanged. */
export type ContestedToken =
  /** The present owner's object or the owner object did not answer in time: a repeat helps. */
  | { kind: Kind; reason: "unavailable" }
  /** The user took too many installations from others. `retryAfterMs` is when the window ends. */
  | { kind: Kind; reason: "too_many_takeovers"; retryAfterMs: number };

/** A registration from another system. Times are epoch ms. */
export interface ImportItem {
  /** {@link importSession} where the other system knows none. */
  session: string;
  token: PushToken;
  registeredAt: number;
  /** When the device was last seen. */
  refreshedAt: number;
  /** Whether the file says so; if not, `refreshedAt` is a guess, which is later each time. */
  isDated: boolean;
  suspectAt: number | null;
  muted: boolean;
}

export interface ImportRequest {
  uid: string;
  items: ImportItem[];
  rules: Rules;
}

export const IMPORT_OUTCOMES = [
  "imported",
  /** This import, or a later one, brought it. */
  "already",
  /** A device registered it, whoever's it is; or another registration has its slot. */
  "held_here",
  /** It went since the device was last seen there. */
  "newer_here",
  /** The user was erased since, or nothing is known of the user but that all sessions ended since. */
  "erased",
  /** Its session has ended, or what an import brought of it was taken over by a device. */
  "ended",
  "expired",
  /** The user holds as much as a user may. */
  "full",
  /** A repeat helps. */
  "unavailable",
] as const;
export type ImportOutcome = (typeof IMPORT_OUTCOMES)[number];

export interface ListRequest {
  /** A client's session, refused if it is over; `null` for a server, which may always read. */
  session: Session | null;
  retentionMs: number;
}

export type ListOutcome = { ok: true; registrations: Registration[] } | Refused;

/** As {@link ListOutcome}, with what clients see of it. */
export type TokensOutcome = { ok: true; tokens: ListedToken[] } | Refused;

export interface RemoveRequest {
  session: Session;
  /** `false`: the session's own slots, which a session that is over may still empty. `true`: all of the user's. */
  all: boolean;
}

export type RemoveOutcome = { ok: true; removed: number } | Refused;

/**
 * The removal of single slots: only while a slot holds the token that is named and, where `registeredAt` says so, the very
 * registration that a ticket was given for.
 */
export interface UnregisterRequest {
  /** `null`: whichever session holds the token. */
  session: string | null;
  slots: (Omit<NamedToken, "token"> & Partial<Pick<NamedToken, "token"> & Pick<HeldSlot, "registeredAt">>)[];
}

/** What keeps ended sessions out. Both default to false: no trusted time, and sessions end with their auth token. */
export interface SessionsEnd {
  /** Whether auth tokens carry a time that can be trusted; if not, every session known here is fenced instead. */
  trustedTime?: boolean;
  /** Whether a session can get a new auth token later: then the known ones are fenced too, beside `trustedTime`. */
  sessionsOutliveTokens?: boolean;
}

/** How long a session's fence stands. */
export interface FenceRule {
  /** From the session's end on: the app's longest session, or how long a dead auth token may be taken for a good one. */
  ms: number;
  /** When the very auth token ends that came with the call, epoch ms, if that is known. */
  atLeastUntil?: number | null;
  /** Nobody said yet that the auth token is dead: the first end that knows it sets the fence's end. */
  open: boolean;
}

export interface EndSessionRequest extends SessionsEnd {
  session: string;
  /** When its auth token was issued, epoch ms; `null` if unknown. */
  issuedAt: number | null;
  /** `null` if its auth token is dead already and none is needed. */
  fence: FenceRule | null;
  /**
   * Do nothing unless the session is known here (it holds a token, is registering, or has a fence that lasts longer than this
   * one): the caller may be guessing.
   */
  onlyIfKnown?: boolean;
  /** The session itself asked for its end: the record of changes tells its logout from an end by others. */
  isLogout?: boolean;
}

export interface EndAllSessionsRequest extends SessionsEnd {
  rules: Rules;
  /** Where the issuer accepts no auth token any more that it made until now: when every fence may end, epoch ms. */
  fencesUntil?: number;
}

export interface EraseRequest extends EndAllSessionsRequest {
  uid: string;
}

/** `unavailable`: another object did not answer; the alarm goes on, and a repeat answers `ok` once it is done. */
export type EraseOutcome = { ok: true } | Unavailable;

export interface RestoreRequest {
  /** The moment to which the data go back, epoch ms. */
  at: number;
  /** When the caller asked, epoch ms: it gives up after OBJECT_TIMEOUT_MS. */
  askedAt: number;
}

/** `unavailable`: the object that keeps the marks did not answer; nothing has changed. */
export type RestoreOutcome = { ok: true } | Unavailable;

/** `marks` were set after the moment to which the data were restored. */
export interface ReconcileRequest extends EndAllSessionsRequest {
  uid: string;
}

/** `kept` and `dropped` count registrations. */
export type ReconcileOutcome = { ok: true; kept: number; dropped: number } | Unavailable;

export interface MuteRequest {
  /** Who asks. */
  session: Session;
  /** Whose registrations are meant: of the same user. */
  of: string;
  muted: boolean;
}

/** `known`: the session holds something; else nothing has changed. */
export type MuteOutcome = { ok: true; known: boolean } | Refused;

export interface SessionSummary {
  session: string;
  /** What the session said of its device, with any of its tokens; the latest word counts. */
  labels: Labels;
  /** Senders leave it out. */
  muted: boolean;
  registrations: Pick<Registration, "kind" | "platform" | "suspectAt">[];
  firstSeenAt: number;
  lastSeenAt: number;
}

/**
 * A token that a caller names, by the {@link tokenHash} of its installation and as it is stored: the installation may be registered
 * with another form of it by now, or under another hash, which it had before `fcmInstallations` was switched.
 */
export type NamedToken = Pick<PushToken, "kind" | "hash" | "token">;

export interface FeedbackReport extends NamedToken {
  code: string;
  verdict: Exclude<FeedbackVerdict, "not_about_the_token">;
  /** When the provider knew, epoch ms. */
  at: number;
}

/** A push that one of APNs' hosts took. */
export interface DeliveryReport extends NamedToken {
  environment: Environment;
  /** When the push was sent, epoch ms. */
  at: number;
}

export interface FeedbackResult {
  outcome: "pruned" | "kept" | "suspect" | "corrected" | "unknown";
  why: string;
}

/** Rows of the user's own object; times are epoch ms. */
export interface UserExport {
  uid: string | null;
  validFrom: number;
  registrations: Registration[];
  fences: { session: string; until: number }[];
  /** Muted sessions that hold nothing, and when each is heard again. */
  muted: { session: string; until: number }[];
  /** How many installations the user took from others in the window that ends at `until`; `null`: none. */
  takeovers: { count: number; until: number } | null;
  changes: Change[];
}
