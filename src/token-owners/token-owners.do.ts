// The object that says who owns a token. No SQL (store.ts), no HTTP.

import { retryable } from "cloudflare:durable-objects";
import { DurableObject } from "cloudflare:workers";
import {
  type ClaimOutcome,
  type ClaimRequest,
  type Owner,
  type OwnersPage,
  type OwnersPosition,
  REPEATABLE_BY_OWNERS,
  type TokenOwnersRpc,
  type UserTokensRpc,
} from "../durable/claims.ts";
import { stubOf } from "../durable/jurisdiction.ts";
import { shortToken, userTokensName } from "../durable/names.ts";
import { appOf, type Platform } from "../durable/platform.ts";
import { withTimeout } from "../durable/timeout.ts";
import { Turns } from "../durable/turns.ts";
import {
  CHANGES_OF_OWNER_LOUD,
  FORMER_OWNERS_MAX,
  RELEASE_TIMEOUT_MS,
  RELEASES_PER_CLAIM_MAX,
  TAKEOVER_WINDOW_MS,
} from "../limits.ts";
import { log } from "../log.ts";
import { countEvent } from "../metrics.ts";
import { type OwnerEntry, type TakeoverWindow, TokenOwnersStore } from "./store.ts";

/**
 * One of 256 objects per app; it knows the owner of each token whose hash falls to it. It:
 * - serves the claims of one token one after the other;
 * - makes the present owner let go before it grants a token to another user: *revoke, then grant*;
 * - gives every claim a version above all earlier ones, so that whatever arrives late is known to be late;
 * - remembers for an hour whose a token was before it was taken: that user may always take it back.
 *
 * docs/ownership.md has the protocol.
 */
export class TokenOwners extends DurableObject<Env> implements TokenOwnersRpc {
  readonly #store: TokenOwnersStore;
  /** Of claims, by token hash. */
  readonly #turns = new Turns();
  /** The highest version given since this object woke: one that was forgotten within its millisecond never returns. */
  #lastVersion = 0;
  /** Whether the alarm is known to be set. */
  #isArmed = false;

  static {
    for (const method of [...REPEATABLE_BY_OWNERS, "page"] as const) retryable(TokenOwners.prototype[method]);
  }

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new TokenOwnersStore(ctx.storage);
  }

  get #platform(): Platform {
    return { ctx: this.ctx, env: this.env };
  }

  /** Makes the token the user's. Claims of one token take turns. */
  async claim(request: ClaimRequest): Promise<ClaimOutcome> {
    return await this.#turns.take(request.hash, () => this.#claimInTurn(request));
  }

  async #claimInTurn(request: ClaimRequest): Promise<ClaimOutcome> {
    const { hash, user, policy } = request;
    const now = Date.now();
    if (now > request.until) return { ok: false, reason: "unavailable" };
    const entries = this.#store.owners(hash);
    const entry = { hash, user, version: this.#nextVersion(now, entries), claimed: policy === "exclusive" };
    const others = entries.filter((each) => each.user !== user);
    if (policy === "shared") return await this.#share(request, entry, others);
    if (others.length > 0 && request.imported !== undefined) {
      return await this.#takeFromImports(request.imported, request, entry, others);
    }
    if (others.length > 0) return await this.#takeOver(request, entry, others);
    this.#store.setOnlyOwner(entry);
    return { ok: true, version: entry.version, taken: "nothing" };
  }

  /** Policy `shared`: nobody lets go, but a user whose claim was the only one must be told that it no longer is. */
  async #share(request: ClaimRequest, entry: OwnerEntry, others: readonly OwnerEntry[]): Promise<ClaimOutcome> {
    const claimed = others.filter((other) => other.claimed);
    const told = await this.#tell(claimed, (user) => user.share(entry.hash, entry.version));
    if (told.length < claimed.length || Date.now() > request.until) return { ok: false, reason: "unavailable" };
    this.#store.addOwner(entry);
    return { ok: true, version: entry.version, taken: "nothing" };
  }

  /** Policy `exclusive`, and others own the token: each lets go of it first, some of them per claim if they are very many. */
  async #takeOver(request: ClaimRequest, entry: OwnerEntry, others: readonly OwnerEntry[]): Promise<ClaimOutcome> {
    const { hash, user, version } = entry;
    const before = this.#store.window(hash, Date.now());
    const isReturn = before?.owners.includes(user) === true;
    if (!request.mayTake && !isReturn) return { ok: false, reason: "too_many_takeovers" };
    const asked = others.slice(0, RELEASES_PER_CLAIM_MAX);
    const released = await this.#tell(asked, (owner) => owner.release(hash, version));
    if (released.length < others.length) {
      // What was let go of is done, so that a repeat goes on from here.
      if (others.length > 1) this.#store.deleteAll(released);
      return { ok: false, reason: "unavailable" };
    }
    const now = Date.now();
    if (now > request.until) return { ok: false, reason: "unavailable" };
    const window: TakeoverWindow = {
      changes: (before?.changes ?? 0) + 1,
      owners: before?.owners ?? others.slice(0, FORMER_OWNERS_MAX).map((other) => other.user),
      until: before?.until ?? now + TAKEOVER_WINDOW_MS,
    };
    this.#store.setOnlyOwner(entry, window);
    const armed = this.#arm();
    if (window.changes === CHANGES_OF_OWNER_LOUD + 1) this.#sayThatItIsContested(hash);
    await armed;
    return { ok: true, version, taken: isReturn ? "own_back" : "another_users" };
  }

  /** An import asks, and others own the token: it gets what they do not hold, or have of an earlier import. */
  async #takeFromImports(
    seenAt: number,
    { until }: ClaimRequest,
    entry: OwnerEntry,
    others: readonly OwnerEntry[],
  ): Promise<ClaimOutcome> {
    let isHeld = false;
    const asked = others.slice(0, RELEASES_PER_CLAIM_MAX);
    const released = await this.#tell(asked, async (owner) => {
      if (!(await owner.releaseImported(entry.hash, entry.version, seenAt))) isHeld = true;
    });
    if (isHeld) return { ok: false, reason: "held" };
    if (released.length < others.length || Date.now() > until) return { ok: false, reason: "unavailable" };
    this.#store.setOnlyOwner(entry);
    return { ok: true, version: entry.version, taken: "nothing" };
  }

  #sayThatItIsContested(hash: string): void {
    const app = appOf(this.#platform);
    log.warn("a token changes its owner very often", { app, token: shortToken(hash) });
    countEvent(this.env, app, "contested_token");
  }

  /** Tells each owner's object. Answers those who confirmed. */
  async #tell(
    owners: readonly OwnerEntry[],
    call: (owner: UserTokensRpc) => Promise<void>,
  ): Promise<readonly OwnerEntry[]> {
    const told = owners.map(async ({ user }) => {
      const owner: UserTokensRpc = stubOf(
        this.env.USER_TOKENS,
        userTokensName(appOf(this.#platform), user),
        this.ctx.id,
      );
      await withTimeout(call(owner), RELEASE_TIMEOUT_MS);
    });
    const results = await Promise.allSettled(told);
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined)
      log.warn("an owner's object did not answer, the claim is refused", { error: failed.reason });
    return owners.filter((_, i) => results[i]?.status === "fulfilled");
  }

  #nextVersion(now: number, entries: readonly OwnerEntry[]): number {
    const highest = Math.max(this.#lastVersion, ...entries.map((entry) => entry.version));
    this.#lastVersion = Math.max(now, highest + 1);
    return this.#lastVersion;
  }

  /**
   * Gives the user's own claim a new version, after a restore of the user's data; `null` if the user owns nothing of it on
   * record. `claimed`: no other user shares it. Takes its turn among the claims of the token.
   */
  async renew(hash: string, user: string): Promise<{ version: number; claimed: boolean } | null> {
    return await this.#turns.take(hash, async () => {
      const entries = this.#store.owners(hash);
      const mine = entries.find((entry) => entry.user === user);
      if (mine === undefined) return null;
      const renewed = { ...mine, version: this.#nextVersion(Date.now(), entries) };
      this.#store.renew(renewed);
      return { version: renewed.version, claimed: renewed.claimed };
    });
  }

  /** As {@link owners}, once the claims that are under way have ended. */
  async settledOwners(hash: string): Promise<Owner[]> {
    return await this.#turns.take(hash, () => this.owners(hash));
  }

  /** The user let the token go. Deletes the entry only if that claim is still the one on record. */
  async forget(hash: string, user: string, version: number): Promise<void> {
    this.#store.delete(hash, user, version);
  }

  /** The user is erased: the entry of that version goes, if there is one, and no trace of the user stays in the file. */
  async erase(hash: string, user: string, version: number | null): Promise<void> {
    this.#store.erase(hash, user, version);
  }

  /** Who owns the token on record, if anyone; more than one only under policy `shared`. */
  async owners(hash: string): Promise<Owner[]> {
    return this.#store.owners(hash).map(({ user, version }) => ({ user, version }));
  }

  /** The owners of the next `limit` entries after `after`, each once. */
  async page(after: OwnersPosition | null, limit: number): Promise<OwnersPage> {
    const entries = this.#store.page(after, limit + 1);
    const users = [...new Set(entries.slice(0, limit).map(({ user }) => user))];
    const last = entries.length > limit ? entries[limit - 1] : undefined;
    return { users, next: last === undefined ? null : { hash: last.hash, version: last.version } };
  }

  /** Collects the windows that ended. */
  override async alarm(): Promise<void> {
    this.#isArmed = false;
    this.#store.deleteExpiredWindows(Date.now());
    await this.#arm();
  }

  /** The alarm goes off when the next window ends. */
  async #arm(): Promise<void> {
    const next = this.#isArmed ? undefined : this.#store.nextWindowEnd();
    if (next === undefined) return;
    this.#isArmed = true;
    await this.ctx.storage.setAlarm(next);
  }
}
