// The object that says who owns a token. No SQL (store.ts), no HTTP.

import { retryable } from "cloudflare:durable-objects";
import { DurableObject } from "cloudflare:workers";
import {
  type ClaimOutcome,
  type ClaimRequest,
  type Owner,
  REPEATABLE_BY_OWNERS,
  type TokenOwnersRpc,
  type UserTokensRpc,
} from "../durable/claims.ts";
import { inJurisdiction } from "../durable/jurisdiction.ts";
import { userTokensName } from "../durable/names.ts";
import { appOf } from "../durable/platform.ts";
import { withTimeout } from "../durable/timeout.ts";
import { Turns } from "../durable/turns.ts";
import { RELEASE_TIMEOUT_MS, TAKEOVER_WINDOW_MS } from "../limits.ts";
import { log } from "../log.ts";
import { type OwnerEntry, TokenOwnersStore } from "./store.ts";

/**
 * One of 256 objects per app; it knows the owner of each token whose hash falls to it. It:
 * - serves the claims of one token one after the other;
 * - makes the present owner let go before it grants a token to another user: *revoke, then grant*;
 * - gives every claim a version above all earlier ones, so that whatever arrives late is known to be late.
 *
 * docs/ownership.md has the protocol.
 */
export class TokenOwners extends DurableObject<Env> implements TokenOwnersRpc {
  readonly #store: TokenOwnersStore;
  /** Of claims, by token hash. */
  readonly #turns = new Turns();
  /** The highest version given since this object woke: one that was forgotten within its millisecond never returns. */
  #lastVersion = 0;

  static {
    for (const method of REPEATABLE_BY_OWNERS) retryable(TokenOwners.prototype[method]);
  }

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new TokenOwnersStore(ctx.storage);
  }

  /** Makes the token the user's. Claims of one token take turns. */
  async claim(request: ClaimRequest): Promise<ClaimOutcome> {
    return await this.#turns.take(request.hash, () => this.#claimInTurn(request));
  }

  async #claimInTurn(request: ClaimRequest): Promise<ClaimOutcome> {
    const now = Date.now();
    if (now > request.until) return { ok: false, reason: "unavailable" };
    const entries = this.#store.owners(request.hash);
    const version = this.#nextVersion(now, entries);
    const mine = entries.find((entry) => entry.user === request.user);
    const others = entries.filter((entry) => entry.user !== request.user);
    const entry: OwnerEntry = {
      hash: request.hash,
      user: request.user,
      version,
      takeovers: mine?.takeovers ?? 0,
      takeoversUntil: mine?.takeoversUntil ?? 0,
    };
    if (request.policy === "shared") {
      this.#store.addOwner(entry);
      return { ok: true, version, taken: false };
    }
    if (others.length === 0) {
      this.#store.setOnlyOwner(entry);
      return { ok: true, version, taken: false };
    }
    if (!request.mayTake) return { ok: false, reason: "session_limit" };
    const window = openWindow(others, now);
    if (window.takeovers >= request.takeoversPerToken) {
      return { ok: false, reason: "token_limit", retryAfterMs: window.takeoversUntil - now };
    }
    try {
      await Promise.all(others.map((other) => this.#release(other.user, request.hash, version)));
    } catch (error) {
      log.warn("release failed, the claim is refused", { error });
      return { ok: false, reason: "unavailable" };
    }
    if (Date.now() > request.until) return { ok: false, reason: "unavailable" };
    this.#store.setOnlyOwner({ ...entry, takeovers: window.takeovers + 1, takeoversUntil: window.takeoversUntil });
    return { ok: true, version, taken: true };
  }

  #nextVersion(now: number, entries: OwnerEntry[]): number {
    const highest = Math.max(this.#lastVersion, ...entries.map((entry) => entry.version));
    this.#lastVersion = Math.max(now, highest + 1);
    return this.#lastVersion;
  }

  #release(user: string, hash: string, version: number): Promise<void> {
    const { ctx, env } = this;
    const users = inJurisdiction(env.USER_TOKENS, ctx.id.jurisdiction);
    const owner: UserTokensRpc = users.getByName(userTokensName(appOf({ ctx, env }), user));
    return withTimeout(owner.release(hash, version), RELEASE_TIMEOUT_MS);
  }

  /** The user let the token go. Deletes the entry only if that claim is still the one on record. */
  async forget(hash: string, user: string, version: number): Promise<void> {
    this.#store.delete(hash, user, version);
  }

  /** As {@link forget}, for a user who is erased: nothing of the user stays in the file. */
  async erase(hash: string, user: string, version: number): Promise<void> {
    this.#store.erase(hash, user, version);
  }

  /** Who owns the token on record, if anyone; more than one only under policy `shared`. */
  async owners(hash: string): Promise<Owner[]> {
    return this.#store.owners(hash).map(({ user, version }) => ({ user, version }));
  }
}

/** The window in which changes of owner of one token are counted: the one that is open, or a new one. */
function openWindow(entries: OwnerEntry[], now: number): { takeovers: number; takeoversUntil: number } {
  const open = entries.filter((entry) => entry.takeoversUntil > now);
  if (open.length === 0) return { takeovers: 0, takeoversUntil: now + TAKEOVER_WINDOW_MS };
  return {
    takeovers: Math.max(...open.map((entry) => entry.takeovers)),
    takeoversUntil: Math.max(...open.map((entry) => entry.takeoversUntil)),
  };
}
