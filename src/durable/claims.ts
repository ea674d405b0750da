// What a user's object and an owner object say to each other: the two objects import each other's words from here, never
// each other.
import type { Policy } from "../domain/registration.ts";

export interface ClaimRequest {
  /** {@link tokenHash} of the token. */
  hash: string;
  /** {@link userHash} of the claiming user. */
  user: string;
  policy: Policy;
  /** Whether the claiming session may take the token from another user now. */
  mayTake: boolean;
  /** Changes of owner of one token, per hour. */
  takeoversPerToken: number;
  /** When the claiming user gives up, epoch ms: nothing is granted later, for nobody would hold it or let go of it. */
  until: number;
}

export type ClaimOutcome =
  /** The token is the user's, under a version above every earlier one. `taken`: another user held or owned it. */
  | { ok: true; version: number; taken: boolean }
  /** The present owner's object did not answer in time, or the claim came too late. The owner on record is unchanged. */
  | { ok: false; reason: "unavailable" }
  | { ok: false; reason: "session_limit" }
  | { ok: false; reason: "token_limit"; retryAfterMs: number };

export interface Owner {
  user: string;
  version: number;
}

/** Methods of an owner object that may run twice. A repeated `claim` could take the token from whoever claimed it in between. */
export const REPEATABLE_BY_OWNERS = ["owners", "forget", "erase"] as const satisfies (keyof TokenOwnersRpc)[];

/** The methods of an owner object that users' objects call. */
export interface TokenOwnersRpc {
  claim(request: ClaimRequest): Promise<ClaimOutcome>;
  forget(hash: string, user: string, version: number): Promise<void>;
  erase(hash: string, user: string, version: number): Promise<void>;
  owners(hash: string): Promise<Owner[]>;
}

/** The method of a user's object that owner objects call. */
export interface UserTokensRpc {
  release(hash: string, version: number): Promise<void>;
}
