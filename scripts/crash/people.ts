// Users whose sessions end and who are erased, again and again, with the kill in the middle of it. Whoever was told that a
// session has ended must find it ended after any kill; whoever was told that a user is erased must find nothing of before.
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "../lib/load.ts";
import type { Session, State } from "./journal.ts";
import type { Lookups } from "./lookups.ts";
import { ended, holdsAny, launched, muted, Person } from "./person.ts";
import type { Run } from "./run.ts";

const PEOPLE = 16;
const SESSIONS_MAX = 3;
/** After each round so many of the sessions of each person that ended last try to register. */
const ENDED_TRIED = 12;

/** How much of what a person does is what. */
const DICE = [
  [0.26, "registration"],
  [0.3, "lookup"],
  [0.42, "mute"],
  [0.48, "login"],
  [0.6, "logout"],
  [0.68, "end of one session"],
  [0.76, "end of all sessions"],
  [0.9, "erasure"],
  [0.95, "erasure during a registration"],
  [1, "reconciliation"],
] as const;

type Deed = (typeof DICE)[number][1];

/** What everybody does at once just before a kill: kills at random moments seldom come into the middle of these. */
export const LAST_DEEDS = [
  "erasure",
  "end of all sessions",
  "erasure during a registration",
  "mute",
  "end of one session",
  "logout",
  "reconciliation",
] as const satisfies readonly Deed[];

export type LastDeed = (typeof LAST_DEEDS)[number];

/** What ends with an operation: which sessions may no longer act, and which tokens go. */
interface Ending {
  name: string;
  sessions: readonly Session[];
  emptied: (state: State) => State;
  send: () => Promise<Answer>;
}

export class People {
  endedSessionsTried = 0;
  /** Ended sessions that registered; 0 is the only good value. */
  endedSessionsBack = 0;
  readonly #run: Run;
  readonly #lookups: Lookups;
  #people: Person[] = [];
  #sessions = 0;
  #generation = 0;
  #lastDeed: Deed | null = null;
  #lastDeedsBegun = 0;

  constructor(run: Run, lookups: Lookups) {
    this.#run = run;
    this.#lookups = lookups;
  }

  /** Other people, from now on. */
  renew(generation: number): void {
    this.#generation = generation;
    this.#people = Array.from({ length: PEOPLE }, (_, i) => new Person(`person-${generation}-${i}`));
  }

  /** Everybody acts until the server is killed. */
  async live(): Promise<void> {
    this.#lastDeed = null;
    this.#lastDeedsBegun = 0;
    await Promise.all(this.#people.map((person) => this.#run.untilKilled(() => this.#act(person))));
  }

  /** From now on everybody does this one thing; answers when the first has begun. */
  async doLast(deed: Deed): Promise<void> {
    this.#lastDeed = deed;
    while (this.#lastDeedsBegun === 0 && !this.#run.isStopping) await sleep(1);
  }

  #next(person: Person): Deed {
    if (person.live.length === 0) return "login";
    if (this.#lastDeed !== null) {
      this.#lastDeedsBegun += 1;
      return this.#lastDeed;
    }
    const dice = this.#run.random();
    return DICE.find(([up]) => dice < up)?.[1] ?? "registration";
  }

  async #act(person: Person): Promise<void> {
    const session = person.live[0];
    switch (this.#next(person)) {
      case "login":
        return await this.#logIn(person);
      case "registration":
        return await this.#register(person, this.#run.oneOf(person.live));
      case "lookup":
        return await this.#lookUp(person);
      case "mute":
        return await this.#mute(person);
      case "logout":
        return await this.#logOut(person, this.#run.oneOf(person.live));
      case "end of one session":
        return await this.#endOne(person, this.#run.oneOf(person.live));
      case "end of all sessions":
        return await this.#endAll(person);
      case "erasure":
        return await this.#erase(person);
      case "erasure during a registration":
        return await this.#eraseDuring(person, session);
      case "reconciliation":
        return await this.#reconcile(person);
    }
  }

  async #logIn(person: Person): Promise<void> {
    if (person.live.length >= SESSIONS_MAX) return await this.#logOut(person, this.#run.oneOf(person.live));
    const { uid, authToken } = await this.#run.calls.login(person.uid);
    this.#sessions += 1;
    person.live.push({ id: this.#sessions, uid, authToken });
  }

  async #register(person: Person, session: Session): Promise<void> {
    if (person.token === "" || this.#run.random() < 0.4) person.token = this.#run.newTokenValue();
    const value = person.token;
    const done = person.states.map((state) => launched(state, session, value));
    person.isErased = false;
    person.uncertain.add(value);
    person.mayBe(done);
    const { status, text } = await this.#run.counted("registration", () =>
      this.#run.calls.asClient(session, "POST", "/v2/tokens", { fcmToken: value }),
    );
    if (status >= 500) return;
    person.uncertain.delete(value);
    if (status === 200) {
      person.is(done);
      person.isKnown = true;
    } else this.#run.violations.push(`a live session of ${person.uid} was answered ${status}: ${text}`);
  }

  /** Senders see a person's tokens, but for those of a muted session. */
  async #lookUp(person: Person): Promise<void> {
    const served = await this.#lookups.of([person.uid]);
    this.#lookups.judge(person.shown, person.uid, served.get(person.uid) ?? [], "a lookup");
  }

  /** The session is muted, or heard again. */
  async #mute(person: Person): Promise<void> {
    const holders = person.live.filter((each) => person.states.some((state) => holdsAny(state, each)));
    if (holders.length === 0) return await this.#register(person, this.#run.oneOf(person.live));
    const session = this.#run.oneOf(holders);
    const isMuted = this.#run.random() < 0.6;
    const done = person.states.map((state) => muted(state, session, isMuted));
    person.mayBe(done);
    const { status, text } = await this.#run.counted("mute", () =>
      this.#run.calls.asClient(session, "PATCH", `/v3.0/me/devices/${sidOf(session)}`, { muted: isMuted }),
    );
    // 404: the session holds nothing.
    if (status === 200) person.is(done);
    else if (status === 404) person.is(person.states.filter((state) => !holdsAny(state, session)));
    else if (status < 500) this.#run.violations.push(`a mute by ${person.uid} was answered ${status}: ${text}`);
  }

  async #logOut(person: Person, session: Session): Promise<void> {
    await this.#end(person, {
      name: "logout",
      sessions: [session],
      emptied: (state) => ended(state, session),
      send: () => this.#run.calls.asClient(session, "DELETE", "/v3.0/me"),
    });
  }

  async #endOne(person: Person, session: Session): Promise<void> {
    await this.#end(person, {
      name: "end of one session",
      sessions: [session],
      emptied: (state) => ended(state, session),
      send: () => this.#run.calls.asServer("DELETE", `/v3/users/${person.uid}/sessions/${sidOf(session)}`),
    });
  }

  async #endAll(person: Person): Promise<void> {
    await this.#end(person, {
      name: "end of all sessions",
      sessions: [...person.live, ...person.doubtful],
      emptied: () => new Map(),
      send: () => this.#run.calls.asServer("DELETE", `/v3/users/${person.uid}/sessions`),
    });
  }

  async #erase(person: Person): Promise<void> {
    const sentAt = Date.now();
    const { certain } = person;
    const isDone = await this.#end(person, {
      name: "erasure",
      sessions: [...person.live, ...person.doubtful],
      emptied: () => new Map(),
      send: () => this.#run.calls.asServer("DELETE", `/v3/users/${person.uid}`),
    });
    if (!isDone) return;
    person.erasedAt = sentAt;
    // An erasure insists on it that owner objects hear of what it takes.
    for (const token of certain) person.uncertain.delete(token);
    person.isErased = true;
  }

  /** The registration comes before the erasure, or is refused: its session is older. */
  async #eraseDuring(person: Person, session: Session | undefined): Promise<void> {
    if (session === undefined) return;
    const value = this.#run.newTokenValue();
    person.uncertain.add(value);
    person.mayBe(person.states.map((state) => launched(state, session, value)));
    const registration = this.#run.calls
      .asClient(session, "POST", "/v2/tokens", { fcmToken: value })
      .catch(() => undefined);
    await this.#erase(person);
    if ((await registration) !== undefined) person.uncertain.delete(value);
  }

  /** Ends all sessions and keeps what the user owns on record, which is everything: nobody else wants these tokens. */
  async #reconcile(person: Person): Promise<void> {
    if (!person.isKnown) return await this.#register(person, this.#run.oneOf(person.live));
    await this.#end(person, {
      name: "reconciliation",
      sessions: [...person.live, ...person.doubtful],
      emptied: (state) => state,
      send: () => this.#run.calls.asServer("POST", `/v3/users/${person.uid}/reconcile`),
    });
  }

  /** Whether it was acknowledged. */
  async #end(person: Person, ending: Ending): Promise<boolean> {
    const covered = new Set(ending.sessions);
    person.live = person.live.filter((session) => !covered.has(session));
    person.doubtful = [...person.doubtful.filter((session) => !covered.has(session)), ...covered];
    const done = person.states.map(ending.emptied);
    person.mayBe(done);
    const { status, text } = await this.#run.counted(ending.name, ending.send);
    if (status >= 500) return false;
    if (status !== 200) {
      this.#run.violations.push(`${ending.name} of ${person.uid} was answered ${status}: ${text}`);
      return false;
    }
    person.isKnown = true;
    person.is(done);
    person.doubtful = person.doubtful.filter((session) => !covered.has(session));
    for (const session of covered) person.ended.push({ session, by: ending.name, round: this.#run.startsMs.length });
    return true;
  }

  /** Compares what is served with what was acknowledged, and lets ended sessions try to register. */
  async check(): Promise<void> {
    const shown = await this.#lookups.of(this.#people.map(({ uid }) => uid));
    for (const person of this.#people) {
      this.#lookups.judge(person.shown, person.uid, shown.get(person.uid) ?? [], "a lookup after the kill");
    }
    for (const [i, person] of this.#people.entries()) {
      const isWhole = (await this.#checkHeld(person)) && (await this.#checkSessions(person));
      // What is held is unknown now, and one fault must not be reported twice.
      if (isWhole) person.isServed(shown.get(person.uid) ?? []);
      else this.#people[i] = new Person(`person-${this.#generation}-${i}-${this.#sessions}`);
    }
  }

  async #checkHeld(person: Person): Promise<boolean> {
    const { violations } = this.#run;
    const { status, text } = await this.#run.calls.asServer("GET", `/v3/users/${person.uid}/export`);
    // 404: nothing at all is held.
    const { registrations, changes } =
      status === 404 ? { registrations: [], changes: [] } : (JSON.parse(text).data as Exported);
    const wrong = person.narrow(new Map(registrations.map(({ token, muted: isMuted = false }) => [token, isMuted])));
    if (wrong !== null) {
      violations.push(wrong);
      return false;
    }
    const old = changes.find(({ at }) => at < person.erasedAt);
    if (old === undefined) return true;
    violations.push(`the record of ${person.uid} shows a change of before an acknowledged erasure: ${old.change}`);
    return false;
  }

  async #checkSessions(person: Person): Promise<boolean> {
    let isBack = false;
    const round = this.#run.startsMs.length;
    for (const { session, by, round: endedIn } of person.ended.slice(-ENDED_TRIED)) {
      const { status } = await this.#run.calls.asClient(session, "POST", "/v2/tokens", {
        fcmToken: this.#run.newTokenValue(),
      });
      this.endedSessionsTried += 1;
      if (status === 401) continue;
      this.#run.violations.push(
        `a session of ${person.uid} whose end was acknowledged (${by}, ${round - endedIn} kills ago) was answered ${status}`,
      );
      if (status !== 200) continue;
      this.endedSessionsBack += 1;
      isBack = true;
    }
    for (const session of person.live) {
      const { status } = await this.#run.calls.asClient(session, "GET", "/v2/tokens");
      if (status !== 200) this.#run.violations.push(`a live session of ${person.uid} was answered ${status}`);
    }
    return !isBack;
  }

  /** Users who are erased and did nothing since: owner objects may know at most their `uncertain` tokens. */
  get erased(): Erased[] {
    return this.#people.filter(({ isErased }) => isErased);
  }
}

export type Erased = Readonly<Pick<Person, "uid" | "uncertain">>;

/** What the check reads of an export. */
interface Exported {
  registrations: { token: string; muted?: boolean }[];
  changes: { at: number; change: string }[];
}

function sidOf({ authToken }: Session): string {
  return JSON.parse(Buffer.from(authToken.split(".")[1] ?? "", "base64url").toString()).sid;
}
