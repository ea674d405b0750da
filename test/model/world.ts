// A world of Durable Objects in which nothing happens by itself. It keeps what can happen next (calls and replies on their
// way, timers, alarms) and does one of them when it is told to.
//
// One event is one turn of one object: the object runs until it is idle, what it wrote is one transaction, and what it sent
// leaves after the commit (output gate). A crash takes the object's memory; what is in flight at it fails for its callers.
// Calls may overtake each other: every call has a stub of its own.
import { MINUTE_MS } from "../../src/limits.ts";
import { type Host, type ObjectClass, type Protocol, setHost } from "./native.ts";
import type { ModelStorage } from "./storage.ts";

export const APP = "model";
/**
 * How long an object stays away after a crash. Versions run ahead of the clock by the number of claims in one
 * millisecond, and restarting takes longer than that burst (docs/ownership.md, "What is assumed").
 */
const RESTART_MS = 100;
/** How soon an alarm goes off that is set for a moment that is over. */
const AGAIN_MS = 10;
/** What is to be done soon is done within this time: an object that fails to publish tries again after 15 minutes at most. */
const SOON_MS = 20 * MINUTE_MS;

/** What callers get from the platform. One of each, for to note where an error was made takes time. */
const RESET = Object.assign(new Error("the object was reset"), { durableObjectReset: true });
const LOST = Object.assign(new Error("Network connection lost."), { retryable: true });

type Method = (...args: unknown[]) => unknown;

/** What a crash leaves of the turn in which it happens. */
export const CRASHES = ["before the commit", "before anything was sent", "after everything was sent"] as const;
export type Crash = (typeof CRASHES)[number];

export interface Call {
  id: number;
  to: ModelObject;
  method: string;
  args: unknown[];
  /** `null`: a client. */
  from: { object: ModelObject; life: number } | null;
  sentAt: number;
  /** How often it may still arrive. */
  arrivals: number;
  /** The caller has its answer, or is gone. */
  settled: boolean;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export interface Reply {
  call: Call;
  sentAt: number;
  outcome: { ok: true; value: unknown } | { ok: false; error: Error };
}

interface Timer {
  due: number;
  callback: () => void;
  object: ModelObject;
  life: number;
}

export class ModelObject {
  readonly name: string;
  type: ObjectClass;
  storage: ModelStorage;
  instance: object | null = null;
  /** Counts its crashes: what an earlier life awaits never comes. */
  life = 0;
  /** Calls that arrived and have no answer yet. */
  readonly serving = new Set<Call>();
  /** While its alarm runs: when that was set for. */
  alarmRuns: number | null = null;
  /** By how much its clock is behind. */
  behindMs = 0;
  /** Whether it runs the next release. */
  isNext = false;

  constructor(name: string, type: ObjectClass, storage: ModelStorage) {
    this.name = name;
    this.type = type;
    this.storage = storage;
  }
}

/** An instance that was replaced and did not notice: it reads what it had, and hears what it asked for, until it writes. */
interface Ghost {
  object: ModelObject;
  life: number;
  storage: ModelStorage;
  serving: Set<Call>;
}

/** Who watches; called after the turn's commit, before the next event. */
export interface Observer {
  /** A transaction has ended in the middle of an object's turn; it may yet be undone with that. */
  writing(object: ModelObject): void;
  /** The turn's commit holds something; before whatever else is said of the turn. */
  written(object: ModelObject): void;
  /** A call's turn is committed. Not called for a turn that a crash undid. */
  arrived(call: Call): void;
  /** The object answered (the answer may yet be lost), or lost the call in a crash (`null`). */
  answered(call: Call, reply: Reply | null): void;
  /** The reply reached its caller. */
  delivered(reply: Reply): void;
  /** Something was committed at the object. */
  committed(object: ModelObject): void;
  /** A new instance takes the place of the one that serves these calls. */
  replaced(calls: ReadonlySet<Call>): void;
  /** The object's data are what they were at an earlier moment. */
  restored(object: ModelObject): void;
}

export class World implements Host {
  /** The number of the present event. */
  step = 0;
  readonly calls: Call[] = [];
  readonly replies: Reply[] = [];
  readonly objects = new Map<string, ModelObject>();
  readonly areLimitsSmall: boolean;
  /** By how much any clock was behind at most. */
  behindMaxMs = 0;
  /** The events so far, if they are to be told. */
  readonly told: string[] | null;
  readonly #protocol: Protocol;
  /** The release after it, if some objects run that. */
  readonly #next: Protocol;
  readonly #ghosts: Ghost[] = [];
  readonly #storages: (name: string) => ModelStorage;
  /** What objects get that wake now: the deployment's configuration, and each other. */
  #env: object = {};
  readonly #timers: Timer[] = [];
  #observer: Observer | null = null;
  #clock = 1_000_000_000_000;
  #nextCall = 1;
  #turn: Turn | null = null;

  constructor(
    protocol: Protocol,
    storages: (name: string) => ModelStorage,
    { areLimitsSmall = false, tell = false, next = protocol } = {},
  ) {
    this.#protocol = protocol;
    this.#next = next;
    this.#storages = storages;
    this.areLimitsSmall = areLimitsSmall;
    this.told = tell ? [] : null;
  }

  observe(observer: Observer): void {
    this.#observer = observer;
  }

  // Host: what the objects' code sees of the platform

  now(): number {
    return this.#clock - (this.#turn?.object.behindMs ?? 0);
  }

  setTimeout(callback: () => void, ms: number): Timer {
    const { object, life } = this.#running();
    const timer = { due: this.#clock + ms, callback, object, life };
    this.#timers.push(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    const index = this.#timers.indexOf(timer as Timer);
    if (index >= 0) this.#timers.splice(index, 1);
  }

  #running(): Turn {
    if (this.#turn === null) throw new Error("code of an object runs outside a turn");
    return this.#turn;
  }

  // Objects

  object(name: string): ModelObject {
    let object = this.objects.get(name);
    if (object === undefined) {
      const made = new ModelObject(name, this.#typeOf(name, this.#protocol), this.#storages(name));
      made.storage.onTransaction = () => this.#observer?.writing(made);
      object = made;
      this.objects.set(name, object);
    }
    return object;
  }

  #typeOf(name: string, { UserTokens, TokenOwners, Directory }: Protocol): ObjectClass {
    if (name.includes(":owners:")) return TokenOwners;
    return name.includes(":directory:") ? Directory : UserTokens;
  }

  #wake(object: ModelObject): Record<string, Method> {
    if (object.instance === null) {
      const { storage } = object;
      if (storage.wake()) this.#observer?.restored(object);
      const abort = () => {
        this.#running().aborts = true;
      };
      const ctx = { id: { name: object.name }, storage, waitUntil: () => {}, abort };
      object.instance = new object.type(ctx, this.#env);
    }
    return object.instance as Record<string, Method>;
  }

  /** For the object that runs now. */
  #stub(name: string): object {
    const { object: from, life } = this.#running();
    const to = this.object(name);
    return new Proxy(
      {},
      {
        get: (_, method: string) => {
          if (!(method in to.type.prototype)) return undefined;
          return (...args: unknown[]) =>
            new Promise((resolve, reject) => {
              const call = this.#call({ object: from, life }, to, method, args);
              call.resolve = resolve;
              call.reject = reject;
              this.#running().calls.push(call);
            });
        },
      },
    );
  }

  #call(from: Call["from"], to: ModelObject, method: string, args: unknown[]): Call {
    const unset = () => {};
    const id = this.#nextCall++;
    const { step } = this;
    return { id, to, method, args, from, sentAt: step, arrivals: 1, settled: false, resolve: unset, reject: unset };
  }

  // Events

  /** A client's call sets out. */
  send(to: string, method: string, args: unknown[], answered: (reply: Reply["outcome"]) => void): Call {
    this.step += 1;
    const call = this.#call(null, this.object(to), method, args);
    call.resolve = (value) => answered({ ok: true, value });
    call.reject = (error) => answered({ ok: false, error });
    this.calls.push(call);
    this.tell(() => describe(call));
    return call;
  }

  /** A call reaches its object. */
  async arrive(call: Call, crash: Crash | null = null): Promise<void> {
    const { to } = call;
    call.arrivals -= 1;
    if (call.arrivals === 0) this.calls.splice(this.calls.indexOf(call), 1);
    to.serving.add(call);
    const { life } = to;
    const answer = (outcome: Reply["outcome"]) => {
      if (this.#lives(to, life)) this.#running().replies.push({ call, sentAt: this.step, outcome });
    };
    const told = () => `${call.from === null ? short(call) : describe(call)} arrives`;
    await this.#run({ object: to, life }, crash, told, call, () => {
      const target = this.#wake(to);
      void (async () => target[call.method]?.(...call.args))().then(
        (value) => answer({ ok: true, value }),
        (error: Error) => answer({ ok: false, error }),
      );
    });
  }

  /** A reply reaches its caller. */
  async deliver(reply: Reply, crash: Crash | null = null): Promise<void> {
    this.replies.splice(this.replies.indexOf(reply), 1);
    const { call, outcome } = reply;
    const settle = () => (outcome.ok ? call.resolve(outcome.value) : call.reject(outcome.error));
    if (call.settled) return;
    call.settled = true;
    const told = () =>
      `${short(call)} is answered: ${outcome.ok ? JSON.stringify(outcome.value) : outcome.error.message}`;
    if (call.from === null) {
      this.step += 1;
      this.tell(told);
      settle();
      this.#observer?.delivered(reply);
      return;
    }
    const { object, life } = call.from;
    if (!this.#lives(object, life)) return;
    await this.#run({ object, life }, crash, told, null, settle, () => this.#observer?.delivered(reply));
  }

  /** The caller's connection breaks. The call itself may still arrive, and run. */
  disconnect(call: Call): void {
    this.replies.push({ call, sentAt: this.step, outcome: { ok: false, error: LOST } });
    this.tell(() => `the connection of ${short(call)} breaks`);
  }

  /** The runtime will deliver the call once more, if its method allows that. */
  double(call: Call): void {
    if (call.arrivals > 1 || !this.#protocol.isRetryable(call.to.type, call.method)) return;
    call.arrivals += 1;
    this.tell(() => `${short(call)} is doubled`);
  }

  /** Whether the object sent such a call and has no answer yet. */
  isWaitingFor(object: ModelObject, method: string): boolean {
    const { life } = object;
    const isIt = (call: Call) => call.method === method && call.from?.object === object && call.from.life === life;
    if (this.calls.some(isIt) || this.replies.some(({ call }) => isIt(call))) return true;
    const servants = [...this.objects.values(), ...this.#ghosts];
    return servants.some(({ serving }) => [...serving].some(isIt));
  }

  /** Whether a timer is set. */
  get hasTimer(): boolean {
    return this.#timers.length > 0;
  }

  /** When the first timer is due, epoch ms; infinite if none is set. */
  get timerDue(): number {
    return this.#timers.reduce((due, timer) => Math.min(due, timer.due), Number.POSITIVE_INFINITY);
  }

  /** The timer that is due first goes off; time goes on to then. */
  async fireTimer(crash: Crash | null = null): Promise<void> {
    const timer = this.#timers.reduce((a, b) => (b.due < a.due ? b : a));
    this.clearTimeout(timer);
    this.#clock = Math.max(this.#clock, timer.due);
    await this.#run(timer, crash, () => "its timer goes off", null, timer.callback);
  }

  /** The alarms that are set, the next one first. */
  alarms(): { at: number; object: ModelObject }[] {
    return [...this.objects.values()]
      .flatMap((object) => {
        const at = object.storage.nextAlarm;
        return at === null || object.alarmRuns !== null ? [] : [{ at, object }];
      })
      .sort((a, b) => a.at - b.at);
  }

  /** The next alarm, if it is set for soon. */
  get soonAlarm(): { at: number; object: ModelObject } | null {
    let next: { at: number; object: ModelObject } | null = null;
    for (const object of this.objects.values()) {
      const at = object.storage.nextAlarm;
      if (at === null || object.alarmRuns !== null || at > this.#clock + SOON_MS) continue;
      if (next === null || at < next.at) next = { at, object };
    }
    return next;
  }

  /** The alarm goes off; time goes on to then. */
  async fireAlarm(object: ModelObject, crash: Crash | null = null): Promise<void> {
    const at = object.storage.nextAlarm;
    if (at === null || object.alarmRuns !== null) return;
    // One that comes too early for the object's own clock is set again, for a moment that is over; that takes time.
    if (object.behindMs > 0 && at <= this.#clock) this.pass(AGAIN_MS);
    this.#clock = Math.max(this.#clock, at);
    object.alarmRuns = at;
    const { life } = object;
    const ended = () => {
      if (object.life === life) this.#running().endsAlarm = true;
    };
    await this.#run(
      { object, life },
      crash,
      () => "its alarm goes off",
      null,
      () => {
        object.storage.takeAlarm();
        void (async () => this.#wake(object).alarm?.())().then(ended);
      },
    );
  }

  /** A deploy: every object starts anew, with another configuration. */
  deploy(configuration: object): void {
    this.#env = environment(configuration, (name) => running().#stub(name));
    for (const ghost of [...this.#ghosts]) this.#bury(ghost);
    for (const object of this.objects.values()) if (object.instance !== null) this.crash(object);
  }

  /** Another instance takes the object's place, with the same data. The old one lives on. */
  replace(object: ModelObject): void {
    this.step += 1;
    this.tell(() => `${object.name} is replaced; the old one does not notice`);
    const { life, storage, serving } = object;
    this.#observer?.replaced(serving);
    this.#ghosts.push({ object, life, storage, serving: new Set(serving) });
    serving.clear();
    object.storage = storage.copy();
    object.storage.onTransaction = storage.onTransaction;
    storage.onTransaction = () => {};
    this.#leave(object);
  }

  /** The clock of an object's host goes back. */
  setBack(object: ModelObject, ms: number): void {
    this.step += 1;
    object.behindMs += ms;
    this.behindMaxMs = Math.max(this.behindMaxMs, object.behindMs);
    this.tell(() => `the clock of ${object.name} goes back by ${ms} ms`);
  }

  /** The object starts anew, with the next release or again with this one. */
  release(object: ModelObject): void {
    object.isNext = !object.isNext;
    object.type = this.#typeOf(object.name, object.isNext ? this.#next : this.#protocol);
    this.crash(object);
    this.tell(() => `${object.name} is now of the ${object.isNext ? "next" : "first"} release`);
  }

  #lives(object: ModelObject, life: number): boolean {
    return object.life === life || this.#ghostOf(object, life) !== undefined;
  }

  #ghostOf(object: ModelObject, life: number): Ghost | undefined {
    return this.#ghosts.find((ghost) => ghost.object === object && ghost.life === life);
  }

  /** The object is lost between two events. */
  crash(object: ModelObject): void {
    this.step += 1;
    this.tell(() => `${object.name} crashes`);
    this.#kill(object);
  }

  /** The platform loses the alarm of an object, and the object with it. */
  loseAlarm(object: ModelObject, quietly: boolean): void {
    this.crash(object);
    object.storage.loseAlarm(quietly);
    this.tell(() => `the alarm of ${object.name} is lost${quietly ? " without a sign" : ""}`);
  }

  /** Time goes by. */
  pass(ms: number): void {
    this.#clock += ms;
  }

  async #run(
    { object, life }: { object: ModelObject; life: number },
    crash: Crash | null,
    what: () => string,
    arrived: Call | null,
    work: () => void,
    committed: () => void = () => {},
  ): Promise<void> {
    this.step += 1;
    const ghost = life === object.life ? undefined : this.#ghostOf(object, life);
    const changesBefore = ghost?.storage.changes();
    this.tell(
      () =>
        `${object.name}${ghost === undefined ? "" : " (replaced)"}: ${what()}${crash === null ? "" : ` (crash ${crash})`}`,
    );
    const turn: Turn = { object, life, calls: [], replies: [], aborts: false, endsAlarm: false };
    this.#turn = turn;
    world = this;
    setHost(this);
    try {
      work();
      await idle();
    } finally {
      this.#turn = null;
      world = null;
      setHost(null);
    }
    if (ghost !== undefined) {
      const dies = crash !== null || turn.aborts || ghost.storage.changes() !== changesBefore;
      ghost.storage.rollback();
      if (dies) this.#bury(ghost);
      else this.#send(turn, ghost.serving);
      return;
    }
    if (crash === "before the commit") {
      object.storage.rollback();
      if (arrived !== null) object.serving.delete(arrived);
      this.#kill(object);
      if (arrived !== null) this.replies.push(this.#reset(arrived));
      return;
    }
    if (turn.endsAlarm) object.alarmRuns = null;
    if (object.storage.commit()) this.#observer?.written(object);
    if (arrived !== null) this.#observer?.arrived(arrived);
    committed();
    const sent = crash !== "before anything was sent" && !turn.aborts;
    this.#send(turn, object.serving, sent);
    if (crash !== null || turn.aborts) this.#kill(object);
    this.#observer?.committed(object);
  }

  /** What a turn sent leaves; or its answers are lost, and nothing else left. */
  #send({ calls, replies }: Turn, serving: Set<Call>, sent = true): void {
    for (const reply of replies) {
      serving.delete(reply.call);
      this.#observer?.answered(reply.call, reply);
      this.replies.push(sent ? reply : this.#reset(reply.call));
      if (!reply.outcome.ok && !mayThrow(reply.call, reply.outcome.error))
        throw new Violation(`${reply.call.method} threw: ${reply.outcome.error.stack}`);
    }
    if (sent) this.calls.push(...calls);
  }

  /** A replaced instance notices. */
  #bury(ghost: Ghost): void {
    this.tell(() => `the old ${ghost.object.name} ends`);
    this.#ghosts.splice(this.#ghosts.indexOf(ghost), 1);
    this.#lose(ghost.object, ghost.life, ghost.serving);
  }

  #kill(object: ModelObject): void {
    this.#lose(object, object.life, object.serving);
    this.#leave(object);
  }

  /** What an instance was to do is lost. */
  #lose(object: ModelObject, life: number, serving: Set<Call>): void {
    for (const timer of this.#timers.filter((t) => t.object === object && t.life === life)) this.clearTimeout(timer);
    for (const call of serving) {
      this.#observer?.answered(call, null);
      this.replies.push(this.#reset(call));
    }
    serving.clear();
  }

  /** The next event of the object wakes a new instance. */
  #leave(object: ModelObject): void {
    object.instance = null;
    object.life += 1;
    // Whose versions stand nowhere else needs a clock that is not behind after a restart (docs/ownership.md, "What is assumed").
    if (object.name.includes(":owners:")) object.behindMs = 0;
    if (object.alarmRuns !== null) {
      // An alarm is repeated until its handler ended, unless that set another.
      object.storage.alarm ??= object.alarmRuns;
      object.alarmRuns = null;
    }
    this.pass(RESTART_MS);
  }

  #reset(call: Call): Reply {
    return { call, sentAt: this.step, outcome: { ok: false, error: RESET } };
  }

  tell(event: () => string): void {
    this.told?.push(`${String(this.step).padStart(3)} ${event()}`);
  }
}

/**
 * Settles when nothing is left to run. Node's next tick comes when no reaction of a promise is left, if a reaction asked for it;
 * a turn of the event loop, which would do as well, costs more than most turns of objects.
 */
function idle(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}

interface Turn {
  object: ModelObject;
  life: number;
  calls: Call[];
  replies: Reply[];
  /** The object ended its own instance. */
  aborts: boolean;
  /** What its alarm was for is done. */
  endsAlarm: boolean;
}

/** By configuration, for all worlds: objects parse each once. */
const environments = new Map<string, object>();

function environment(configuration: object, getByName: (name: string) => object): object {
  const key = JSON.stringify(configuration);
  let env = environments.get(key);
  if (env === undefined) {
    const namespace = { getByName };
    env = { ...configuration, USER_TOKENS: namespace, TOKEN_OWNERS: namespace, DIRECTORY: namespace };
    environments.set(key, env);
  }
  return env;
}

/** The world in which code of an object runs now. */
let world: World | null = null;

function running(): World {
  if (world === null) throw new Error("code of an object runs outside a turn");
  return world;
}

/** A promise of the design is broken. */
export class Violation extends Error {
  override readonly name = "Violation";
  /** The events up to here, if they were told. */
  told: readonly string[] | null = null;
}

/** A user's object lets go of nothing that the directory still shows, and of nothing for an import while it is being registered. */
function mayThrow({ method }: Call, { message }: Error): boolean {
  if (method === "releaseImported" && message === "the token is being registered") return true;
  return ["release", "releaseImported"].includes(method) && message === "the directory did not confirm";
}

function describe({ id, from, to, method, args }: Call): string {
  return `${from?.object.name ?? "client"} → ${to.name} ${method}#${id}(${args.map((arg) => brief(arg)).join(", ")})`;
}

function short({ id, method }: Call): string {
  return `${method}#${id}`;
}

/** An argument without what every call repeats. */
function brief(value: unknown): string {
  const dull = new Set(["rules", "uid", "platform", "labels", "policy", "token", "format", "shownSince"]);
  return JSON.stringify(value, (key, v) => (dull.has(key) ? undefined : v)) ?? "";
}
