// A pace for calls: never more in a minute than were allowed, and none while the other side wants rest.
import { setTimeout as sleep } from "node:timers/promises";

/** Timers are not finer. */
const NOW_MS = 2;
/** A rest that is so much longer than what is waited for anyhow is worth a word. */
const NEWS_MS = 1_000;

export class Pace {
  readonly #everyMs: number;
  readonly #end: AbortSignal;
  /** When the next call may be sent, epoch ms. */
  #next = 0;

  /** `end`: nobody waits any longer. */
  constructor(perMinute: number, end: AbortSignal) {
    this.#everyMs = 60_000 / perMinute;
    this.#end = end;
  }

  /** Resolves when one more call may be sent. */
  async turn(): Promise<void> {
    for (let ms = this.#waitMs(); ms >= NOW_MS; ms = this.#waitMs()) {
      await sleep(ms, undefined, { signal: this.#end });
    }
    this.#end.throwIfAborted();
    this.#next = Math.max(this.#next, Date.now()) + this.#everyMs;
  }

  #waitMs(): number {
    return this.#next - Date.now();
  }

  /** No call sets out for so long. Answers whether that is news. */
  rest(ms: number): boolean {
    const until = Date.now() + ms;
    const isNews = until > this.#next + NEWS_MS;
    this.#next = Math.max(this.#next, until);
    return isNews;
  }
}
