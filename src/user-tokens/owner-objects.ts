// Everything that a user's object says to owner objects: the only room that waits for another object.
import type { PushToken, Rules } from "../domain/registration.ts";
import type { ClaimOutcome, TokenOwnersRpc } from "../durable/claims.ts";
import { inJurisdiction } from "../durable/jurisdiction.ts";
import { tokenOwnersName } from "../durable/names.ts";
import { appOf, type PlatformOf, userOf } from "../durable/platform.ts";
import { withTimeout } from "../durable/timeout.ts";
import { CLAIM_TIMEOUT_MS } from "../limits.ts";
import { log } from "../log.ts";
import type { Operations } from "./in-flight.ts";
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

  /** Asks for the token. Without an answer in time it is refused. */
  async claim({ hash }: PushToken, rules: Rules, mayTake: boolean): Promise<ClaimOutcome> {
    try {
      const request = {
        hash,
        user: this.#me,
        policy: rules.policy,
        mayTake,
        takeoversPerToken: rules.takeoversPerToken,
        until: Date.now() + CLAIM_TIMEOUT_MS,
      };
      return await withTimeout(this.#object(hash).claim(request), CLAIM_TIMEOUT_MS);
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
   * The version under which the user owns the token on record; `undefined`: not at all.
   * @throws if the owner object does not answer in time
   */
  async versionOf(hash: string): Promise<number | undefined> {
    const owners = await withTimeout(this.#object(hash).owners(hash), CLAIM_TIMEOUT_MS);
    return owners.find(({ user }) => user === this.#me)?.version;
  }

  /**
   * Deletes the user's entry, whatever its version, and leaves no trace of it.
   * @throws if the owner object does not answer in time
   */
  async erase(hash: string): Promise<void> {
    const version = await this.versionOf(hash);
    if (version !== undefined) await withTimeout(this.#object(hash).erase(hash, this.#me, version), CLAIM_TIMEOUT_MS);
  }

  get #me(): string {
    return userOf(this.#platform());
  }

  #object(hash: string): TokenOwnersRpc {
    const platform = this.#platform();
    const owners = inJurisdiction(platform.env.TOKEN_OWNERS, platform.ctx.id.jurisdiction);
    return owners.getByName(tokenOwnersName(appOf(platform), hash));
  }
}
