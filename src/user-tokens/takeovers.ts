// How many installations a user may take from others. The taker is counted, never the token: whoever knows a token could use
// up a limit of the token's. Nothing here awaits.
import type { ClaimOutcome } from "../durable/claims.ts";
import { TAKEOVER_WINDOW_MS } from "../limits.ts";
import type { TakeoverWindow, UserTokensStore } from "./store.ts";

export class Takeovers {
  readonly #store: UserTokensStore;

  /** Claims without an answer yet: each may have taken something. Memory only. */
  #pending = 0;

  constructor(store: UserTokensStore) {
    this.#store = store;
  }

  /** A claim sets out. Answers whether it may take the installation of another user. */
  begin(max: number, now: number): boolean {
    const mayTake = this.window(now).count + this.#pending < max;
    this.#pending += 1;
    return mayTake;
  }

  /** The claim's answer came, in time or late; `null`: none will. Who takes the own installation back is not counted. */
  end(claim: ClaimOutcome | null, now: number): void {
    this.#pending -= 1;
    if (claim?.ok !== true || claim.taken !== "another_users") return;
    const { count, until } = this.window(now);
    this.#store.transaction(() => this.#store.setTakeovers({ count: count + 1, until }));
  }

  /** What the user took in the window: the one that is open, or a new one. */
  window(now: number): TakeoverWindow {
    return this.#store.takeovers(now) ?? { count: 0, until: now + TAKEOVER_WINDOW_MS };
  }
}
