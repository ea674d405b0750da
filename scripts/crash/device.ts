// A phone of the crash test: its tokens stay on it while users log in and out.
import { type DeviceToken, emptied, type Kind, type Known, type Session, type State } from "./journal.ts";
import type { Lookups, Served } from "./lookups.ts";
import type { Run } from "./run.ts";
import { Shown } from "./shown.ts";

export class Device implements Known {
  readonly #run: Run;
  readonly tokens: DeviceToken[] = [];
  readonly #kinds = new Map<string, Kind>();
  readonly #sessions = new Map<number, Session>();
  /** Every state in which the tokens of this device may be. */
  states: State[] = [new Map()];
  /** What lookups may show of them. */
  readonly shown = new Shown();
  session: Session | null = null;
  /** A logout that was not answered is repeated before anything else. */
  leaving = false;
  /** Operations begun, ever. */
  begun = 0;
  busy = false;

  constructor(run: Run) {
    this.#run = run;
  }

  kindOf(token: string): Kind {
    return this.#kinds.get(token) ?? "fcm";
  }

  uidOf(session: number): string {
    return this.#sessions.get(session)?.uid ?? "";
  }

  learn(session: Session): void {
    this.#sessions.set(session.id, session);
    this.session = session;
  }

  /** Every user who ever had the phone. */
  get uids(): string[] {
    return [...new Set([...this.#sessions.values()].map(({ uid }) => uid))];
  }

  /** A state in which the users hold the tokens that `holderOf` says, by any of their sessions. */
  stateOf(holderOf: (token: string) => string | undefined): State {
    const held = this.everyToken.flatMap((token): [string, number][] => {
      const session = [...this.#sessions.values()].find(({ uid }) => uid === holderOf(token));
      return session === undefined ? [] : [[token, session.id]];
    });
    return new Map(held);
  }

  newToken(kind: Kind): DeviceToken {
    const token = { kind, value: this.#run.newTokenValue() };
    this.#kinds.set(token.value, kind);
    return token;
  }

  /** All tokens that this device ever had. */
  get everyToken(): string[] {
    return [...this.#kinds.keys()];
  }

  /** Forgets tokens that are surely with nobody, and shown nowhere, and adds them to `retired`: they must not come back. */
  retire(retired: Set<string>): void {
    const current = new Set(this.tokens.map(({ value }) => value));
    for (const value of this.#kinds.keys()) {
      if (current.has(value) || this.isAbout(value)) continue;
      this.#kinds.delete(value);
      retired.add(value);
    }
  }

  /** Whether somebody may hold the token, or lookups may show it. */
  isAbout(token: string): boolean {
    return this.states.some((state) => state.has(token)) || this.shown.knows(token);
  }

  // What lookups may show

  /** Any state that is possible now, beside what was possible before. */
  mayBeShown(): void {
    for (const uid of this.uids) for (const tokens of this.#heldBy(uid)) this.shown.allow(uid, tokens);
  }

  /** A call of the user's object was acknowledged: of that user, a state that is possible now. */
  isShown(uid: string): void {
    this.shown.set(uid, this.#heldBy(uid));
  }

  /** Compares what a lookup served of these users. */
  judge(lookups: Lookups, served: Served, when: string): void {
    for (const [uid, tokens] of served) lookups.judge(this.shown, uid, this.#mine(tokens), when);
  }

  /** After a restart a user's object holds what is known now, and the directory has that, or still what was served. */
  isServed(served: Served): void {
    for (const uid of this.uids) {
      this.shown.set(uid, [this.#mine(served.get(uid) ?? []), ...this.#heldBy(uid)]);
    }
  }

  #mine(tokens: readonly string[]): string[] {
    return tokens.filter((token) => this.#kinds.has(token));
  }

  #heldBy(uid: string): string[][] {
    return this.states.map((state) =>
      [...state].filter(([, holder]) => this.uidOf(holder) === uid).map(([token]) => token),
    );
  }

  // What users' objects hold

  /** Keeps the states in which exactly these users hold the tokens; answers what is wrong if there is none. */
  narrow(holderOf: (token: string) => string | undefined): string | null {
    const fits = this.states.filter((state) =>
      this.everyToken.every((token) => {
        const holder = state.get(token);
        return (holder === undefined ? "" : this.uidOf(holder)) === (holderOf(token) ?? "");
      }),
    );
    if (fits.length > 0) {
      this.states = fits;
      return null;
    }
    const served = this.everyToken.map((token) => `${token}: ${holderOf(token) ?? "nobody"}`);
    const allowed = this.states.map((s) => JSON.stringify([...s].map(([t, h]) => [t, this.uidOf(h)])));
    this.states = [this.stateOf(holderOf)];
    return `served: ${served.join("; ")}; but only possible: ${allowed.join(" or ")}`;
  }

  /** Whether a read that lists these tokens of the user is possible; answers what is wrong if not. */
  contradicts(uid: string, tokens: readonly string[]): string | null {
    const listed = JSON.stringify(this.#mine(tokens).sort());
    const allowed = this.#heldBy(uid).map((held) => JSON.stringify(held.sort()));
    if (allowed.includes(listed)) return null;
    return `a read of ${uid} shows ${listed}; but only possible: ${allowed.join(" or ")}`;
  }

  /** The states, and what removals of all tokens of some of the users make of them. */
  withRemovals(states: readonly State[], uids: readonly string[]): State[] {
    const all = [...states];
    for (const uid of uids) all.push(...all.map((state) => emptied(state, (holder) => this.uidOf(holder) === uid)));
    return all;
  }
}
