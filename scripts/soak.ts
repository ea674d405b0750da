// `npm run soak`: keeps a fixed rate of launches, rotations, logouts, handovers, reads, lookups and pages on one workerd for a
// long time. A tenth of the calls go to one user, and every tenth token is known to one and the same owner object.
import { createHash, randomUUID } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inStep } from "./crash/in-step.ts";
import { defineCommand, main } from "./lib/command.ts";
import { Connections, LoadClient, type Login, loadApp, percentile, tokensIn } from "./lib/load.ts";
import { number, text } from "./lib/options.ts";
import { type Output, type Progress, rounded, withRoundedNumbers } from "./lib/output.ts";
import { build, serve } from "./lib/workerd.ts";
import { growthsOf, memoryMiB, type Stored, stored, type Window } from "./soak/growth.ts";

/** Devices of the user that a tenth of all calls concern. */
const HOT_DEVICES = 30;
/** The owner object that every tenth token falls to: the first byte of its hash. */
const HOT_SHARD = 7;
const TICK_MS = 10;
/** The start is not measured: the code is compiled, objects are made. */
const WARM_UP_MS = 20_000;
const DEVICES_PER_USER = 2;
const USERS_PER_LOOKUP = 50;
const USERS_PER_PAGE = 100;
const ERRORS_SHOWN = 20;

export interface SoakOptions {
  minutes: number;
  /** Calls a second. */
  rate: number;
  users: number;
  bundle: string;
  data?: string;
  report?: (line: string) => void;
  progress?: Progress;
}

const NOTHING_STORED: Stored = { userTokens: 0, tokenOwners: 0, directory: 0 };

export interface SoakResult {
  calls: number;
  byOperation: Record<string, number>;
  errors: string[];
  /** Three parts of the run, one after the other. */
  thirds: Window[];
  /** The average object, after the warm-up and at the end. */
  stored: { before: Stored; after: Stored };
  growths: string[];
}

interface Device {
  login: Login;
  token: string;
  busy: boolean;
}

/** Runs the soak on a server of its own. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const app = loadApp();
  const server = await serve({
    bundle: options.bundle,
    bindings: app.bindings,
    ...(options.data === undefined ? {} : { data: options.data }),
  });
  const connections = new Connections(server.port, { maxSockets: 128, repeatOnClosed: true });
  const client = new LoadClient(app, connections);
  const result: SoakResult = {
    calls: 0,
    byOperation: {},
    errors: [],
    thirds: [],
    stored: { before: NOTHING_STORED, after: NOTHING_STORED },
    growths: [],
  };
  try {
    const devices = await settle(client, options.users);
    const load = new Load(client, devices, result, options.progress);
    await load.run(options.rate, WARM_UP_MS);
    result.stored.before = await stored(server);
    for (let part = 1; part <= 3; part += 1) {
      const { calls, latencies } = await load.run(options.rate, (options.minutes * 60_000) / 3);
      const third = {
        calls,
        p50: percentile(latencies, 50),
        p99: percentile(latencies, 99),
        memoryMiB: memoryMiB(server.pid),
      };
      result.thirds.push(third);
      const { p50, p99, memoryMiB: memory } = third;
      options.report?.(
        `part ${part} of 3: ${rounded(calls)} calls, p50 ${rounded(p50)} ms, p99 ${rounded(p99)} ms, ${memory} MiB, ${result.errors.length} errors`,
      );
    }
    result.stored.after = await stored(server);
    result.growths = growthsOf(result.thirds, result.stored, (result.byOperation.logout ?? 0) / options.users);
  } finally {
    connections.close();
    await server.stop();
  }
  const { problems } = await inStep(server.data, { isAtRest: true });
  result.errors.push(...problems.map((problem) => `the directory: ${problem}`));
  return result;
}

async function settle(client: LoadClient, users: number): Promise<Device[]> {
  const devices: Device[] = [];
  for (let i = 0; i < users; i += 1) {
    const count = i === 0 ? HOT_DEVICES : DEVICES_PER_USER;
    for (let n = 0; n < count; n += 1) {
      const device: Device = { login: await client.login(`soak-${i}`), token: newToken(), busy: false };
      await client.asClient(device.login, "POST", "/v2/tokens", { fcmToken: device.token });
      devices.push(device);
    }
  }
  return devices;
}

/** Every tenth is known to the hot owner object. */
function newToken(): string {
  const isHot = Math.random() < 0.1;
  for (;;) {
    const token = `soak:${randomUUID()}`;
    const shard = createHash("sha256").update(`fcm:${token}`).digest()[0];
    if (!isHot || shard === HOT_SHARD) return token;
  }
}

class Load {
  readonly #client: LoadClient;
  readonly #devices: Device[];
  readonly #result: SoakResult;
  readonly #progress: Progress | undefined;

  constructor(client: LoadClient, devices: Device[], result: SoakResult, progress: Progress | undefined) {
    this.#client = client;
    this.#devices = devices;
    this.#result = result;
    this.#progress = progress;
  }

  /** So many calls a second, whether or not the earlier ones are answered; a latency counts from when a call was due. */
  async run(rate: number, durationMs: number): Promise<{ calls: number; latencies: number[] }> {
    const latencies: number[] = [];
    const pending = new Set<Promise<void>>();
    const startedAt = performance.now();
    let calls = 0;
    for (;;) {
      const elapsed = performance.now() - startedAt;
      if (elapsed >= durationMs) break;
      for (; calls < (elapsed / 1000) * rate; calls += 1) {
        const dueAt = startedAt + (calls / rate) * 1000;
        const call = this.#one().then(() => {
          latencies.push(performance.now() - dueAt);
          pending.delete(call);
        });
        pending.add(call);
      }
      this.#progress?.at(this.#result.calls + calls, `${this.#result.errors.length} errors`);
      await sleep(TICK_MS);
    }
    this.#progress?.end();
    await Promise.all(pending);
    this.#result.calls += calls;
    return { calls, latencies };
  }

  async #one(): Promise<void> {
    const device = this.#freeDevice();
    if (device === undefined) {
      this.#result.errors.push("all devices are busy: the server is too slow for this rate");
      return;
    }
    device.busy = true;
    const [name, operation] = this.#operation();
    this.#result.byOperation[name] = (this.#result.byOperation[name] ?? 0) + 1;
    try {
      await operation(device);
    } catch (error) {
      this.#result.errors.push(`${name}: ${error instanceof Error ? error.message : "failed"}`);
    } finally {
      device.busy = false;
    }
  }

  #freeDevice(): Device | undefined {
    const isHot = Math.random() < 0.1;
    const [from, to] = isHot ? [0, HOT_DEVICES] : [HOT_DEVICES, this.#devices.length];
    for (let tries = 0; tries < 50; tries += 1) {
      const device = this.#devices[from + Math.floor(Math.random() * (to - from))];
      if (device?.busy === false) return device;
    }
    return this.#devices.find(({ busy }) => !busy);
  }

  #operation(): [string, (device: Device) => Promise<void>] {
    const dice = Math.random();
    if (dice < 0.6) return ["launch", (device) => this.#register(device)];
    if (dice < 0.74) return ["read", (device) => this.#read(device)];
    if (dice < 0.83) return ["lookup", (device) => this.#lookUp(device)];
    if (dice < 0.85) return ["page", () => this.#page()];
    if (dice < 0.94) return ["rotation", (device) => this.#register(device, newToken())];
    if (dice < 0.97) return ["logout", (device) => this.#logOutAndIn(device)];
    return ["handover", (device) => this.#handOver(device)];
  }

  async #register(device: Device, token = device.token): Promise<void> {
    await this.#expect(device, "POST", "/v2/tokens", { fcmToken: token });
    device.token = token;
  }

  async #read(device: Device): Promise<void> {
    const answer = await this.#client.asClient(device.login, "GET", "/v2/tokens");
    if (answer.status !== 200) throw new Error(`a read was answered ${answer.status}: ${answer.text}`);
    if (!tokensIn(answer).includes(device.token)) throw new Error("a registered token is missing from a read");
  }

  async #lookUp({ login, token }: Device): Promise<void> {
    const others = Array.from({ length: USERS_PER_LOOKUP - 1 }, () => this.#anyDevice()?.login.uid ?? login.uid);
    const uids = [...new Set([login.uid, ...others])];
    const answer = await this.#client.asServer("POST", "/v3/push_tokens/lookup", { uids });
    const { users, errors } = answer.status === 200 ? JSON.parse(answer.text).data : { users: [], errors: [] };
    if (users.length !== uids.length) throw new Error(`a lookup was answered ${answer.status}: ${answer.text}`);
    if (errors.length > 0) throw new Error("a lookup names users who could not be read");
    const shown = users[0].pushTokens.some((each: { token: string }) => each.token === token);
    if (!shown) throw new Error("a registered token is missing from a lookup");
  }

  async #page(): Promise<void> {
    const { status, text } = await this.#client.asServer("GET", `/v3/push_tokens?limit=${USERS_PER_PAGE}`);
    if (status !== 200) throw new Error(`a page of all users was answered ${status}: ${text}`);
  }

  #anyDevice(): Device | undefined {
    return this.#devices[Math.floor(Math.random() * this.#devices.length)];
  }

  async #logOutAndIn(device: Device): Promise<void> {
    await this.#expect(device, "DELETE", "/v3.0/me");
    device.login = await this.#client.login(device.login.uid);
    await this.#register(device);
  }

  /** The phone passes to another user for a moment, and back. */
  async #handOver(device: Device): Promise<void> {
    const other = this.#anyDevice();
    if (other === undefined || other.login.uid === device.login.uid) return;
    const guest: Device = { ...device, login: await this.#client.login(other.login.uid) };
    await this.#register(guest);
    await this.#expect(guest, "DELETE", "/v3.0/me");
    await this.#register(device);
  }

  async #expect(device: Device, method: string, path: string, body?: unknown): Promise<void> {
    const { status, text } = await this.#client.asClient(device.login, method, path, body);
    if (status !== 200) throw new Error(`${method} ${path} was answered ${status}: ${text}`);
  }
}

export const command = defineCommand({
  name: "soak",
  summary: "Keeps a fixed rate of calls on one server for a long time, and says whether anything grows.",
  options: {
    minutes: number({ help: "How long.", min: 0.05, fractions: true, default: 30 }),
    rate: number({ help: "Calls per second.", min: 1, default: 100 }),
    users: number({ help: "Users, two devices each.", min: 2, default: 300 }),
    data: text({
      help: "Where the objects' files are kept.",
      placeholder: "DIRECTORY",
      default: null,
      defaultSays: "a temporary directory",
    }),
  },
  examples: ["--minutes 5 --rate 200"],
  notes: "Exit code 1: a call failed, or memory, storage or the 99th percentile of the latency grew.",
  hasJson: true,
  async run({ minutes, rate, users, data }, { output }) {
    const result = await soak({
      minutes,
      rate,
      users,
      bundle: await output.during("building the Worker", build()),
      report: (line) => output.say(line),
      progress: output.progress("calls", Math.round(rate * (minutes * 60 + WARM_UP_MS / 1000))),
      ...(data === null ? {} : { data: await mkdtemp(join(data, "soak-")) }),
    });
    output.result(withRoundedNumbers({ ...result, errors: result.errors.slice(0, ERRORS_SHOWN) }), () =>
      tell(result, output),
    );
    return result.errors.length + result.growths.length === 0 ? 0 : 1;
  },
});

function tell({ calls, byOperation, errors, stored: { before, after }, growths }: SoakResult, output: Output): void {
  const operations = Object.entries(byOperation).map(([name, count]) => `${name} ${rounded(count)}`);
  output.say(`${rounded(calls)} calls: ${operations.join(", ")}; ${errors.length} errors`);
  for (const kind of ["userTokens", "tokenOwners", "directory"] as const) {
    output.say(
      `average object, ${kind}: ${rounded(before[kind])} bytes after the warm-up, ${rounded(after[kind])} at the end`,
    );
  }
  output.say(growths.length === 0 ? "nothing grew" : `grew: ${growths.join(", ")}`);
  for (const error of errors.slice(0, ERRORS_SHOWN)) output.say(error);
}

if (import.meta.main) await main(command);
