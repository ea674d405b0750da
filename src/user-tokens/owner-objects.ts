// Everything that a user's object says to owner objects: the only room that waits for another object.
import type { ClaimOutcome, ClaimRequest, TokenOwnersRpc } from "../durable/claims.ts";
import { stubOf } from "../durable/jurisdiction.ts";
import { tokenOwnersName } from "../durable/names.ts";
import { appOf, type PlatformOf, userOf } from "../durable/platform.ts";
import { appNow } from "../durable/settings.ts";
import { withTimeout } from "../durable/timeout.ts";
import { CLAIM_TIMEOUT_MS } from "../limits.ts";
import { log } from "../log.ts";
import type { Grant, Operations } from "./in-flight.ts";
import type { RegistrationsTable } from "./registrations-table.ts";

/** An entry that may go: the token's hash, and the version of the claim that ended. */
export interface EndedClaim {
  hash: string;
  version: number;
}

export class OwnerObjects {
  readonly #platform: PlatformOf;
  readonly #registrations: RegistrationsTable;
  readonly #operations: Operations;

  constructor(platform: PlatformOf, registrations: RegistrationsTable, operations: Operations) {
    this.#platform = platform;
    this.#registrations = registrations;
    this.#operations = operations;
  }

  /**
   * Asks for the token. Without an answer until `until` (epoch ms) it is refused; `onAnswer` hears of one that comes later too
   * (`null`: none will).
   */
  async claim(
    hash: string,
    request: Omit<ClaimRequest, "hash" | "user">,
    onAnswer: (claim: ClaimOutcome | null) => void,
  ): Promise<ClaimOutcome> {
    const claimed = this.#object(hash).claim({ hash, user: this.#me, ...request });
    this.#platform().ctx.waitUntil(claimed.then(onAnswer, () => onAnswer(null)));
    try {
      return await withTimeout(claimed, Math.max(0, request.until - Date.now()));
    } catch (error) {
      log.warn("claim failed", { error });
      return { ok: false, reason: "unavailable" };
    }
  }

  /**
   * Says that the tokens are nobody's: not while the user holds the token, and not while it is being registered (then once that
   * has settled). Best effort: a stale entry costs one release.
   */
  forget(claims: readonly EndedClaim[]): void {
    const { ctx } = this.#platform();
    for (const { hash, version } of claims) {
      if (this.#registrations.holds(hash) || this.#operations.owe(hash, version)) continue;
      const forgotten = this.#object(hash).forget(hash, this.#me, version);
      ctx.waitUntil(forgotten.catch((error) => log.warn("forget failed", { error })));
    }
  }

  /**
   * Takes a new version for what the user owns on record; `null`: nothing.
   * @throws if the owner object does not answer in time
   */
  async renew(hash: string): Promise<Grant | null> {
    return await withTimeout(this.#object(hash).renew(hash, this.#me), CLAIM_TIMEOUT_MS);
  }

  /**
   * Deletes the user's entry, whatever its version, and leaves no trace of the user in that owner object. Of `hash` the first
   * characters suffice to find the object. By version, because the call may be late: a later claim's entry must stay.
   * @throws if the owner object does not answer in time
   */
  async erase(hash: string): Promise<void> {
    const owners = await withTimeout(this.#object(hash).settledOwners(hash), CLAIM_TIMEOUT_MS);
    const version = owners.find(({ user }) => user === this.#me)?.version ?? null;
    await withTimeout(this.#object(hash).erase(hash, this.#me, version), CLAIM_TIMEOUT_MS);
  }

  get #me(): string {
    return userOf(this.#platform());
  }

  #object(hash: string): TokenOwnersRpc {
    const platform = this.#platform();
    const name = tokenOwnersName(appOf(platform), hash);
    return stubOf(platform.env.TOKEN_OWNERS, name, platform.ctx.id, appNow(platform)?.locationHint);
  }
}
