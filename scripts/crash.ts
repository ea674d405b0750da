// Kills workerd under load, again and again, and compares what it serves afterwards with what its clients were told.
//   npm run crash -- [--rounds 100] [--seed N] [--data DIRECTORY]
// A kill loses nothing that the process has written, so a directory in memory is as good a disk, and allows more requests.
// Ends with 1 if an acknowledged registration was lost, a removed token came back, a session that had logged out acts
// again, a token has two holders, or an unanswered request took effect by half.
import { createHash } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import {
  begun,
  type DeviceToken,
  distinct,
  emptied,
  type Kind,
  type Known,
  registered,
  type Session,
  type State,
} from "./lib/journal.ts";
import { Connections, type LoadApp, LoadClient, loadApp, seededRandom, tokensIn } from "./lib/load.ts";
import { rowsOf } from "./lib/sqlite.ts";
import { build, type Server, serve } from "./lib/workerd.ts";

const USERS = 30;
const DEVICES = 40;
/** Clients that register one another's token at the same time, four each. */
const RIVALS = 8;
/** Users are replaced after this many rounds: 1,000 ended sessions of one user would end his other sessions too. */
const ROUNDS_PER_GENERATION = 10;
/** The kill comes at a random moment up to this long after the first reply of a round. */
const LOAD_MS_MAX = 900;
/** After each round so many of the sessions that logged out last try to register. */
const DEAD_SESSIONS_TRIED = 40;

export interface CrashOptions {
  rounds: number;
  seed: number;
  bundle: string;
  /** Where the objects' files are kept; a new temporary directory by default. */
  data?: string;
  /** Told what each round did. */
  report?: (line: string) => void;
}

export interface CrashResult {
  rounds: number;
  acknowledged: number;
  /** Requests whose reply the kill cut off. */
  unanswered: number;
  /** Replies of 500 and above while the server ran; each is a request without a known outcome. */
  failures: number;
  deadSessionsTried: number;
  tokensChecked: number;
  /** Promises that were broken; empty is the only good value. */
  violations: string[];
  restartsMs: number[];
}

/** Runs the crash test on a server of its own. */
export async function crashTest(options: CrashOptions): Promise<CrashResult> {
  const run = new CrashRun(options);
  await run.all();
  return run.result;
}

interface User {
  uid: string;
  /** Removals of all tokens of the user that are under way, and how many ever began or ended. */
  removals: number;
  turns: number;
}

class Device implements Known {
  readonly run: CrashRun;
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

  constructor(run: CrashRun) {
    this.run = run;
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
    const token = { kind, value: this.run.newTokenValue() };
    this.#kinds.set(token.value, kind);
    return token;
  }

  /** All tokens that this device ever had. */
  get everyToken(): string[] {
    return [...this.#kinds.keys()];
  }

  /** Forgets tokens that are surely with nobody; the run goes on checking that they do not come back. */
  retire(): void {
    const current = new Set(this.tokens.map(({ value }) => value));
    for (const value of this.#kinds.keys()) {
      if (current.has(value) || this.states.some((state) => state.has(value))) continue;
      this.#kinds.delete(value);
      this.run.retired.add(value);
    }
  }
}

class CrashRun {
  readonly result: CrashResult;
  readonly retired = new Set<string>();
  readonly #options: CrashOptions;
  readonly #random: () => number;
  readonly #app: LoadApp = loadApp();
  readonly #devices: Device[] = [];
  readonly #dead: Session[] = [];
  #users: User[] = [];
  #contested: string[] = [];
  #server: Server | null = null;
  #client: LoadClient | null = null;
  #connections: Connections | null = null;
  #data: string | null = null;
  #stopping = false;
  #sessions = 0;
  #tokens = 0;

  constructor(options: CrashOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#data = options.data ?? null;
    this.result = {
      rounds: 0,
      acknowledged: 0,
      unanswered: 0,
      failures: 0,
      deadSessionsTried: 0,
      tokensChecked: 0,
      violations: [],
      restartsMs: [],
    };
  }

  newTokenValue(): string {
    this.#tokens += 1;
    return `crash-${this.#options.seed}-${this.#tokens}`;
  }

  async all(): Promise<void> {
    try {
      for (let round = 0; round < this.#options.rounds; round += 1) {
        if (round % ROUNDS_PER_GENERATION === 0) this.#newGeneration(round / ROUNDS_PER_GENERATION);
        await this.#round(round);
      }
      await this.#server?.stop();
      if (this.#data !== null) await this.#checkDisk(this.#data);
    } finally {
      this.#connections?.close();
      await this.#server?.stop();
    }
  }

  #newGeneration(generation: number): void {
    this.#users = Array.from({ length: USERS }, (_, i) => ({ uid: `user-${generation}-${i}`, removals: 0, turns: 0 }));
    for (const device of this.#devices) this.#retireDevice(device);
    this.#devices.length = 0;
    for (let i = 0; i < DEVICES; i += 1) this.#devices.push(new Device(this));
    this.#contested = Array.from({ length: RIVALS / 4 }, () => this.newTokenValue());
  }

  /** Devices of an earlier generation are left alone: what they hold must stay, what they do not hold must not return. */
  #retireDevice(device: Device): void {
    const held = new Set(device.states.flatMap((state) => [...state.keys()]));
    for (const value of device.everyToken) if (!held.has(value)) this.retired.add(value);
  }

  async #round(round: number): Promise<void> {
    await this.#start();
    if (round > 0) await this.#check();
    const ackedBefore = this.result.acknowledged;
    const unansweredBefore = this.result.unanswered;
    this.#stopping = false;
    const rivals = Array.from({ length: RIVALS }, (_, i) => this.#rival(i));
    const load = Promise.all([...this.#devices.map((device) => this.#live(device)), ...rivals]);
    const loadMs = Math.floor(this.#random() * LOAD_MS_MAX);
    while (this.result.acknowledged === ackedBefore) await sleep(1);
    await sleep(loadMs);
    await this.#server?.stop("SIGKILL");
    this.#stopping = true;
    await load;
    this.#connections?.close();
    this.result.rounds += 1;
    const acked = this.result.acknowledged - ackedBefore;
    const unanswered = this.result.unanswered - unansweredBefore;
    this.#options.report?.(
      `round ${round + 1}: killed after ${loadMs} ms, ${acked} acknowledged, ${unanswered} unanswered, ${this.result.violations.length} violations so far`,
    );
    if (round === this.#options.rounds - 1) {
      await this.#start();
      await this.#check();
    }
  }

  async #start(): Promise<void> {
    const startedAt = performance.now();
    this.#server = await serve({
      bundle: this.#options.bundle,
      bindings: this.#app.bindings,
      ...(this.#data === null ? {} : { data: this.#data }),
    });
    this.#data = this.#server.data;
    this.#connections = new Connections(this.#server.port);
    this.#client = new LoadClient(this.#app, this.#connections);
    this.result.restartsMs.push(performance.now() - startedAt);
  }

  get #calls(): LoadClient {
    if (this.#client === null) throw new Error("the server is not started");
    return this.#client;
  }

  // Devices

  async #live(device: Device): Promise<void> {
    while (!this.#stopping) {
      try {
        await this.#act(device);
      } catch (error) {
        if (!isLostConnection(error)) throw error;
        this.result.unanswered += 1;
        return;
      }
    }
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
    const dice = this.#random();
    if (dice < 0.3)
      await this.#register(device, session, device.tokens.length > 0 ? device.tokens : this.#fresh(device));
    else if (dice < 0.5) await this.#register(device, session, this.#fresh(device));
    else if (dice < 0.65) await this.#read(device, session);
    else if (dice < 0.75) await this.#remove(device, session);
    else if (dice < 0.85) await this.#logOut(device, session);
    else if (dice < 0.9) await this.#registerWhileLoggingOut(device, session);
    else if (dice < 0.97) await this.#logIn(device);
    else await this.#removeAll(device, session);
  }

  /** The phone passes to a user: the tokens stay on it, and where they are registered stays as it is for now. */
  async #logIn(device: Device): Promise<void> {
    const user = this.#users[Math.floor(this.#random() * this.#users.length)];
    if (user === undefined) throw new Error("no users");
    const { uid, authToken } = await this.#calls.login(user.uid);
    this.#sessions += 1;
    device.learn({ id: this.#sessions, uid, authToken });
  }

  #fresh(device: Device): DeviceToken[] {
    const kinds: Kind[] = this.#random() < 0.6 ? ["fcm"] : ["apns", "voip"];
    const tokens = kinds.map((kind) => device.newToken(kind));
    device.tokens.splice(0, device.tokens.length, ...tokens);
    return tokens;
  }

  async #register(device: Device, session: Session, tokens: readonly DeviceToken[]): Promise<void> {
    await this.#operation(device, session, {
      done: (state) => [registered(state, session, tokens, device)],
      begun: (state) => begun(state, session, tokens, device),
      send: () => this.#calls.asClient(session, "POST", "/v2/tokens", bodyOf(tokens)),
    });
  }

  async #remove(device: Device, session: Session): Promise<void> {
    const done = (state: State) => [emptied(state, (holder) => holder === session.id)];
    await this.#operation(device, session, {
      done,
      begun: (state) => [state, ...done(state)],
      send: () => this.#calls.asClient(session, "DELETE", "/v2/tokens", { all: false }),
    });
  }

  async #logOut(device: Device, session: Session): Promise<void> {
    const done = (state: State) => [emptied(state, (holder) => holder === session.id)];
    device.leaving = true;
    await this.#operation(device, session, {
      done,
      begun: (state) => [state, ...done(state)],
      send: () => this.#calls.asClient(session, "DELETE", "/v3.0/me"),
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
      done: (state) => meanwhile(state).map(out),
      begun: (state) => [...meanwhile(state), ...meanwhile(state).map(out)],
      send: async () => {
        late = this.#calls.asClient(session, "POST", "/v2/tokens", bodyOf(tokens)).catch(() => undefined);
        return await this.#calls.asClient(session, "DELETE", "/v3.0/me");
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

  async #operation(
    device: Device,
    session: Session,
    operation: {
      done: (state: State) => State[];
      begun: (state: State) => State[];
      send: () => Promise<{ status: number; text: string }>;
    },
  ): Promise<void> {
    const user = this.#users.find(({ uid }) => uid === session.uid);
    const users = this.#users.filter((each) =>
      device.states.some((s) => [...s.values()].some((h) => device.uidOf(h) === each.uid)),
    );
    const involved = new Set([...users, ...(user === undefined ? [] : [user])]);
    const turns = [...involved].map((each) => each.turns);
    const overlapsAtOnce = [...involved].some((each) => each.removals > 0);
    const before = device.states;
    device.begun += 1;
    device.busy = true;
    device.states = distinct([...before.flatMap(operation.begun), ...(overlapsAtOnce ? removedBy(before) : [])]);
    try {
      const { status, text } = await operation.send();
      if (status >= 500) {
        this.result.failures += 1;
        return;
      }
      if (status !== 200) {
        this.result.violations.push(`a live session of ${session.uid} was answered ${status}: ${text}`);
        return;
      }
      this.result.acknowledged += 1;
      const done = before.flatMap(operation.done);
      const overlaps = overlapsAtOnce || [...involved].some((each, i) => each.turns !== turns[i]);
      device.states = distinct(overlaps ? [...done, ...removedBy(done)] : done);
      device.retire();
    } finally {
      device.busy = false;
    }

    /** What removals of all tokens of some of the users may have made of the states. */
    function removedBy(states: State[]): State[] {
      let all = states;
      for (const { uid } of involved) {
        all = [...all, ...all.map((state) => emptied(state, (holder) => device.uidOf(holder) === uid))];
      }
      return all;
    }
  }

  async #removeAll(device: Device, session: Session): Promise<void> {
    const user = this.#users.find(({ uid }) => uid === session.uid);
    if (user === undefined || user.removals > 0) return;
    user.removals += 1;
    user.turns += 1;
    const affected = this.#devices.map((each) => ({ each, begun: each.begun, busy: each.busy }));
    const remove = (each: Device) =>
      each.states.map((state) => emptied(state, (holder) => each.uidOf(holder) === session.uid));
    for (const { each } of affected) each.states = distinct([...each.states, ...remove(each)]);
    try {
      const { status } = await this.#calls.asClient(session, "DELETE", "/v2/tokens", { all: true });
      if (status >= 500) this.result.failures += 1;
      if (status !== 200) return;
      this.result.acknowledged += 1;
      for (const { each, begun, busy } of affected) {
        if (!busy && each.begun === begun) each.states = distinct(remove(each));
      }
      device.retire();
    } finally {
      user.removals -= 1;
      user.turns += 1;
    }
  }

  /** Read your writes: a device whose state is known sees it. */
  async #read(device: Device, session: Session): Promise<void> {
    const user = this.#users.find(({ uid }) => uid === session.uid);
    const turns = user?.turns;
    const reply = await this.#calls.asClient(session, "GET", "/v2/tokens");
    if (reply.status !== 200 || user?.turns !== turns || (user?.removals ?? 0) > 0) return;
    const listed = new Set(tokensIn(reply));
    const fits = device.states.some((state) =>
      device.everyToken.every((token) => {
        const holder = state.get(token);
        return (holder !== undefined && device.uidOf(holder) === session.uid) === listed.has(token);
      }),
    );
    if (!fits) this.result.violations.push(`a read of ${session.uid} shows what no history of the device explains`);
  }

  /** One of the clients that want the same token at the same time. */
  async #rival(i: number): Promise<void> {
    const token = this.#contested[i % this.#contested.length] ?? "";
    const user = this.#users[i % this.#users.length];
    if (user === undefined) return;
    try {
      const login = await this.#calls.login(user.uid);
      while (!this.#stopping) {
        const { status } = await this.#calls.asClient(login, "POST", "/v2/tokens", { voipToken: token });
        if (status === 200) this.result.acknowledged += 1;
        else if (status >= 500) this.result.failures += 1;
        await sleep(Math.floor(this.#random() * 10));
      }
    } catch (error) {
      if (!isLostConnection(error)) throw error;
      this.result.unanswered += 1;
    }
  }

  // What is served after the restart

  async #check(): Promise<void> {
    const { violations } = this.result;
    const holders = new Map<string, string[]>();
    const uids = new Set(this.#users.map(({ uid }) => uid));
    for (const uid of uids) {
      const login = await this.#calls.login(uid);
      for (const token of tokensIn(await this.#calls.asClient(login, "GET", "/v2/tokens"))) {
        holders.set(token, [...(holders.get(token) ?? []), uid]);
      }
    }
    this.result.tokensChecked += holders.size;
    for (const [token, users] of holders) {
      if (users.length > 1) violations.push(`${token} has the holders ${users.join(", ")}`);
      if (this.retired.has(token)) violations.push(`${token} came back after its removal`);
    }
    for (const device of this.#devices) {
      const fits = device.states.filter((state) =>
        device.everyToken.every((token) => {
          const holder = state.get(token);
          return (holder === undefined ? "" : device.uidOf(holder)) === (holders.get(token)?.[0] ?? "");
        }),
      );
      if (fits.length === 0) {
        const served = device.everyToken.map((token) => `${token}: ${holders.get(token)?.join(", ") ?? "nobody"}`);
        const allowed = device.states.map((s) => JSON.stringify([...s].map(([t, h]) => [t, device.uidOf(h)])));
        violations.push(`served: ${served.join("; ")}; but only possible: ${allowed.join(" or ")}`);
        device.states = [device.stateOf((token) => holders.get(token)?.[0])];
        continue;
      }
      device.states = fits;
    }
    await this.#checkDead();
    await this.#checkContested();
  }

  /** Sessions that logged out try to register. */
  async #checkDead(): Promise<void> {
    for (const session of this.#dead.slice(-DEAD_SESSIONS_TRIED)) {
      const { status } = await this.#calls.asClient(session, "POST", "/v2/tokens", { fcmToken: this.newTokenValue() });
      this.result.deadSessionsTried += 1;
      if (status !== 401) this.result.violations.push(`a session that logged out was answered ${status}`);
    }
  }

  /** A contested token is registered once more: then this client, and nobody else, holds it. */
  async #checkContested(): Promise<void> {
    const user = this.#users[0];
    if (user === undefined) return;
    for (const token of this.#contested) {
      const login = await this.#calls.login(user.uid);
      const { status } = await this.#calls.asClient(login, "POST", "/v2/tokens", { voipToken: token });
      const mine = tokensIn(await this.#calls.asClient(login, "GET", "/v2/tokens")).includes(token);
      if (status !== 200 || !mine) this.result.violations.push(`${token} cannot be registered any more: ${status}`);
      await this.#calls.asClient(login, "DELETE", "/v2/tokens", { all: false });
    }
  }

  /** Held ⇒ owned on record, in the files themselves. */
  async #checkDisk(data: string): Promise<void> {
    const copy = await mkdtemp(join(tmpdir(), "push-token-registry-crash-"));
    await cp(data, copy, { recursive: true });
    const owners = new Map<string, string[]>();
    for (const { hash, user } of await rowsOf(copy, "TokenOwners", "owners", "hash, user")) {
      owners.set(String(hash), [...(owners.get(String(hash)) ?? []), String(user)]);
    }
    const held = await rowsOf(
      copy,
      "UserTokens",
      "registrations",
      "hash, (SELECT value FROM facts WHERE fact = 'user') AS user",
    );
    for (const { hash, user } of held) {
      const owner = userHash(this.#app.appId, JSON.parse(String(user)).uid);
      const recorded = owners.get(String(hash)) ?? [];
      if (recorded.length !== 1 || recorded[0] !== owner) {
        this.result.violations.push(
          `a token is held, but ${recorded.length} owners are on record, not its holder alone`,
        );
      }
    }
    await rm(copy, { recursive: true });
  }
}

/** What owner objects call a user (docs/storage.md). */
function userHash(appId: string, uid: string): string {
  return createHash("sha256").update(`${appId.length}:${appId}${uid.length}:${uid}`).digest("base64url");
}

function bodyOf(tokens: readonly DeviceToken[]): Record<string, string> {
  return Object.fromEntries(tokens.map(({ kind, value }) => [`${kind}Token`, value]));
}

function isLostConnection(error: unknown): boolean {
  return error instanceof Error && /ECONNRESET|ECONNREFUSED|EPIPE|socket hang up|cut off|aborted/.test(error.message);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { rounds: { type: "string" }, seed: { type: "string" }, data: { type: "string" } },
  });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}`);
  const result = await crashTest({
    rounds: Number(values.rounds ?? 100),
    seed,
    bundle: await build(),
    report: (line) => console.log(line),
    ...(values.data === undefined ? {} : { data: await mkdtemp(join(values.data, "crash-")) }),
  });
  const { violations, restartsMs, ...figures } = result;
  console.log({ ...figures, slowestStartMs: Math.round(Math.max(...restartsMs)), violations: violations.length });
  for (const violation of violations.slice(0, 20)) console.log(violation);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
