// The words of the product as types (design: app, user, session, kind, slot, platform, registration). Pure: no I/O.
import type { Kind, Platform } from "./kinds.ts";
import type { LabelChanges, Labels } from "./labels.ts";

/** One login of a user on one device or browser, as the verified auth token names it. */
export interface Session {
  id: string;
  /** When the auth token was issued, epoch ms; `null` where the issuer gives no time that can be trusted. */
  issuedAt: number | null;
  /** Until when the auth token is good, clock tolerance included, epoch ms; `null` where it does not expire. */
  usableUntil: number | null;
}

/** A push token on its way to a slot. */
export interface PushToken {
  kind: Kind;
  token: string;
  /** {@link tokenHash} of the installation that it stands for: its name in owner objects and in the record of changes. */
  hash: string;
  platform: Platform;
  /** What the call states of the slot's labels. */
  labels: LabelChanges;
}

/** What a slot (session, kind) holds. All times are epoch milliseconds. */
export interface Registration extends PushToken {
  session: string;
  labels: Labels;
  /** The version that the owner object gave to this user's claim; a release of a lower version than this is stale. */
  version: number;
  /** Whether `version` is a claim under policy `exclusive`; a row stored under `shared` has none. */
  claimed: boolean;
  registeredAt: number;
  /** Written at most once per refresh window. */
  refreshedAt: number;
  /** What the directory shows as {@link refreshedAt}: as late or earlier. It changes only with a version. */
  shownAt: number;
  /** The session's user wants no pushes there: senders leave it out unless they ask for it. The same in all slots of a session. */
  muted: boolean;
  /** An import brought it, and no device has registered it since. */
  imported: boolean;
  /** When a provider first reported trouble with the token since its last registration; else `null`. */
  suspectAt: number | null;
}

/** A registration as clients see it. */
export type ListedToken = Pick<Registration, "token" | "platform">;

/** `exclusive`: one owner per token. `shared`: several users of one device may hold it (multi-account apps). */
export const POLICIES = ["exclusive", "shared"] as const;
export type Policy = (typeof POLICIES)[number];

/** The settings of an app that its objects need; passed with each call. Only in their alarms do objects read the configuration. */
export interface Rules {
  policy: Policy;
  refreshWindowMs: number;
  retentionMs: number;
  /** How long a fence lasts: the app's longest session and the clock tolerance. */
  fenceMs: number;
  /** The same where auth tokens carry a trusted time, else 0: how long a mark must stand by the setting of now. */
  sessionMs: number;
  /** Installations that one user may take from others, per hour. */
  takeoversPerUser: number;
}

/** What can happen to a registration; the record of changes keeps the last of them per user. */
export type ChangeKind =
  | "registered"
  | "rotated"
  | "displaced"
  | "moved"
  | "taken_from_another_user"
  | "taken_by_another_user"
  | "removed"
  | "ended"
  | "logged_out"
  | "pruned"
  | "evicted"
  | "expired"
  | "muted"
  | "unmuted";

export interface Change {
  /** Epoch ms. */
  at: number;
  change: ChangeKind;
  kind: Kind;
  platform: Platform;
  session: string;
  /** The first {@link SHORT_HASH_LENGTH} characters of the token's hash; never the token. */
  token: string;
  /** The provider's code of a `pruned` token. */
  code?: string;
}

/** How the id of a session begins that only an import made: no device has it. */
export const IMPORT_SESSION_PREFIX = "import:";

/** The session of what an import brings of an installation, where the file names none. */
export function importSession(hash: string): string {
  return IMPORT_SESSION_PREFIX + hash;
}

/** 48 bits: enough to tell the tokens of one user apart, useless to find one. */
export const SHORT_HASH_LENGTH = 8;
