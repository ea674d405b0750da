// How many tokens a session may take from other users. Nothing here awaits.
import { TAKEOVER_WINDOW_MS } from "../limits.ts";
import type { UserTokensStore } from "./store.ts";

export class Takeovers {
  readonly #store: UserTokensStore;

  constructor(store: UserTokensStore) {
    this.#store = store;
  }

  /** What the session took in its window, and when that ends (epoch ms): the one that is open, or a new one. */
  window(session: string, now: number): { count: number; until: number } {
    return this.#store.takeovers(session, now) ?? { count: 0, until: now + TAKEOVER_WINDOW_MS };
  }

  add(session: string, taken: number, now: number): void {
    const { count, until } = this.window(session, now);
    this.#store.transaction(() => this.#store.setTakeovers(session, count + taken, until, now));
  }
}
