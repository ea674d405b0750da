// Phones that pass from user to user, and what they may hold: registrations, rotations, takeovers, removals and logouts, many at
// a time. Each phone keeps every state that its tokens may be in; what is served after a kill must be one of them.
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, tokensIn } from "../lib/load.ts";
import { Device } from "./device.ts";
import {
  begun,
  bodyOf,
  type DeviceToken,
  distinct,
  emptied,
  type Kind,
  registered,
  type Session,
  type State,
} from "./journal.ts";
import type { Lookups, Served } from "./lookups.ts";
import type { Run } from "./run.ts";

const USERS = 30;
const DEVICES = 40;
/** Clients that register one another's token at the same time, four each. */
const RIVALS = 8;
/** After each round so many of the sessions that logged out last try to register. */
const DEAD_SESSIONS_TRIED = 40;

interface User {
  uid: string;
  /** Removals of all tokens of the user that are under way, and how many ever began or ended. */
  removals: number;
  turns: number;
}

interface Operation {
  name: string;
  /** Tokens that are the user's alone where it was acknowledged. */
  takes?: readonly string[];
  /** The states that follow where it was acknowledged, and where no reply came. */
  done: (state: State) => State[];
  begun: (state: State) => State[];
  send: () => Promise<Answer>;
}

export class Phones {
  deadSessionsTried = 0;
  tokensChecked = 0;
  readonly #run: Run;
  readonly #lookups: Lookups;
  readonly #devices: Device[] = [];
  readonly #dead: Session[] = [];
  /** Tokens that are surely with nobody. */
  readonly #retired = new Set<string>();
  #users: User[] = [];
  #contested: string[] = [];
  #sessions = 0;

  constructor(run: Run, lookups: Lookups) {
    this.#run = run;
    this.#lookups = lookups;
  }

  /** Other users and other phones, from now on. */
  renew(generation: number): void {
    this.#users = Array.from({ length: USERS }, (_, i) => ({ uid: `user-${generation}-${i}`, removals: 0, turns: 0 }));
    for (const device of this.#devices) this.#retireDevice(device);
    this.#devices.length = 0;
    for (let i = 0; i < DEVICES; i += 1) this.#devices.push(new Device(this.#run));
    this.#contested = Array.from({ length: RIVALS / 4 }, () => this.#run.newTokenValue());
  }

  /** Devices of an earlier generation are left alone: what they hold must stay, what they do not hold must not return. */
  #retireDevice(device: Device): void {
    for (const value of device.everyToken) if (!device.isAbout(value)) this.#retired.add(value);
  }

  /** Everybody acts until the server is killed. */
  async live(): Promise<void> {
    const rivals = Array.from({ length: RIVALS }, (_, i) => this.#rival(i));
    await Promise.all([...this.#devices.map((device) => this.#run.untilKilled(() => this.#act(device))), ...rivals]);
  }

  async #act(device: Device): Promise<void> {
    if (device.session === null) {
      await this.#logIn(device);
      return;
    }
    if (device.leaving) {
      await this.#logOut(device, device.session);
      return;
    }
    const { session } = device;
    const dice = this.#run.random();
    if (dice < 0.3)
      await this.#register(device, session, device.tokens.length > 0 ? device.tokens : this.#fresh(device));
    else if (dice < 0.5) await this.#register(device, session, this.#fresh(device));
    else if (dice < 0.58) await this.#read(device, session);
    else if (dice < 0.65) await this.#lookUp(device);
    else if (dice < 0.75) await this.#remove(device, session);
    else if (dice < 0.85) await this.#logOut(device, session);
    else if (dice < 0.9) await this.#registerWhileLoggingOut(device, session);
    else if (dice < 0.97) await this.#logIn(device);
    else await this.#removeAll(device, session);
  }

  /** The phone passes to a user: the tokens stay on it, and where they are registered stays as it is for now. */
  async #logIn(device: Device): Promise<void> {
    const user = this.#users[Math.floor(this.#run.random() * this.#users.length)];
    if (user === undefined) throw new Error("no users");
    const { uid, authToken } = await this.#run.calls.login(user.uid);
    this.#sessions += 1;
    device.learn({ id: this.#sessions, uid, authToken });
  }

  #fresh(device: Device): DeviceToken[] {
    const kinds: Kind[] = this.#run.random() < 0.6 ? ["fcm"] : ["apns", "voip"];
    const tokens = kinds.map((kind) => device.newToken(kind));
    device.tokens.splice(0, device.tokens.length, ...tokens);
    return tokens;
  }

  async #register(device: Device, session: Session, tokens: readonly DeviceToken[]): Promise<void> {
    await this.#operation(device, session, {
      name: "registration",
      takes: tokens.map(({ value }) => value),
      done: (state) => [registered(state, session, tokens, device)],
      begun: (state) => begun(state, session, tokens, device),
      send: () => this.#run.calls.asClient(session, "POST", "/v2/tokens", bodyOf(tokens)),
    });
  }

  async #remove(device: Device, session: Session): Promise<void> {
    const done = (state: State) => [emptied(state, (holder) => holder === session.id)];
    await this.#operation(device, session, {
      name: "removal",
      done,
      begun: (state) => [state, ...done(state)],
      send: () => this.#run.calls.asClient(session, "DELETE", "/v2/tokens", { all: false }),
    });
  }

  async #logOut(device: Device, session: Session): Promise<void> {
    const done = (state: State) => [emptied(state, (holder) => holder === session.id)];
    device.leaving = true;
    await this.#operation(device, session, {
      name: "logout",
      done,
      begun: (state) => [state, ...done(state)],
      send: () => this.#run.calls.asClient(session, "DELETE", "/v3.0/me"),
    });
    this.#buried(device, session);
  }

  async #registerWhileLoggingOut(device: Device, session: Session): Promise<void> {
    const tokens = device.tokens.length > 0 ? [...device.tokens] : this.#fresh(device);
    const out = (state: State) => emptied(state, (holder) => holder === session.id);
    const meanwhile = (state: State) => begun(state, session, tokens, device);
    device.leaving = true;
    let late: Promise<unknown> = Promise.resolve();
    await this.#operation(device, session, {
      name: "logout",
      done: (state) => meanwhile(state).map(out),
      begun: (state) => [...meanwhile(state), ...meanwhile(state).map(out)],
      send: async () => {
        late = this.#run.calls.asClient(session, "POST", "/v2/tokens", bodyOf(tokens)).catch(() => undefined);
        return await this.#run.calls.asClient(session, "DELETE", "/v3.0/me");
      },
    });
    this.#buried(device, session);
    await late;
  }

  #buried(device: Device, session: Session): void {
    if (!device.leaving || device.session !== session) return;
    device.leaving = false;
    device.session = null;
    this.#dead.push(session);
    if (this.#dead.length > 4 * DEAD_SESSIONS_TRIED) this.#dead.splice(0, DEAD_SESSIONS_TRIED);
  }

  async #operation(device: Device, session: Session, operation: Operation): Promise<void> {
    const before = device.states;
    const overlapping = this.#removalsDuring(device, session);
    // Removals of all tokens of a user may come before the operation, although they were asked for later, and after it.
    const after = (follow: (state: State) => State[]): State[] => {
      const users = overlapping();
      const removed = (states: State[]) => device.withRemovals(states, users);
      return distinct(removed(removed(before).flatMap(follow)));
    };
    device.begun += 1;
    device.busy = true;
    device.states = after(operation.begun);
    device.mayBeShown();
    let isDone = false;
    try {
      const { status, text } = await this.#run.counted(operation.name, operation.send);
      isDone = status === 200;
      if (status < 500 && !isDone) {
        this.#run.violations.push(`a live session of ${session.uid} was answered ${status}: ${text}`);
      }
    } finally {
      device.busy = false;
      device.states = after(isDone ? operation.done : operation.begun);
      device.mayBeShown();
      if (isDone) {
        device.isShown(session.uid);
        for (const token of operation.takes ?? []) device.shown.isOnlyOf(session.uid, token);
      }
      device.retire(this.#retired);
    }
  }

  /** Answers, each time it is asked, of which users the device's tokens may have been removed all at once since now. */
  #removalsDuring(device: Device, session: Session): () => string[] {
    const holders = new Set(device.states.flatMap((state) => [...state.values()].map((id) => device.uidOf(id))));
    const involved = this.#users
      .filter(({ uid }) => uid === session.uid || holders.has(uid))
      .map((user) => ({ user, turns: user.turns, isUnderWay: user.removals > 0 }));
    return () =>
      involved.filter(({ user, turns, isUnderWay }) => isUnderWay || user.turns !== turns).map(({ user }) => user.uid);
  }

  async #removeAll(device: Device, session: Session): Promise<void> {
    const user = this.#users.find(({ uid }) => uid === session.uid);
    if (user === undefined || user.removals > 0) return;
    user.removals += 1;
    user.turns += 1;
    const affected = this.#devices.map((each) => ({ each, begun: each.begun, busy: each.busy }));
    const remove = (each: Device) =>
      each.states.map((state) => emptied(state, (holder) => each.uidOf(holder) === session.uid));
    for (const { each } of affected) {
      each.states = distinct([...each.states, ...remove(each)]);
      each.mayBeShown();
    }
    try {
      const { status } = await this.#run.counted("removal of all", () =>
        this.#run.calls.asClient(session, "DELETE", "/v2/tokens", { all: true }),
      );
      if (status !== 200) return;
      for (const { each, begun, busy } of affected) {
        if (busy || each.begun !== begun) continue;
        each.states = distinct(remove(each));
        each.isShown(session.uid);
      }
      device.retire(this.#retired);
    } finally {
      user.removals -= 1;
      user.turns += 1;
    }
  }

  /** Read your writes: a device whose state is known sees it. */
  async #read(device: Device, session: Session): Promise<void> {
    const user = this.#users.find(({ uid }) => uid === session.uid);
    const turns = user?.turns;
    const reply = await this.#run.calls.asClient(session, "GET", "/v2/tokens");
    if (reply.status !== 200 || user?.turns !== turns || (user?.removals ?? 0) > 0) return;
    const wrong = device.contradicts(session.uid, tokensIn(reply));
    if (wrong !== null) this.#run.violations.push(wrong);
  }

  /** Senders see what is known of the phone's tokens, whoever may hold them. */
  async #lookUp(device: Device): Promise<void> {
    const users = this.#users
      .filter(({ uid }) => device.uids.includes(uid))
      .map((user) => ({ user, uid: user.uid, turns: user.turns }));
    const served = await this.#lookups.of(users.map(({ uid }) => uid));
    const known = users.filter(({ user, turns }) => user.turns === turns && user.removals === 0);
    device.judge(this.#lookups, new Map(known.map(({ uid }) => [uid, served.get(uid) ?? []])), "a lookup");
  }

  /** One of the clients that want the same token at the same time. */
  async #rival(i: number): Promise<void> {
    const token = this.#contested[i % this.#contested.length] ?? "";
    const user = this.#users[i % this.#users.length];
    if (user === undefined) return;
    let login: { uid: string; authToken: string } | null = null;
    await this.#run.untilKilled(async () => {
      const { calls } = this.#run;
      login ??= await calls.login(user.uid);
      const mine = login;
      await this.#run.counted("contested registration", () =>
        calls.asClient(mine, "POST", "/v2/tokens", { voipToken: token }),
      );
      await sleep(Math.floor(this.#run.random() * 10));
    });
  }

  // What is served after the restart

  /** Compares what is served with what may be, and tries what must be refused. Lookups come first: nobody has called yet. */
  async check(): Promise<void> {
    const { violations } = this.#run;
    const uids = this.#users.map(({ uid }) => uid);
    const shown = await this.#lookups.of(uids);
    this.#checkHolders("shown", shown);
    for (const device of this.#devices) device.judge(this.#lookups, shown, "a lookup after the kill");
    const held = new Map<string, readonly string[]>();
    for (const uid of uids) {
      const login = await this.#run.calls.login(uid);
      held.set(uid, tokensIn(await this.#run.calls.asClient(login, "GET", "/v2/tokens")));
    }
    const holders = this.#checkHolders("held", held);
    this.tokensChecked += holders.size;
    for (const device of this.#devices) {
      const wrong = device.narrow((token) => holders.get(token));
      if (wrong !== null) violations.push(wrong);
      device.isServed(shown);
    }
    await this.#checkDead();
    await this.#checkContested();
  }

  /** Every token with its holder: there is one, and none of a token that was removed. */
  #checkHolders(how: "shown" | "held", served: Served): Map<string, string> {
    const holders = new Map<string, string>();
    for (const [uid, tokens] of served) {
      for (const token of tokens) {
        const other = holders.get(token);
        if (other !== undefined) this.#run.violations.push(`${token} is ${how} for ${other} and for ${uid}`);
        if (this.#retired.has(token)) this.#run.violations.push(`${token} is ${how} again after its removal`);
        holders.set(token, uid);
      }
    }
    return holders;
  }

  /** Sessions that logged out try to register. */
  async #checkDead(): Promise<void> {
    for (const session of this.#dead.slice(-DEAD_SESSIONS_TRIED)) {
      const { status } = await this.#run.calls.asClient(session, "POST", "/v2/tokens", {
        fcmToken: this.#run.newTokenValue(),
      });
      this.deadSessionsTried += 1;
      if (status !== 401) this.#run.violations.push(`a session that logged out was answered ${status}`);
    }
  }

  /** A contested token is registered once more: then this client, and nobody else, holds it. */
  async #checkContested(): Promise<void> {
    const user = this.#users[0];
    if (user === undefined) return;
    for (const token of this.#contested) {
      const login = await this.#run.calls.login(user.uid);
      const { status } = await this.#run.calls.asClient(login, "POST", "/v2/tokens", { voipToken: token });
      const mine = tokensIn(await this.#run.calls.asClient(login, "GET", "/v2/tokens")).includes(token);
      if (status !== 200 || !mine) this.#run.violations.push(`${token} cannot be registered any more: ${status}`);
      await this.#run.calls.asClient(login, "DELETE", "/v2/tokens", { all: false });
    }
  }
}
