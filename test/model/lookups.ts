// Knows what lookups may show. It reads the tables of the directory objects and compares them, after every event, with what the
// users' objects held and acknowledged. Of versions it knows nothing: it compares what is shown.
//
// ACK   what is shown of a user is a state that the user's object had at its last acknowledgement, or since
// OWN   what an acknowledged registration claimed alone is shown for nobody else; TWO: nothing is shown for two users, where
//       the policy was always `exclusive`
// MARK  where the two differ, the user's alarm is near, or none is set: a new instance knows nothing else
// LAG   at rest they are the same

import type { SenderToken } from "../../src/domain/sender-token.ts";
import { identityOf } from "../../src/domain/token.ts";
import { type DirectorySettings, directoryName, directoryShard } from "../../src/durable/names.ts";
import { MINUTE_MS } from "../../src/limits.ts";
import type { Row } from "./statements.ts";
import { APP, type Call, type ModelObject, Violation, type World } from "./world.ts";

/** What senders see of one registration. */
interface Shown {
  installation: string;
  session: string;
  kind: "fcm" | "apns" | "voip";
  token: string;
  registeredAt: number;
  refreshedAt: number;
  suspect: boolean;
  muted: boolean;
  /** What only the user's object knows: nobody shares the token. */
  claimed: boolean;
}

/** What senders see of one user. */
interface State {
  rows: readonly Shown[];
  /** The same states have the same text. */
  text: string;
  /** Which installations these are. */
  installations: ReadonlySet<string>;
}

/** A moment of a user: the number of its data's restores, of the states since, and of the event. */
interface Moment {
  restores: number;
  state: number;
  step: number;
}

const NOBODY: State = { rows: [], text: "[]", installations: new Set() };

class User {
  readonly name: string;
  /** What senders could have been shown since the last restore, in order. */
  states: State[] = [NOBODY];
  restores = 0;
  /** What was held in the middle of the turn that is under way, or was. */
  turn: { step: number; states: State[] } | null = null;
  /** The number of the state that was last acknowledged. */
  acknowledged = 0;
  /** The data went back, and were not reconciled yet: nothing is promised. */
  isRestoring = false;
  /** No directory object of the present setting has confirmed anything yet: who finds no row asks the user's own object. */
  isAsked = false;
  /** The name of the directory object that has it, once that was asked for. */
  place: string | null = null;
  /** What the directory has; `null`: no row. */
  row: State | null = null;
  /** The text of that row. */
  tokens: string | undefined;
  /** Slots of acknowledged registrations that the user's object held ever since. */
  readonly promised = new Map<string, Shown>();
  /** Installations that nobody shares, as far as the user's object knows. */
  claimed = new Set<string>();

  constructor(name: string) {
    this.name = name;
  }

  get state(): State {
    return this.states.at(-1) ?? NOBODY;
  }

  /** What a lookup answers. */
  get shown(): State {
    return this.row ?? (this.isAsked ? this.state : NOBODY);
  }
}

export class Lookups {
  readonly #world: World;
  readonly #alwaysExclusive: boolean;
  #directory: DirectorySettings;
  #raisedAt = 0;
  /** Something happened since the last check. */
  #isNews = false;
  readonly #users = new Map<string, User>();
  /** When the call first arrived. */
  readonly #arrived = new Map<Call, Moment>();

  constructor(world: World, directory: DirectorySettings, alwaysExclusive: boolean) {
    this.#world = world;
    this.#directory = directory;
    this.#alwaysExclusive = alwaysExclusive;
  }

  // What happens

  /** The user's object holds this in the middle of a turn, and may go on from there. */
  writing(object: ModelObject): void {
    const user = this.#user(object);
    const { step } = this.#world;
    if (user.turn?.step !== step) user.turn = { step, states: [] };
    user.turn.states.push(held(object));
  }

  /** What the user's object holds now. */
  written(object: ModelObject): void {
    this.#isNews = true;
    const user = this.#user(object);
    const state = held(object);
    const passed = user.turn?.step === this.#world.step ? user.turn.states : [];
    for (const next of [...passed, state]) {
      if (next.text !== user.state.text) user.states.push(next);
      for (const [slot, promised] of user.promised) if (!holds(next, promised)) user.promised.delete(slot);
    }
    user.claimed = new Set(state.rows.filter(({ claimed }) => claimed).map(({ installation }) => installation));
  }

  /** What a directory object shows now. */
  published(object: ModelObject): void {
    this.#isNews = true;
    const rows = new Map(object.storage.rows("users").map(({ uid, tokens }) => [uid, String(tokens)]));
    for (const user of this.#users.values()) {
      user.place ??= directoryName(APP, this.#directory, directoryShard(this.#directory, user.name));
      if (object.name !== user.place) continue;
      const tokens = rows.get(user.name);
      if (tokens === undefined) user.row = null;
      else if (user.row === null || tokens !== user.tokens) {
        user.row = stateOf((JSON.parse(tokens) as SenderToken[]).map(fromSenderToken));
      }
      user.tokens = tokens;
    }
  }

  arrived(call: Call): void {
    if (!this.#arrived.has(call)) this.#arrived.set(call, this.#now(call.to));
  }

  /** Somebody was told of the user's state as it was when the call arrived, or later. */
  acknowledged(call: Call): void {
    this.#isNews = true;
    const user = this.#user(call.to);
    const arrived = this.#arrived.get(call);
    if (arrived?.restores !== user.restores) return;
    user.acknowledged = Math.max(user.acknowledged, arrived.state);
    if (arrived.step > this.#raisedAt) user.isAsked = false;
  }

  /** The slot of an acknowledged registration: shown for as long as the user's object holds it. */
  registered(call: Call, slot: Pick<Shown, "session" | "kind" | "token">): void {
    const user = this.#user(call.to);
    const arrived = this.#arrived.get(call);
    if (arrived?.restores !== user.restores) return;
    const since = user.states.slice(arrived.state);
    const stored = since.findIndex((state) => holds(state, slot));
    if (!since.slice(stored).every((state) => holds(state, slot))) return;
    const held = user.state.rows.find((row) => isSame(row, slot));
    if (held !== undefined) user.promised.set(`${slot.session} ${slot.kind}`, held);
  }

  restored(object: ModelObject): void {
    this.#isNews = true;
    const user = this.#user(object);
    user.restores += 1;
    user.states = [held(object)];
    user.acknowledged = 0;
    user.isRestoring = true;
    user.promised.clear();
  }

  reconciled(name: string): void {
    this.#isNews = true;
    this.#user(this.#world.object(`${APP}:${name}`)).isRestoring = false;
  }

  /** Other directory objects are meant from now on; all calls under way were lost. */
  raised(directory: DirectorySettings): void {
    this.#isNews = true;
    this.#directory = directory;
    this.#raisedAt = this.#world.step;
    for (const user of this.#users.values()) {
      user.place = null;
      user.row = null;
      user.isAsked = true;
    }
  }

  // What must hold

  check(): void {
    if (!this.#isNews) return;
    this.#isNews = false;
    const users = [...this.#users.values()].filter((user) => !user.isRestoring);
    for (const user of users) {
      this.#checkAcknowledged(user);
      this.#checkMark(user);
    }
    this.#checkOwners(users);
  }

  #checkAcknowledged({ name, states, acknowledged, shown, promised }: User): void {
    if (states.findLastIndex((state) => state.text === shown.text) < acknowledged) {
      throw new Violation(`a lookup of ${name} shows ${shown.text}; acknowledged was ${states[acknowledged]?.text}`);
    }
    for (const slot of promised.values()) {
      if (!holds(shown, slot)) throw new Violation(`a lookup of ${name} shows ${shown.text}, without ${slot.token}`);
    }
  }

  #checkMark(user: User): void {
    if (user.row?.text === user.state.text || user.shown.text === user.state.text) return;
    const { alarm } = this.#world.object(`${APP}:${user.name}`).storage;
    if (alarm === null || alarm % MINUTE_MS !== 0) return;
    throw new Violation(`the alarm of ${user.name} is far, and the directory does not have ${user.state.text}`);
  }

  #checkOwners(users: readonly User[]): void {
    for (const user of users) {
      for (const other of users) {
        if (user === other) continue;
        const theirs = other.shown.installations;
        if (theirs.size === 0) continue;
        const isShownTwice = ({ token }: Shown) => `${token} is shown for ${user.name} and ${other.name}`;
        const two = this.#alwaysExclusive && user.shown.rows.find((row) => theirs.has(row.installation));
        if (two) throw new Violation(isShownTwice(two));
        const owned = [...user.promised.values()].filter((row) => user.claimed.has(row.installation));
        const own = owned.find((row) => theirs.has(row.installation));
        if (own !== undefined) throw new Violation(isShownTwice(own));
      }
    }
  }

  /** At rest: nothing is on its way, and near alarms went off. */
  rest(): void {
    for (const user of this.#users.values()) {
      const { name, shown, state } = user;
      const { storage } = this.#world.object(`${APP}:${name}`);
      // Without its alarm the object waits for a call.
      if (user.isRestoring || storage.isAlarmLost) continue;
      if (shown.text !== state.text) {
        throw new Violation(`at rest a lookup of ${name} shows ${shown.text}; its object holds ${state.text}`);
      }
      if (storage.rows("facts").some(isOfErasure)) throw new Violation(`at rest the erasure of ${name} has not ended`);
    }
  }

  #now(object: ModelObject): Moment {
    const { restores, states } = this.#user(object);
    return { restores, state: states.length - 1, step: this.#world.step };
  }

  #user(object: ModelObject): User {
    const name = object.name.slice(APP.length + 1);
    let user = this.#users.get(name);
    if (user === undefined) {
      user = new User(name);
      this.#users.set(name, user);
    }
    return user;
  }
}

function isOfErasure({ fact }: Row): boolean {
  return fact === "erasure" || fact === "forget";
}

function fromRegistration(row: Row): Shown {
  const [kind, token] = [row.kind as Shown["kind"], String(row.token)];
  return {
    installation: installation(kind, token),
    session: String(row.session),
    kind,
    token,
    registeredAt: Number(row.registered_at),
    refreshedAt: Number(row.shown_at),
    suspect: row.suspect_at !== null,
    muted: row.muted === 1,
    claimed: row.claimed === 1,
  };
}

function fromSenderToken(token: SenderToken): Shown {
  const { kind, sessionId: session } = token;
  const of = installation(kind, token.token);
  return { ...token, installation: of, session, muted: token.muted === true, claimed: false };
}

function held({ storage }: ModelObject): State {
  return storage.registrations(toState);
}

function toState(rows: readonly Row[]): State {
  return stateOf(rows.map(fromRegistration));
}

function stateOf(rows: readonly Shown[]): State {
  if (rows.length === 0) return NOBODY;
  const texts = rows.map(({ session, kind, token, registeredAt, refreshedAt, suspect, muted }) => {
    const marks = `${suspect ? " suspect" : ""}${muted ? " muted" : ""}`;
    return `${session} ${kind} ${token} ${registeredAt} ${refreshedAt}${marks}`;
  });
  return {
    rows,
    text: `[${texts.sort().join(", ")}]`,
    installations: new Set(rows.map((row) => row.installation)),
  };
}

function installation(kind: Shown["kind"], token: string): string {
  return `${kind}:${identityOf(kind, token, { fcmInstallations: true })}`;
}

function isSame(a: Pick<Shown, "session" | "kind" | "token">, b: Pick<Shown, "session" | "kind" | "token">): boolean {
  return a.session === b.session && a.kind === b.kind && a.token === b.token;
}

function holds(state: State, slot: Pick<Shown, "session" | "kind" | "token">): boolean {
  return state.rows.some((row) => isSame(row, slot));
}
