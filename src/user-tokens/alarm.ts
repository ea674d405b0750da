// When the object wakes by itself. One alarm, on a whole minute of the day that the object's name gives: setting the same one
// again writes nothing, and the objects of an app do not all wake at once.
import { nameOf, type PlatformOf } from "../durable/platform.ts";
import { ALARM_LATE_MS, CHANGES_KEPT_MS, DAY_MS, MINUTE_MS } from "../limits.ts";

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

  /** At the object's minute of the day, not before `at` (epoch ms). */
  async set(at: number): Promise<void> {
    const minute = minuteOfDay(nameOf(this.#platform())) * MINUTE_MS;
    this.#at = Math.ceil((at - minute) / DAY_MS) * DAY_MS + minute;
    await this.#platform().ctx.storage.setAlarm(this.#at);
  }
}

/** 0–1439; FNV-1a (draft-eastlake-fnv): cheap, and names end in a hash that is spread already. */
function minuteOfDay(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % (DAY_MS / MINUTE_MS);
}
