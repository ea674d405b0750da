// A clock that stands still until nothing else is left to do: timers of minutes take no time, and real requests as long as
// they take.

interface Timer {
  due: number;
  owner: object;
  fire: () => void;
}

export class Clock {
  /** Epoch ms. */
  now = Date.now();
  readonly #timers = new Set<Timer>();
  readonly #requests = new Set<Promise<unknown>>();

  setTimeout(owner: object, fire: () => void, ms = 0): Timer {
    const timer = { due: this.now + ms, owner, fire };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: Timer | undefined): void {
    if (timer !== undefined) this.#timers.delete(timer);
  }

  /** Forgets the timers of a page that was closed. */
  forget(owner: object): void {
    for (const timer of this.#timers) if (timer.owner === owner) this.#timers.delete(timer);
  }

  /** Real work, for which the clock waits. */
  track<T>(work: Promise<T>): Promise<T> {
    const settled: Promise<unknown> = work.then(
      () => this.#requests.delete(settled),
      () => this.#requests.delete(settled),
    );
    this.#requests.add(settled);
    return work;
  }

  /** Until nothing is under way: no request, and no timer within `ms`. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      await turn();
      if (this.#requests.size > 0) {
        await Promise.race(this.#requests);
        continue;
      }
      const [next] = [...this.#timers].sort((a, b) => a.due - b.due);
      if (next === undefined || next.due > end) break;
      this.#timers.delete(next);
      this.now = Math.max(this.now, next.due);
      next.fire();
    }
    this.now = Math.max(this.now, end);
  }

  /** What `work` comes to; time passes until then. */
  async until<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const over = work.finally(() => {
      isOver = true;
    });
    const stop = this.now + 24 * 3600 * 1000;
    while (!isOver) {
      if (this.now > stop) throw new Error("nothing has come of it within a day");
      await turn();
      if (isOver) break;
      if (this.#requests.size > 0) await Promise.race(this.#requests);
      else await this.pass(this.#nextIn());
    }
    return over;
  }

  get timers(): number {
    return this.#timers.size;
  }

  #nextIn(): number {
    return Math.max(0, Math.min(...[...this.#timers].map(({ due }) => due)) - this.now) || 0;
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function turn(): Promise<void> {
  for (let n = 0; n < 2; n++) await new Promise((resolve) => setImmediate(resolve));
}
