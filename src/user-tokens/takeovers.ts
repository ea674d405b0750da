// How many installations a user may take from others. The taker is counted, never the token: whoever knows a token could use
// up a limit of the token's. Each installation counts once in a window: who comes back to one's own after the hour in which that is
// free was counted for it, and must not be kept out of it by whoever takes it again. Nothing here awaits.
import type { ClaimOutcome } from "../durable/claims.ts";
import { TAKEOVER_WINDOW_MS, TAKEOVERS_REMEMBERED_MAX } from "../limits.ts";
import type { TakeoverWindow, UserTokensStore } from "./store.ts";

export class Takeovers {
  readonly #store: UserTokensStore;

  /** Claims without an answer yet: each may have taken something. Memory only. */
  #pending = 0;

  constructor(store: UserTokensStore) {
    this.#store = store;
  }

  /** A claim sets out. Answers whether it may take the installation of that hash from another user. */
  begin(hash: string, max: number, now: number): boolean {
    const { count, hashes } = this.window(now);
    const mayTake = hashes.includes(hash) || count + this.#pending < max;
    this.#pending += 1;
    return mayTake;
  }

  /** The claim's answer came, in time or late; `null`: none will. Who takes the own installation back is not counted. */
  end(hash: string, claim: ClaimOutcome | null, now: number): void {
    this.#pending -= 1;
    if (claim?.ok !== true || claim.taken !== "another_users") return;
    const { count, hashes, until } = this.window(now);
    if (hashes.includes(hash)) return;
    const latest = [...hashes, hash].slice(-TAKEOVERS_REMEMBERED_MAX);
    this.#store.transaction(() => this.#store.setTakeovers({ count: count + 1, hashes: latest, until }));
  }

  /** What the user took in the window: the one that is open, or a new one. */
  window(now: number): TakeoverWindow {
    return this.#store.takeovers(now) ?? { count: 0, hashes: [], until: now + TAKEOVER_WINDOW_MS };
  }
}
