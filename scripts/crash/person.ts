// A user of the crash test who has one phone and some sessions; all tokens are of one kind, and none passes to anybody else. In a
// state, a muted session's id is negative.
import { distinct, type Session, type State } from "./journal.ts";
import { Shown } from "./shown.ts";

export class Person {
  readonly uid: string;
  /** The token of the phone; a rotation changes it, an erasure does not. */
  token = "";
  /** Sessions that may act. */
  live: Session[] = [];
  /** Sessions whose end was asked for and not acknowledged: they may act or not. */
  doubtful: Session[] = [];
  /** Sessions whose end was acknowledged, the latest last. */
  ended: { session: Session; by: string; round: number }[] = [];
  /** Every state in which the tokens may be. */
  states: readonly State[] = [new Map()];
  /** What lookups may show of them. */
  readonly shown = new Shown();
  /** Something was stored: until then a reconciliation finds nothing that a restore could have revived, and ends no session. */
  isKnown = false;
  /** Nothing of before this moment may be on record (epoch ms). */
  erasedAt = 0;
  /**
   * Tokens that an owner object may know, and nobody else does: their registration was cut off by a kill; or they went, and a kill
   * came before the owner object heard of it (which is best effort).
   */
  readonly uncertain = new Set<string>();
  /** An erasure was acknowledged, and no registration was begun since. */
  isErased = false;

  constructor(uid: string) {
    this.uid = uid;
  }

  /** These states are possible too. */
  mayBe(states: readonly State[]): void {
    this.states = distinct([...this.states, ...states]);
    const certain = this.certain;
    for (const state of this.states)
      for (const token of state.keys()) if (!certain.has(token)) this.uncertain.add(token);
    for (const state of this.states) this.shown.allow(this.uid, audible(state));
  }

  /** Tokens that are held, whatever is possible. */
  get certain(): ReadonlySet<string> {
    const [first = new Map(), ...others] = this.states;
    return new Set([...first.keys()].filter((token) => others.every((state) => state.has(token))));
  }

  /** It was acknowledged that one of these states has come. */
  is(states: readonly State[]): void {
    this.states = distinct(states);
    this.shown.set(this.uid, this.states.map(audible));
  }

  /** After a restart the user's object holds what is known now, and the directory has that, or still what was served. */
  isServed(tokens: readonly string[]): void {
    this.shown.set(this.uid, [tokens, ...this.states.map(audible)]);
  }

  /** Keeps the states that are these tokens, muted or not; answers what is wrong if there is none. */
  narrow(held: ReadonlyMap<string, boolean>): string | null {
    const fits = this.states.filter(
      (state) => state.size === held.size && [...state].every(([token, holder]) => held.get(token) === holder < 0),
    );
    if (fits.length > 0) {
      this.states = fits;
      return null;
    }
    const allowed = this.states.map((state) =>
      JSON.stringify([...state].map(([token, holder]) => [token, holder < 0])),
    );
    return `${this.uid} holds ${JSON.stringify([...held])}, but only possible: ${allowed.join(" or ")}`;
  }
}

/** The session registers the token: it takes the session's slot, muted as that was. */
export function launched(state: State, session: Session, token: string): State {
  const isMuted = [...state.values()].includes(-session.id);
  const others = [...state].filter(([, holder]) => Math.abs(holder) !== session.id);
  return new Map([...others, [token, isMuted ? -session.id : session.id]]);
}

export function muted(state: State, session: Session, isMuted: boolean): State {
  const holder = isMuted ? -session.id : session.id;
  return new Map([...state].map(([token, before]) => [token, Math.abs(before) === session.id ? holder : before]));
}

/** Nothing of what the session holds is left. */
export function ended(state: State, session: Session): State {
  return new Map([...state].filter(([, holder]) => Math.abs(holder) !== session.id));
}

/** Whether the session holds something. */
export function holdsAny(state: State, session: Session): boolean {
  return [...state.values()].some((holder) => Math.abs(holder) === session.id);
}

/** Tokens that senders see unless they ask for muted ones. */
function audible(state: State): string[] {
  return [...state].filter(([, holder]) => holder > 0).map(([token]) => token);
}
