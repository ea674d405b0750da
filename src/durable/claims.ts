// What a user's object and an owner object say to each other: the two objects import each other's words from here, never
// each other.
import type { Policy } from "../domain/registration.ts";

export interface ClaimRequest {
  /** {@link tokenHash} of the token. */
  hash: string;
  /** {@link userHash} of the claiming user. */
  user: string;
  policy: Policy;
  /** Whether the claiming user may take one more installation from others now. Who owned it before may always take it back. */
  mayTake: boolean;
  /** When the claiming user gives up, epoch ms: nothing is granted later, because nobody would hold it or let go of it. */
  until: number;
  /**
   * An import asks, which says that the device was last seen then (epoch ms): it gets what nobody holds, and what an import of an
   * earlier time brought; no takeover.
   */
  imported?: number;
}

/** What a claim took: nothing, the installation of another user, or one's own that another user had taken. */
export type Taken = "nothing" | "another_users" | "own_back";

export type ClaimOutcome =
  /** The token is the user's, under a version above every earlier one. */
  | { ok: true; version: number; taken: Taken }
  /** The present owner's object did not answer in time, or the claim came too late. The owner on record is unchanged. */
  | { ok: false; reason: "unavailable" }
  /** Another user owns it, and the claiming user may take no more. */
  | { ok: false; reason: "too_many_takeovers" }
  /** An import asked, and another user's device registered it, or a later import brought it. */
  | { ok: false; reason: "held" };

export interface Owner {
  user: string;
  version: number;
}

/** The place of an entry in the owner object's own order. */
export interface OwnersPosition {
  hash: string;
  version: number;
}

/** A part of all owners: `next` is where the next part begins; `null`: this is the last. */
export interface OwnersPage {
  users: string[];
  next: OwnersPosition | null;
}

/** Methods of an owner object that may run twice. A repeated `claim` could take the token from who claimed it in between. */
export const REPEATABLE_BY_OWNERS = [
  "owners",
  "settledOwners",
  "forget",
  "erase",
] as const satisfies (keyof TokenOwnersRpc)[];

/** The methods of an owner object that users' objects call. */
export interface TokenOwnersRpc {
  claim(request: ClaimRequest): Promise<ClaimOutcome>;
  renew(hash: string, user: string): Promise<{ version: number; claimed: boolean } | null>;
  forget(hash: string, user: string, version: number): Promise<void>;
  erase(hash: string, user: string, version: number | null): Promise<void>;
  owners(hash: string): Promise<Owner[]>;
  settledOwners(hash: string): Promise<Owner[]>;
}

/** What keeps ended sessions out, as it stands in a user's object. Times are epoch ms. */
export interface Marks {
  fences: Fence[];
  /** Auth tokens issued until `at` are dead; none of them can live beyond `until`. */
  validFrom: ValidFrom | null;
  /** Of the restore for which another object keeps these marks; `null`: of none. */
  kept: Kept | null;
}

export interface Kept {
  /** When the restore began, epoch ms. */
  since: number;
  /** How often marks were kept for it: a restore may take several attempts. */
  attempts: number;
  /** The highest version that the user's object had at any of them: the directory may yet hear of it. */
  version: number;
}

/** The mark that a session has ended. */
export interface Fence {
  session: string;
  /** When its auth token was issued. */
  issuedAt: number;
  endedAt: number;
  /** It has no end yet: nobody said that the auth token is dead. `until` is then far away. */
  open: boolean;
  /** When no auth token of the session can live. */
  until: number;
}

export interface ValidFrom {
  at: number;
  until: number;
}

/** The methods of a user's object that owner objects, and other users' objects, call. */
export interface UserTokensRpc {
  marks(): Promise<Marks>;
  /** Answers what it keeps from now on; `null`: it kept some already. */
  keepMarks(marks: Marks, version: number): Promise<Kept | null>;
  dropMarks(kept: Kept): Promise<void>;
  release(hash: string, version: number): Promise<void>;
  releaseImported(hash: string, version: number, seenAt: number): Promise<boolean>;
  share(hash: string, version: number): Promise<void>;
}
