// When the object wakes by itself. It has one alarm, and what that is set for says one thing more: a *near* alarm is the mark
// that the directory may not have the user's present version (publication.ts). Near ones are never on a whole minute, far ones
// always are: on the one minute of the day that the object's name gives, so that setting the same one again writes nothing and
// the objects of an app do not all wake at once.
import { cheapHash } from "../domain/hash.ts";
import { nameOf, type PlatformOf } from "../durable/platform.ts";
import {
  ALARM_LATE_MS,
  ALARM_RETRY_MAX_MS,
  ALARM_RETRY_MIN_MS,
  CHANGES_KEPT_MS,
  DAY_MS,
  MINUTE_MS,
  NEAR_ALARM_MS,
  SECOND_MS,
} from "../limits.ts";

export class Alarm {
  readonly #platform: PlatformOf;
  /** When the alarm is set for, epoch ms; `undefined` until it was read once. */
  #at: number | null | undefined;
  /** The far alarm that a near one replaced. */
  #far: number | null = null;
  /** How often in a row it could not do its work. */
  #failures = 0;

  constructor(platform: PlatformOf) {
    this.#platform = platform;
  }

  /** It was deleted with everything else. */
  isGone(): void {
    this.#at = null;
  }

  /**
   * It goes off now, as it was set for `at` (epoch ms). How often in a row it could not do its work stands in that time, too: the
   * object may have been evicted since.
   */
  rings(at: number | undefined): void {
    this.#at = null;
    if (at !== undefined) this.#failures = failuresIn(at);
  }

  /** Finds out what is set; what is set meanwhile stands. */
  async read(): Promise<void> {
    if (this.#at !== undefined) return;
    const at = await this.#platform().ctx.storage.getAlarm();
    if (this.#at === undefined) this.#at = at;
  }

  /** Whether a far alarm is known to be set: then the directory has whatever was committed. */
  get isFar(): boolean {
    return this.#at != null && isWholeMinute(this.#at);
  }

  /**
   * Sets a near alarm, unless one is set that is still to come. Without an `await` between it and the SQL of a change, both are
   * one commit: it must be called in that very stretch.
   */
  setNear(now: number): void {
    if (this.#at != null && !isWholeMinute(this.#at) && this.#at > now) return;
    if (this.isFar) this.#far = this.#at ?? null;
    else if (this.#at === undefined) this.#readFar();
    this.#setNow(near(now + NEAR_ALARM_MS));
  }

  /** Whatever was committed is published: back to the far alarm. Answers may leave before this is confirmed. */
  async setFarAgain(now: number): Promise<void> {
    const at = this.#far ?? this.#onMinute(now + CHANGES_KEPT_MS);
    this.#far = null;
    this.#failures = 0;
    this.#at = at;
    await this.#platform().ctx.storage.setAlarm(at, { allowUnconfirmed: true });
  }

  /**
   * Sees to it that an alarm is set, for an object that has something to collect. Every write is looked at within
   * CHANGES_KEPT_MS, and the alarm finds the exact time itself; one that is late is taken for lost. `isDue` is asked where one must
   * be set: whether it must be a near one.
   */
  async arm(now: number, isDue = () => false): Promise<void> {
    await this.read();
    if (this.#at != null && this.#at > now - ALARM_LATE_MS) return;
    if (isDue()) this.setNear(now);
    else if (this.#at == null) await this.setFar(now + CHANGES_KEPT_MS);
    else if (this.isFar) await this.setFar(now);
    else this.setNear(now);
  }

  /** At the object's minute of the day, not before `at` (epoch ms). */
  async setFar(at: number): Promise<void> {
    this.#failures = 0;
    this.#at = this.#onMinute(at);
    await this.#platform().ctx.storage.setAlarm(this.#at);
  }

  /** What the alarm is for could not be done: again soon, and later each time. It stays the mark that it was. */
  async setAgain(now: number): Promise<void> {
    const delay = Math.min(ALARM_RETRY_MAX_MS, ALARM_RETRY_MIN_MS * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, FAILURES_MAX);
    this.#at = near(now + delay) + this.#failures;
    await this.#platform().ctx.storage.setAlarm(this.#at);
  }

  /** What a near alarm is about to replace, in a new instance. The question is asked before that one is set, and answered later. */
  #readFar(): void {
    const { ctx } = this.#platform();
    const found = ctx.storage.getAlarm().then((at) => {
      if (at !== null && isWholeMinute(at)) this.#far ??= at;
    });
    ctx.waitUntil(found);
  }

  #setNow(at: number): void {
    const { ctx } = this.#platform();
    this.#at = at;
    ctx.waitUntil(ctx.storage.setAlarm(at));
  }

  #onMinute(at: number): number {
    const minute = (cheapHash(nameOf(this.#platform())) % (DAY_MS / MINUTE_MS)) * MINUTE_MS;
    return Math.ceil((at - minute) / DAY_MS) * DAY_MS + minute;
  }
}

function isWholeMinute(at: number): boolean {
  return at % MINUTE_MS === 0;
}

/** More of them make no wait longer. */
const FAILURES_MAX = Math.ceil(Math.log2(ALARM_RETRY_MAX_MS / ALARM_RETRY_MIN_MS));

/** What {@link Alarm.setAgain} added to the time of a near alarm. */
function failuresIn(at: number): number {
  const added = (at % NEAR_ALARM_MS) - SECOND_MS;
  return added >= 0 && added <= FAILURES_MAX ? added : 0;
}

/** One second past a multiple of NEAR_ALARM_MS, so that the alarms of changes that follow each other are one. */
function near(at: number): number {
  return Math.ceil(at / NEAR_ALARM_MS) * NEAR_ALARM_MS + SECOND_MS;
}
