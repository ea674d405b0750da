// What the directory is told, and when. Every change of what senders see takes a version, and sets a near alarm in the same
// commit (slots.ts): the alarm is the mark that the directory may not have that version yet. Nobody is told of a change before
// the directory has confirmed it; if nobody publishes it, the alarm does. docs/directory.md has the protocol.
import { byAge, toSenderToken } from "../domain/sender-token.ts";
import { stubOf } from "../durable/jurisdiction.ts";
import { directoryGeneration, directoryName, directoryShard } from "../durable/names.ts";
import { appOf, type PlatformOf } from "../durable/platform.ts";
import { appNow } from "../durable/settings.ts";
import { type DirectoryRpc, SNAPSHOT_FORMAT, type Snapshot } from "../durable/snapshots.ts";
import { withTimeout } from "../durable/timeout.ts";
import { PUBLISH_ATTEMPTS, PUBLISH_TIMEOUT_MS } from "../limits.ts";
import { log } from "../log.ts";
import type { Alarm } from "./alarm.ts";
import type { EndedClaim, OwnerObjects } from "./owner-objects.ts";
import type { Slots } from "./slots.ts";
import type { UserTokensStore } from "./store.ts";

export class Publication {
  readonly #platform: PlatformOf;
  readonly #store: UserTokensStore;
  readonly #slots: Slots;
  readonly #alarm: Alarm;
  readonly #owners: OwnerObjects;
  /** The highest version that the directory has, as far as this instance knows; `undefined`: it did not look yet. */
  #confirmed: number | undefined;
  /** The one under way. */
  #publishing: Promise<boolean> | null = null;
  /** Claims that ended, and the version without which their owner objects must not hear of it. Lost by a crash: harmless. */
  #ended: { version: number; claims: readonly EndedClaim[] }[] = [];

  constructor(platform: PlatformOf, store: UserTokensStore, slots: Slots, alarm: Alarm, owners: OwnerObjects) {
    this.#platform = platform;
    this.#store = store;
    this.#slots = slots;
    this.#alarm = alarm;
    this.#owners = owners;
  }

  /** Whether the directory is known to have whatever was committed. */
  get isSettled(): boolean {
    return this.#publishing === null && (this.#store.version === 0 || this.#confirmed === this.#store.version);
  }

  /**
   * The owner objects of these tokens hear that they are nobody's, once the directory has confirmed what was committed until now:
   * who claims one then is not to be shown beside this user.
   */
  forget(claims: readonly EndedClaim[]): void {
    // What is held now may end under a later version: whoever ends it says so.
    const ended = claims.filter(({ hash }) => !this.#store.registrations.holds(hash));
    if (ended.length > 0) this.#ended.push({ version: this.#store.version, claims: ended });
  }

  /**
   * Before every acknowledgement, of whatever it is: settles once the directory has what was committed until now. `false`: it did
   * not confirm in time; what was committed stands, and the alarm will publish it.
   */
  async settled(): Promise<boolean> {
    if (this.#store.exists) {
      if (this.#confirmed === undefined) await this.#look();
      const mine = this.#store.version;
      while ((this.#confirmed ?? 0) < mine) {
        if (await this.publish()) continue;
        this.#alarm.setNear(Date.now());
        return false;
      }
      // A change may have come since, and its alarm gone off.
      await this.#alarm.arm(Date.now(), () => !this.isSettled || this.#store.isErasing);
    }
    this.#sayWhatEnded();
    return true;
  }

  /** Gives the directory the present state, even if it should have it already. `false`: it did not confirm. */
  publish(): Promise<boolean> {
    this.#publishing ??= this.#publish().finally(() => {
      this.#publishing = null;
    });
    return this.#publishing;
  }

  /**
   * Gives the directory the present state, whatever it has. `uid`: the directory knows that user, so one whom this object never
   * showed holds nothing. `false`: it did not confirm.
   */
  async showAgain(uid: string | null): Promise<boolean> {
    if (uid !== null && this.#store.version === 0) this.#slots.showAgain(Date.now(), uid);
    if (!(await this.settled())) return false;
    return this.#store.version === 0 || ((await this.publish()) && (await this.settled()));
  }

  /** A new instance: only a far alarm says that nothing is due. */
  async #look(): Promise<void> {
    await this.#alarm.read();
    if (this.#confirmed !== undefined) return;
    const app = appNow(this.#platform());
    const shown = this.#store.shown();
    const isElsewhere = app !== null && shown?.generation !== directoryGeneration(app.directory);
    if (isElsewhere && this.#store.registrations.count() > 0) this.#slots.showAgain(Date.now());
    this.#confirmed = this.#alarm.isFar ? this.#store.version : 0;
  }

  async #publish(): Promise<boolean> {
    const until = Date.now() + PUBLISH_TIMEOUT_MS;
    try {
      for (let attempt = 0; attempt < PUBLISH_ATTEMPTS; attempt += 1) {
        const snapshot = this.#snapshot();
        if (snapshot === null) {
          log.error("a user is to be shown whose uid is not known");
          return false;
        }
        const put = this.#directory(snapshot.uid).put(snapshot, { erase: this.#store.isErasing });
        const outcome = await withTimeout(put, Math.max(0, until - Date.now()));
        if (outcome.ok) {
          this.#confirm(snapshot.version);
          return true;
        }
        this.#slots.showAbove(outcome.version, Date.now());
      }
      log.warn("the directory has higher versions of a user each time");
    } catch (error) {
      log.warn("the directory did not confirm", { error });
    }
    return false;
  }

  #confirm(version: number): void {
    this.#confirmed = version;
    const { ctx } = this.#platform();
    // A commit of its own, which no answer waits for. If it is lost, the near alarm publishes once more in vain.
    const rested = new Promise<void>((resolve) => setTimeout(resolve, 0)).then(async () => {
      const isDone = this.isSettled && this.#store.exists && !this.#store.isErasing;
      if (isDone && !this.#alarm.isFar) await this.#alarm.setFarAgain(Date.now());
    });
    ctx.waitUntil(rested);
    this.#sayWhatEnded();
  }

  #sayWhatEnded(): void {
    const due = (version: number) => version > (this.#confirmed ?? 0) && version <= this.#store.version;
    const said = this.#ended.filter(({ version }) => !due(version));
    this.#ended = this.#ended.filter(({ version }) => due(version));
    for (const { claims } of said) this.#owners.forget(claims);
  }

  /** `null`: whose registrations these are is not known. */
  #snapshot(): Snapshot | null {
    const uid = this.#store.uid();
    if (uid === null) return null;
    const rows = this.#store.registrations.all().sort(byAge);
    return {
      uid,
      version: this.#store.version,
      format: SNAPSHOT_FORMAT,
      tokens: JSON.stringify(rows.map((row) => toSenderToken(row, row.shownAt))),
      registrations: rows.length,
      muted: rows.filter(({ muted }) => muted).length,
      shownSince: rows.reduce((least, { shownAt }) => Math.min(least, shownAt), rows[0]?.shownAt ?? 0),
    };
  }

  /** @throws if the app's configuration cannot be read: nobody knows which objects are meant */
  #directory(uid: string): DirectoryRpc {
    const platform = this.#platform();
    const app = appNow(platform);
    if (app === null) throw new Error("the configuration of the app cannot be read");
    const name = directoryName(appOf(platform), app.directory, directoryShard(app.directory, uid));
    return stubOf(platform.env.DIRECTORY, name, platform.ctx.id, app.locationHint);
  }
}
