// A phone of the crash test: its tokens stay on it while users log in and out.
import type { DeviceToken, Kind, Known, Session, State } from "./journal.ts";
import type { Run } from "./run.ts";

export class Device implements Known {
  readonly #run: Run;
  readonly tokens: DeviceToken[] = [];
  readonly #kinds = new Map<string, Kind>();
  readonly #sessions = new Map<number, Session>();
  /** Every state in which the tokens of this device may be. */
  states: State[] = [new Map()];
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

  /** Forgets tokens that are surely with nobody, and adds them to `retired`: they must not come back. */
  retire(retired: Set<string>): void {
    const current = new Set(this.tokens.map(({ value }) => value));
    for (const value of this.#kinds.keys()) {
      if (current.has(value) || this.states.some((state) => state.has(value))) continue;
      this.#kinds.delete(value);
      retired.add(value);
    }
  }
}
