// A user of the crash test who has one phone and some sessions; all tokens are of one kind, and none passes to anybody else. In a
// state, a muted session's id is negative; one that holds nothing any more stands there under a name that is no token.
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
    for (const state of this.states) {
      for (const [token] of held(state)) if (!certain.has(token)) this.uncertain.add(token);
    }
    for (const state of this.states) this.shown.allow(this.uid, audible(state));
  }

  /** Tokens that are held, whatever is possible. */
  get certain(): ReadonlySet<string> {
    const [first = new Map(), ...others] = this.states;
    const tokens = held(first).map(([token]) => token);
    return new Set(tokens.filter((token) => others.every((state) => state.has(token))));
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
  narrow(served: ReadonlyMap<string, boolean>): string | null {
    const fits = this.states.filter((state) => {
      const tokens = held(state);
      return tokens.length === served.size && tokens.every(([token, holder]) => served.get(token) === holder < 0);
    });
    if (fits.length > 0) {
      this.states = fits;
      return null;
    }
    const allowed = this.states.map((state) =>
      JSON.stringify(held(state).map(([token, holder]) => [token, holder < 0])),
    );
    return `${this.uid} holds ${JSON.stringify([...served])}, but only possible: ${allowed.join(" or ")}`;
  }
}

/** The session registers the token: it takes the session's slot, muted as the session is. */
export function launched(state: State, session: Session, token: string): State {
  const isMuted = [...state.values()].includes(-session.id);
  const next = new Map([...state].filter(([, holder]) => Math.abs(holder) !== session.id));
  const before = next.get(token) ?? 0;
  next.set(token, isMuted ? -session.id : session.id);
  if (before < 0 && ![...next.values()].includes(before)) next.set(`${SILENT}${before}`, before);
  return next;
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
  return held(state).some(([, holder]) => Math.abs(holder) === session.id);
}

/** Tokens that senders see unless they ask for muted ones. */
function audible(state: State): string[] {
  return held(state).flatMap(([token, holder]) => (holder > 0 ? [token] : []));
}

/** Of a muted session that holds nothing. */
const SILENT = "silent session ";

/** The tokens that are held, and by which sessions. */
function held(state: State): [token: string, holder: number][] {
  return [...state].filter(([name]) => !name.startsWith(SILENT));
}
