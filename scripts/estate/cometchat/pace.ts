// A pace for calls: never more in a minute than were allowed, and none while the other side wants rest.

/** Timers are not finer. */
const NOW_MS = 2;

export class Pace {
  readonly #everyMs: number;
  #next = 0;

  constructor(perMinute: number) {
    this.#everyMs = 60_000 / perMinute;
  }

  /** Resolves when one more call may be sent. */
  async turn(): Promise<void> {
    for (;;) {
      const now = Date.now();
      const ms = this.#next - now;
      if (ms < NOW_MS) break;
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
    this.#next = Math.max(this.#next, Date.now()) + this.#everyMs;
  }

  /** No call sets out for so long. Answers whether that is news. */
  rest(ms: number): boolean {
    const until = Date.now() + ms;
    const isNews = until > this.#next + NOW_MS * 500;
    this.#next = Math.max(this.#next, until);
    return isNews;
  }
}
