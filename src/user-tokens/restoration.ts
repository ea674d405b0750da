// Back to an earlier moment (point-in-time recovery): the object's data will be what they were, so what must not be forgotten is
// kept by another object meanwhile. reconciliation.ts has what follows.
import type { Kept, Marks, UserTokensRpc } from "../durable/claims.ts";
import { stubOf } from "../durable/jurisdiction.ts";
import { safeNameOf } from "../durable/names.ts";
import { nameOf, type PlatformOf } from "../durable/platform.ts";
import { withTimeout } from "../durable/timeout.ts";
import { CLAIM_TIMEOUT_MS, OBJECT_TIMEOUT_MS, RELEASE_TIMEOUT_MS } from "../limits.ts";
import { log } from "../log.ts";
import type { RestoreOutcome, RestoreRequest } from "./outcomes.ts";
import type { SessionEnds } from "./session-ends.ts";
import type { UserTokensStore } from "./store.ts";

export class Restoration {
  readonly #platform: PlatformOf;
  readonly #store: UserTokensStore;
  readonly #ends: SessionEnds;
  #ended: PromiseWithResolvers<void> | null = null;
  /** Calls of `prepare` of which it is not known yet whether they set a bookmark, and those that did. */
  #preparing = 0;
  /** When this instance was last reconciled, epoch ms. */
  #reconciledAt = 0;

  constructor(platform: PlatformOf, store: UserTokensStore, ends: SessionEnds) {
    this.#platform = platform;
    this.#store = store;
    this.#ends = ends;
  }

  /**
   * `undefined` while nothing is restored. Else whoever ends sessions waits for this: what would be acknowledged from now on
   * would be lost. The object's restart fails those calls.
   */
  get ended(): Promise<void> | undefined {
    return this.#ended?.promise;
  }

  /** The restore that was asked for until now has come to its end. */
  isReconciled(now: number): void {
    this.#reconciledAt = now;
  }

  /**
   * `unavailable`: the object that keeps the marks did not answer, or the call is a late one, whose caller gave up and may have
   * restored the data since; here nothing has changed.
   * @throws if the platform keeps no data of that time; then nothing has changed either
   */
  async prepare({ at, askedAt }: RestoreRequest): Promise<RestoreOutcome> {
    const { ctx } = this.#platform();
    // First, for it fails where there is no such moment: marks that are kept say that a restore began.
    const bookmark = await ctx.storage.getBookmarkForTime(at);
    if (this.#isLate(askedAt)) return { ok: false, reason: "unavailable" };
    this.#ended ??= Promise.withResolvers();
    this.#preparing += 1;
    const safe = this.#safe();
    let kept: Kept | null | undefined;
    let isPrepared = false;
    try {
      kept = await withTimeout(safe.keepMarks(this.#ends.marks(), this.#store.highestVersion), CLAIM_TIMEOUT_MS);
      if (this.#isLate(askedAt)) return { ok: false, reason: "unavailable" };
      await ctx.storage.onNextSessionRestoreBookmark(bookmark);
      isPrepared = true;
      return { ok: true };
    } catch (error) {
      if (kept !== undefined) throw error;
      log.warn("a restore waits for the object that keeps the marks", { error });
      return { ok: false, reason: "unavailable" };
    } finally {
      if (!isPrepared) this.#open();
      if (!isPrepared && kept != null) {
        const dropped = safe.dropMarks(kept);
        ctx.waitUntil(dropped.catch((error) => log.warn("kept marks were not dropped", { error })));
      }
    }
  }

  /** What another object keeps for a restore; `null`: it did not answer. */
  async keptMarks(): Promise<Marks | null> {
    try {
      return await withTimeout(this.#safe().marks(), RELEASE_TIMEOUT_MS);
    } catch (error) {
      log.warn("a reconciliation waits for another object", { error });
      return null;
    }
  }

  /** These stand where they belong now. `false`: the other object did not answer, and may still keep them. */
  async dropMarks({ kept }: Marks): Promise<boolean> {
    if (kept === null) return true;
    try {
      await withTimeout(this.#safe().dropMarks(kept), RELEASE_TIMEOUT_MS);
      return true;
    } catch (error) {
      log.warn("kept marks were not dropped", { error });
      return false;
    }
  }

  #isLate(askedAt: number): boolean {
    return askedAt <= this.#reconciledAt || Date.now() > askedAt + OBJECT_TIMEOUT_MS;
  }

  #safe(): UserTokensRpc {
    const { ctx, env } = this.#platform();
    return stubOf(env.USER_TOKENS, safeNameOf(nameOf({ ctx, env })), ctx.id);
  }

  /** A call changed nothing. Another may be under way, or have set its bookmark. */
  #open(): void {
    this.#preparing -= 1;
    if (this.#preparing > 0) return;
    this.#ended?.resolve();
    this.#ended = null;
  }
}
