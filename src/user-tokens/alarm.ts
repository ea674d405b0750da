// When the object wakes by itself. One alarm, rounded up to the day: setting the same one again writes nothing.
import type { PlatformOf } from "../durable/platform.ts";
import { ALARM_LATE_MS, CHANGES_KEPT_MS, DAY_MS } from "../limits.ts";

export class Alarm {
  readonly #platform: PlatformOf;
  /** When the alarm is set for, epoch ms; `undefined` until it was read once. */
  #at: number | null | undefined;

  constructor(platform: PlatformOf) {
    this.#platform = platform;
  }

  /** It goes off now, or it was deleted with everything else. */
  isGone(): void {
    this.#at = null;
  }

  /**
   * Sees to it that an alarm is set, for an object that has something to collect. Every write is looked at within
   * CHANGES_KEPT_MS, and the alarm finds the exact time itself; one that is late is taken for lost.
   */
  async arm(now: number): Promise<void> {
    if (this.#at === undefined) this.#at = await this.#platform().ctx.storage.getAlarm();
    if (this.#at === null) await this.set(now + CHANGES_KEPT_MS);
    else if (this.#at <= now - ALARM_LATE_MS) await this.set(now);
  }

  async set(at: number): Promise<void> {
    this.#at = Math.ceil(at / DAY_MS) * DAY_MS;
    await this.#platform().ctx.storage.setAlarm(this.#at);
  }
}
