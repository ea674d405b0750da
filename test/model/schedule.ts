// One schedule: a script of operations, and the choices that say what happens next at every step. fast-check generates and
// shrinks both; the same schedule always runs the same way.
import fc from "fast-check";
import { KIND_NAMES, type Kind } from "../../src/domain/kinds.ts";
import type { Policy, PushToken } from "../../src/domain/registration.ts";
import { identityOf, storedForm } from "../../src/domain/token.ts";
import { directoryName, tokenOwnersName } from "../../src/durable/names.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/limits.ts";
import type { RegisterOutcome } from "../../src/user-tokens/outcomes.ts";
import { Clients, policiesOf, type Setup } from "./clients.ts";
import type { Protocol } from "./native.ts";
import type { Action } from "./oracle.ts";
import { ModelStorage } from "./storage.ts";
import { APP, CRASHES, type ModelObject, Violation, World } from "./world.ts";

export const USERS = ["ann", "bob", "eve", "joe"] as const;

const FID = "c0123456789ABCDEF01234";

/** The hashes of the installations: three in one owner object, two in another; two of a kind in each case. */
const HASHES: Readonly<Record<string, string>> = { f0: "AAf0", f1: "AAf1", [FID]: "AAfi", a0: "AQa0", a1: "AQa1" };

/** The device tokens, as clients send them. The last three are other forms of installations that stand before. */
export const TOKENS: readonly PushToken[] = [
  pushToken("fcm", "f0"),
  pushToken("fcm", "f1"),
  pushToken("apns", "a0"),
  pushToken("apns", "a1"),
  pushToken("fcm", FID),
  pushToken("fcm", `${FID}:APA91b`),
  pushToken("apns", "A0"),
];

function pushToken(kind: Kind, text: string): PushToken {
  const hash = HASHES[identityOf(kind, text, { fcmInstallations: true })] as string;
  return { kind, token: storedForm(kind, text), hash, platform: "ios", labels: {} };
}

const SCRIPT = {
  register: 18,
  login: 2,
  remove: 3,
  "remove all": 1,
  unregister: 1,
  endSession: 3,
  endDevice: 1,
  endAllSessions: 1,
  reconcile: 1,
  restore: 1,
  settings: 1,
  "new directory": 1,
  show: 1,
  mute: 1,
  erase: 2,
  feedback: 1,
  list: 1,
  import: 4,
} as const;

export interface Line {
  do: keyof typeof SCRIPT;
  user: number;
  login: number;
  /** Bits: which of the tokens; one of a kind is sent, the last of them if the highest bit is set. */
  tokens: number;
  repeats: number;
}

export interface Schedule {
  setup: Setup;
  /** Small limits: 3 registrations and 2 fences per user, 1 where no time stands in for it. */
  small: boolean;
  /** No table exists yet. */
  cold: boolean;
  users: number;
  script: Line[];
  /** How many faults may happen. */
  faults: number;
  choices: number[];
}

const line = fc.record<Line>({
  do: fc.oneof(
    ...Object.entries(SCRIPT).map(([what, weight]) => ({ weight, arbitrary: fc.constant(what as Line["do"]) })),
  ),
  user: fc.nat({ max: 3 }),
  login: fc.nat({ max: 1 }),
  tokens: fc.nat({ max: 255 }),
  repeats: fc.nat({ max: 1 }),
});

export const schedules: fc.Arbitrary<Schedule> = fc.noBias(
  fc.record({
    setup: fc.record({
      policy: fc.oneof(
        { weight: 8, arbitrary: fc.constant("exclusive" as const) },
        { weight: 1, arbitrary: fc.constant("shared" as const) },
        { weight: 1, arbitrary: fc.constant("shared, then exclusive" as const) },
        { weight: 2, arbitrary: fc.constant("exclusive, shared, exclusive" as const) },
      ),
      identity: fc.constantFrom("issued", "jwt", "cometchat"),
      refreshes: fc.boolean(),
      limited: fc.nat({ max: 7 }).map((n) => n === 7),
      objects: fc.integer({ min: 1, max: 2 }),
    }),
    small: fc.nat({ max: 7 }).map((n) => n === 7),
    cold: fc.nat({ max: 7 }).map((n) => n === 7),
    users: fc.integer({ min: 2, max: 4 }),
    script: fc.array(line, { minLength: 1, maxLength: 9, size: "max" }),
    faults: fc.nat({ max: 4 }),
    choices: fc.array(fc.nat({ max: 0xffff }), { maxLength: 120, size: "max" }),
  }),
);

/** What happens only if it is asked for. */
export const EXTRAS = ["two instances", "clocks that go back", "two releases"] as const;
export type Extra = (typeof EXTRAS)[number];

/** A host's clock goes back by so much at most. */
const BACK_MS_MAX = 64;

/** What a schedule does besides. */
export interface Besides {
  extras?: readonly Extra[];
  /** The release that some objects run, in `two releases`. */
  next?: Protocol;
}

/** The protocol, and the databases that its objects use again. */
export class Runner {
  readonly #protocol: Protocol;
  /** By object name: one that has its tables, and one that has none. */
  readonly #warm = new Map<string, ModelStorage>();
  readonly #cold = new Map<string, ModelStorage>();
  /** What the schedules did, for a report. */
  readonly counts: Record<string, number> = {};
  readonly #besides: Besides;

  private constructor(protocol: Protocol, besides: Besides) {
    this.#protocol = protocol;
    this.#besides = besides;
  }

  static async create(protocol: Protocol, besides: Besides = {}): Promise<Runner> {
    const runner = new Runner(protocol, besides);
    await runner.#makeTables();
    return runner;
  }

  /** The objects make their tables themselves, at their first write. */
  async #makeTables(): Promise<void> {
    const world = new World(this.#protocol, (name) => this.#storage(this.#warm, name));
    const nobody = { uid: "nobody", version: 1, format: 1, tokens: "[]", registrations: 0, muted: 0, shownSince: 0 };
    const claim = { user: "nobody", policy: "shared", mayTake: true };
    const calls = [
      ...USERS.map((user) =>
        world.send(
          `${APP}:${user}`,
          "keepMarks",
          [{ fences: [], validFrom: { at: 0, until: 1 }, kept: null }],
          () => {},
        ),
      ),
      ...TOKENS.map(({ hash }) =>
        world.send(tokenOwnersName(APP, hash), "claim", [{ ...claim, hash, until: Number.MAX_SAFE_INTEGER }], () => {}),
      ),
      ...[1, 2].flatMap((objects) =>
        [0, objects - 1].map((shard) =>
          world.send(directoryName(APP, { objects, epoch: 1 }, shard), "put", [nobody], () => {}),
        ),
      ),
    ];
    for (const call of calls) await world.arrive(call);
  }

  #storage(storages: Map<string, ModelStorage>, name: string): ModelStorage {
    const storage = storages.get(name) ?? new ModelStorage();
    storages.set(name, storage);
    return storage;
  }

  /** @throws {Violation} with what happened, if it is to be told */
  async run(schedule: Schedule, tell = false): Promise<void> {
    const world = this.world(schedule.small, schedule.cold, tell);
    const clients = new Clients(world, schedule.setup, schedule.small ? 3 : Number.POSITIVE_INFINITY);
    const { stackTraceLimit } = Error;
    // A schedule that fails is told, in a second run.
    if (!tell) Error.stackTraceLimit = 0;
    try {
      await new Run(world, clients, schedule, this.counts, this.#besides.extras).run();
    } catch (error) {
      world.tell(() => String(error));
      if (error instanceof Violation) error.told = world.told;
      throw error;
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }

  world(small: boolean, cold: boolean, tell: boolean): World {
    const storages = cold ? this.#cold : this.#warm;
    const storageOf = (name: string) => {
      const storage = this.#storage(storages, name);
      storage.reset(cold);
      return storage;
    };
    const { next = this.#protocol } = this.#besides;
    return new World(this.#protocol, storageOf, { areLimitsSmall: small, tell, next });
  }
}

class Run {
  readonly #world: World;
  readonly #clients: Clients;
  readonly #schedule: Schedule;
  readonly #counts: Record<string, number>;
  readonly #extras: readonly Extra[];
  #line = 0;
  #faults: number;
  /** When what users take from others was last counted anew, epoch ms. */
  #window: number;
  readonly #began: number;

  constructor(
    world: World,
    clients: Clients,
    schedule: Schedule,
    counts: Record<string, number>,
    extras: readonly Extra[] = [],
  ) {
    this.#world = world;
    this.#clients = clients;
    this.#schedule = schedule;
    this.#counts = counts;
    this.#extras = extras;
    this.#faults = schedule.faults;
    this.#window = world.now();
    this.#began = world.now();
  }

  async run(): Promise<void> {
    for (const choice of this.#schedule.choices) {
      if (!(await this.#step(choice))) break;
    }
    while (await this.#step(0)) {
      if (this.#world.step > 5_000) throw new Violation("no rest after 5,000 events");
    }
    this.#clients.oracle.rest();
    await this.#probe();
  }

  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
  }

  /** Does one thing; `false`: nothing is left to do. */
  async #step(choice: number): Promise<boolean> {
    const world = this.#world;
    const what = choice % 16;
    const which = choice >> 4;
    world.pass(which % 3);
    const pending = world.calls.length + world.replies.length;
    if (what >= 13 && this.#faults > 0) return this.#fault(which);
    if (what === 12 && world.hasTimer) return this.#timer();
    if (what === 11 && (await this.#time(which))) return true;
    const mayInvoke = this.#line < this.#schedule.script.length && !this.#awaitsRest();
    if (what >= 8 && mayInvoke) return this.#invoke();
    if (pending > 0) return this.#deliver(which);
    if (mayInvoke) return this.#invoke();
    if (world.hasTimer) return this.#timer();
    return this.#alarm(world.soonAlarm);
  }

  /** A change of policy is declared when nothing of the old one is on its way. */
  #awaitsRest(): boolean {
    const { calls, replies, hasTimer } = this.#world;
    return this.#changesPolicy() && calls.length + replies.length + (hasTimer ? 1 : 0) > 0;
  }

  /** The policy that begins with the next line of the script, if one does. */
  #nextPolicy(): Policy | undefined {
    const { setup, script } = this.#schedule;
    const policies = policiesOf(setup);
    const part = policies.findLastIndex(
      (_, i) => i > 0 && this.#line === Math.floor((script.length * i) / policies.length),
    );
    return part < 0 ? undefined : policies[part];
  }

  #changesPolicy(): boolean {
    return this.#nextPolicy() !== undefined;
  }

  async #deliver(which: number, crash: (typeof CRASHES)[number] | null = null): Promise<boolean> {
    const { calls, replies } = this.#world;
    const index = which % (calls.length + replies.length);
    const call = calls[index];
    const reply = replies[index - calls.length];
    if (call !== undefined) await this.#world.arrive(call, crash);
    else if (reply !== undefined) await this.#world.deliver(reply, crash);
    return true;
  }

  async #timer(): Promise<boolean> {
    this.#count("timers");
    await this.#world.fireTimer();
    return true;
  }

  /** A fault of the platform. */
  async #fault(which: number): Promise<boolean> {
    const world = this.#world;
    const { calls } = world;
    this.#faults -= 1;
    if (which % 2 === 1 && this.#extra(which >> 1)) return true;
    const rest = which >> 3;
    const crash = CRASHES[which % 8];
    if (crash !== undefined && calls.length + world.replies.length > 0) {
      this.#count(`crashes ${crash}`);
      return this.#deliver(rest, crash);
    }
    const open = [...new Set([...calls, ...[...world.objects.values()].flatMap((object) => [...object.serving])])];
    const call = open[rest % Math.max(1, open.length)];
    if (which % 8 <= 4 && call !== undefined) {
      this.#count("lost connections");
      world.disconnect(call);
      return true;
    }
    const sent = calls[rest % Math.max(1, calls.length)];
    if (which % 8 === 5 && sent !== undefined) {
      this.#count("doubled calls");
      world.double(sent);
      return true;
    }
    const objects = [...world.objects.values()];
    const object = objects[rest % Math.max(1, objects.length)];
    if (which % 8 === 6 && object !== undefined && object.storage.alarm !== null && object.alarmRuns === null) {
      this.#count("lost alarms");
      world.loseAlarm(object, (rest >> 4) % 2 === 0);
    } else if (object !== undefined) {
      this.#count("crashes between events");
      world.crash(object);
    }
    return true;
  }

  /** One of those that were asked for. `false`: none was, or there is no object for it. */
  #extra(which: number): boolean {
    const extra = this.#extras[which % Math.max(1, this.#extras.length)];
    const rest = Math.floor(which / Math.max(1, this.#extras.length));
    const awake = [...this.#world.objects.values()].filter(({ instance }) => instance !== null);
    const busy = awake.filter(({ serving }) => serving.size > 0);
    const objects = extra === "two instances" ? busy : awake;
    const object = objects[rest % Math.max(1, objects.length)];
    if (extra === undefined || object === undefined) return false;
    this.#count(extra);
    if (extra === "two instances") this.#world.replace(object);
    else if (extra === "two releases") this.#world.release(object);
    else this.#world.setBack(object, 1 + (Math.floor(rest / objects.length) % BACK_MS_MAX));
    return true;
  }

  /** Time goes on to an alarm, or to shortly before it. `false`: it does not, for something comes first. */
  async #time(which: number): Promise<boolean> {
    const world = this.#world;
    const { soonAlarm } = world;
    if (soonAlarm !== null && soonAlarm.at <= world.timerDue && which % 4 > 0) return this.#alarm(soonAlarm);
    if (world.calls.length + world.replies.length > 0 || world.hasTimer) return false;
    if (soonAlarm !== null) {
      world.pass(Math.max(0, soonAlarm.at - 1 - (which >> 2) - world.now()));
      return true;
    }
    // Of alarms that are days away any may be the next.
    const alarms = world.alarms();
    if (which % 2 === 1 || alarms.length === 0) return this.#days();
    return this.#alarm(alarms[(which >> 1) % alarms.length]);
  }

  /** Days go by, or the time until the next alarm. */
  async #days(): Promise<boolean> {
    const [next] = this.#world.alarms();
    if (next !== undefined && next.at <= this.#world.now() + 7 * DAY_MS) return this.#alarm(next);
    this.#count("days");
    this.#world.pass(7 * DAY_MS);
    return true;
  }

  async #alarm(alarm: { at: number; object: ModelObject } | null | undefined): Promise<boolean> {
    if (alarm == null) return false;
    this.#count(alarm.at % MINUTE_MS === 0 ? "alarms" : "near alarms");
    await this.#world.fireAlarm(alarm.object);
    if (this.#world.now() >= this.#window + HOUR_MS) {
      this.#window = this.#world.now();
      this.#clients.oracle.windowOver();
    }
    return true;
  }

  #invoke(): boolean {
    const policy = this.#nextPolicy();
    if (policy !== undefined) this.#clients.declare(policy);
    const line = this.#schedule.script[this.#line] as Line;
    this.#line += 1;
    const user = USERS[line.user % this.#schedule.users] as string;
    if (line.do === "login") {
      const { id } = this.#clients.login(user, line.login);
      this.#world.tell(() => `${user} logs in: ${id}`);
      return true;
    }
    this.#count(line.do);
    if (this.#restores) this.#world.object(`${APP}:${user}`).storage.remember();
    if (line.do === "settings" || line.do === "new directory") {
      if (line.do === "settings") this.#clients.changeSettings();
      else this.#clients.raiseEpoch();
      return true;
    }
    if (line.do === "restore" || line.do === "reconcile") {
      if (line.do === "restore") this.#clients.restore(user, line.tokens);
      else this.#clients.reconcile(user);
      return true;
    }
    this.#clients.send(user, this.#action(user, line), line.repeats);
    return true;
  }

  get #restores(): boolean {
    return this.#schedule.script.some((line) => line.do === "restore");
  }

  #action(user: string, line: Line): Action {
    const chosen = TOKENS.filter((_, bit) => (line.tokens >> bit) % 2 === 1);
    if (line.tokens >> TOKENS.length === 1) chosen.reverse();
    const tokens = KIND_NAMES.flatMap((kind) => chosen.find((token) => token.kind === kind) ?? []);
    const token = tokens[0] ?? (TOKENS[0] as PushToken);
    const session = this.#clients.session(user, line.login);
    switch (line.do) {
      case "register":
      case "unregister":
        return { do: line.do, session, tokens: tokens.length === 0 ? [token] : tokens };
      case "remove":
      case "remove all":
        return { do: "remove", session, all: line.do === "remove all" };
      case "endSession":
      case "list":
        return { do: line.do, session };
      case "endDevice":
        return { do: "endSession", session, onlyIfKnown: true };
      case "mute":
        return { do: "mute", session, muted: line.repeats === 0 };
      case "feedback":
        return { do: "feedback", token };
      case "show":
        return { do: "show", isKnown: line.repeats === 0 };
      case "endAllSessions":
      case "erase":
        return { do: line.do };
      case "import": {
        // One file was made before the first event, the other one just now. One with sessions has those of the devices.
        const seenAt = line.login === 0 ? this.#began - DAY_MS : this.#world.now();
        const of = line.repeats === 0 ? null : session;
        return {
          do: "import",
          items: (tokens.length === 0 ? [token] : tokens).map((t) => this.#clients.item(t, seenAt, of)),
        };
      }
      case "login":
      case "reconcile":
      case "restore":
      case "settings":
      case "new directory":
        throw new Error(`${line.do} is no single call`);
    }
  }

  /** After all faults: a new registration still succeeds, takes its token from whoever holds it, and can be removed. */
  async #probe(): Promise<void> {
    const { oracle, setup } = this.#clients;
    const user = USERS[(this.#schedule.choices[0] ?? 0) % this.#schedule.users] as string;
    const session = this.#clients.login(user, 9);
    const token = TOKENS[0] as PushToken;
    this.#world.pass(10_000);
    let outcome: RegisterOutcome | undefined;
    // A claim makes one owner let go at a time, where limits are small: policy `shared` may have left several.
    for (let attempts = 0; attempts < USERS.length && !isStored(outcome); attempts += 1) {
      this.#clients.send(user, { do: "register", session, tokens: [token] });
      const registration = oracle.operations.at(-1);
      while (await this.#step(0));
      outcome = registration?.answer?.value as RegisterOutcome | undefined;
    }
    const refused = (outcome?.ok === true ? outcome.contested : []).map((token) => token.reason);
    if (setup.limited && refused.includes("too_many_takeovers")) return;
    if (outcome?.ok === false && outcome.reason === "unavailable" && this.#clients.isShut(user)) {
      this.#count("waits for fences that gave way");
      return;
    }
    if (outcome?.ok !== true || refused.length > 0)
      throw new Violation(`at rest a registration fails: ${JSON.stringify(outcome)}`);
    const holders = USERS.filter((u) => oracle.rowsOf(u).some((row) => row.hash === token.hash));
    if (setup.policy !== "shared" && `${holders}` !== user) throw new Violation(`${token.hash} is held by ${holders}`);
    this.#clients.send(user, { do: "endSession", session });
    while (await this.#step(0));
    oracle.rest();
    if (oracle.rowsOf(user).some((row) => row.session === session.id)) throw new Violation("a logout has no effect");
  }
}

function isStored(outcome: RegisterOutcome | undefined): boolean {
  return outcome?.ok === true && outcome.contested.length === 0;
}
