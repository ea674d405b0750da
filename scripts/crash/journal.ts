// What clients were told, and so what may be served: the journal of the crash test. Each device keeps every state in which
// its tokens may be: one, as long as everything is answered; more, where an answer is missing. What is served must be one of
// them, whole.

export type Kind = "fcm" | "apns" | "voip";

export interface DeviceToken {
  kind: Kind;
  value: string;
}

/** One login of a device. */
export interface Session {
  /** Tells the logins of one uid apart; only the journal knows it. */
  id: number;
  uid: string;
  authToken: string;
}

/** Token → session id that holds it; a token that is missing is held by nobody. */
export type State = ReadonlyMap<string, number>;

/** The tokens that `session` registers take its slots, from whoever holds them. */
export function registered(state: State, session: Session, tokens: readonly DeviceToken[], known: Known): State {
  const next = new Map(state);
  for (const token of tokens) {
    for (const [value, holder] of state) {
      if (holder === session.id && known.kindOf(value) === token.kind) next.delete(value);
    }
  }
  for (const token of tokens) next.set(token.value, session.id);
  return next;
}

/**
 * What a registration that was begun and not acknowledged may leave: everything as it was, everything done, or some of the
 * tokens that were other users' with nobody.
 */
export function begun(state: State, session: Session, tokens: readonly DeviceToken[], known: Known): State[] {
  const states: State[] = [registered(state, session, tokens, known), state];
  const taken = tokens.filter(({ value }) => {
    const holder = state.get(value);
    return holder !== undefined && known.uidOf(holder) !== session.uid;
  });
  for (let subset = 1; subset < 2 ** taken.length; subset += 1) {
    const released = new Map(state);
    taken.forEach(({ value }, i) => {
      if (subset & (1 << i)) released.delete(value);
    });
    states.push(released);
  }
  return states;
}

/** Nothing of what `covers` holds is left. */
export function emptied(state: State, covers: (session: number) => boolean): State {
  return new Map([...state].filter(([, holder]) => !covers(holder)));
}

/** What the journal knows beside the states. */
export interface Known {
  kindOf(token: string): Kind;
  uidOf(session: number): string;
}

/** States without repetition. */
export function distinct(states: readonly State[]): State[] {
  const byText = new Map(states.map((state) => [JSON.stringify([...state].sort()), state]));
  return [...byText.values()];
}

/** What a client sends to register tokens. */
export function bodyOf(tokens: readonly DeviceToken[]): Record<string, string> {
  return Object.fromEntries(tokens.map(({ kind, value }) => [`${kind}Token`, value]));
}
