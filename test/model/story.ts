// A schedule written by hand: who sends what, and which call or reply arrives next.
import type { Policy, PushToken, Session } from "../../src/domain/registration.ts";
import { Clients, type Setup } from "./clients.ts";
import type { Action } from "./oracle.ts";
import type { Runner } from "./schedule.ts";
import { APP, type Call, type Crash, type ModelObject, type Reply, type World } from "./world.ts";

const SETUP: Setup = { policy: "exclusive", identity: "issued", refreshes: false, limited: false, objects: 1 };

interface Beginning {
  /** With small limits. */
  small?: boolean;
  /** No object has its tables. */
  cold?: boolean;
}

export class Story {
  readonly world: World;
  readonly #clients: Clients;

  constructor(runner: Runner, { small = false, cold = false, ...setup }: Partial<Setup> & Beginning = {}) {
    this.world = runner.world(small, cold, true);
    this.#clients = new Clients(this.world, { ...SETUP, ...setup }, small ? 3 : Number.POSITIVE_INFINITY);
  }

  login(user: string, login = 0): Session {
    return this.#clients.login(user, login);
  }

  send(user: string, action: Action): Call {
    const call = this.#clients.send(user, action);
    if (call === null) throw new Error(`${action.do} sends nothing`);
    return call;
  }

  register(user: string, session: Session, ...tokens: PushToken[]): Call {
    return this.send(user, { do: "register", session, tokens });
  }

  /** A file of another system, which saw these devices at `seenAt` (epoch ms). `session`: `null` where it knows none. */
  import(user: string, seenAt: number, session: Session | null, ...tokens: PushToken[]): Call {
    return this.send(user, { do: "import", items: tokens.map((token) => this.#clients.item(token, seenAt, session)) });
  }

  /** The app's policy changes. Nothing of the old one may be on its way. */
  declare(policy: Policy): void {
    this.#clients.declare(policy);
  }

  /** The app allows longer sessions, or again the shorter ones. */
  changeSettings(): void {
    this.#clients.changeSettings();
  }

  /** The app has other directory objects, which know nobody yet. */
  raiseEpoch(): void {
    this.#clients.raiseEpoch();
  }

  /** The object that holds what the user holds. */
  object(user: string): ModelObject {
    return this.world.object(`${APP}:${user}`);
  }

  /** A moment to which the user's data can go back. */
  remember(user: string): void {
    this.object(user).storage.remember();
  }

  /** The user's data go back to a moment that was remembered; 0 is the first. */
  restore(user: string, moment = 0): void {
    this.#clients.restore(user, moment);
  }

  /** A restore that began comes to where the object needs but a new start. */
  async prepared(user: string): Promise<void> {
    await this.arrives("prepareRestore", user);
    await this.arrives("keepMarks", user);
    await this.answered("keepMarks", user);
  }

  /** A restore that began comes to where the object starts anew, from the data of that moment. */
  async restarts(user: string): Promise<void> {
    await this.prepared(user);
    await this.answered("prepareRestore", user);
    await this.arrives("restart", user);
    await this.answered("restart", user);
  }

  /** After `ms` the alarm of the user's object goes off, and what follows comes to rest. */
  async alarm(user: string, ms: number): Promise<void> {
    const object = this.object(user);
    object.storage.alarm = this.world.now() + ms;
    await this.world.fireAlarm(object);
    await this.rest();
  }

  /** The first call on its way that fits arrives. `of`: a user who sent it, or who is its object. */
  async arrives(method: string, of?: string, crash?: Crash): Promise<void> {
    await this.world.arrive(this.onItsWay(method, of), crash);
  }

  /** As {@link arrives}, if one is on its way. */
  async mayArrive(method: string, of?: string): Promise<void> {
    if (this.world.calls.some((call) => call.method === method && fits(call, of))) await this.arrives(method, of);
  }

  onItsWay(method: string, of?: string, token?: PushToken): Call {
    const call = this.world.calls.find(
      (each) => each.method === method && fits(each, of) && (token === undefined || each.args.includes(token.hash)),
    );
    if (call === undefined) throw new Error(`no ${method} of ${of} is on its way`);
    return call;
  }

  /** The first (or last) reply on its way that fits arrives. */
  async answered(
    method: string,
    of?: string,
    which: "first" | "last" = "first",
    crash: Crash | null = null,
  ): Promise<void> {
    const isMeant = ({ call }: Reply) => call.method === method && fits(call, of);
    const { replies } = this.world;
    const reply = which === "first" ? replies.find(isMeant) : replies.findLast(isMeant);
    if (reply === undefined) throw new Error(`no reply to ${method} of ${of} is on its way`);
    await this.world.deliver(reply, crash);
  }

  /** As {@link answered}, if a reply is on its way. */
  async mayBeAnswered(method: string, of: string): Promise<void> {
    if (this.world.replies.some(({ call }) => call.method === method && fits(call, of)))
      await this.answered(method, of);
  }

  /** The directory hears of the user's state, and confirms it. */
  async published(user: string): Promise<void> {
    await this.arrives("put", user);
    await this.answered("put", user);
  }

  /**
   * Everything that is on its way arrives, in order; then timers go off, and near alarms. What is in `except` stays on its way (of a
   * method: every call), and near alarms wait.
   */
  async rest(...except: (Call | string)[]): Promise<void> {
    for (let events = 0; events < 1_000; events += 1) {
      const call = this.world.calls.find((each) => !except.includes(each) && !except.includes(each.method));
      const reply = this.world.replies[0];
      if (call !== undefined) await this.world.arrive(call);
      else if (reply !== undefined) await this.world.deliver(reply);
      else if (this.world.hasTimer) await this.world.fireTimer();
      else if (except.length > 0 || !(await this.#nearAlarm())) break;
    }
    if (except.length === 0) this.#clients.oracle.rest();
  }

  async #nearAlarm(): Promise<boolean> {
    const next = this.world.soonAlarm;
    if (next === null) return false;
    await this.world.fireAlarm(next.object);
    return true;
  }

  /** What a user holds: session and token. */
  holds(user: string): { session: string; token: string }[] {
    return this.#clients.oracle.rowsOf(user).map(({ session, token }) => ({ session, token }));
  }

  /** Who owns the token on record. */
  owners(token: PushToken): string[] {
    return [...this.world.objects.values()]
      .flatMap((object) => object.storage.rows("owners"))
      .filter((row) => row.hash === token.hash)
      .map((row) => String(row.user));
  }
}

function fits(call: Call, of: string | undefined): boolean {
  const name = `${APP}:${of}`;
  return of === undefined || call.from?.object.name === name || call.to.name === name;
}
