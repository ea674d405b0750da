// What the parts of the crash test share: the server that is killed, the dice, and what was found.
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "../lib/load.ts";
import { Connections, type LoadApp, LoadClient, loadApp, seededRandom } from "../lib/load.ts";
import { type Server, serve } from "../lib/workerd.ts";

export interface RunOptions {
  seed: number;
  bundle: string;
  /** Where the objects' files are kept; a new temporary directory by default. */
  data?: string;
}

/** A server that is killed and started again on the same files. */
export class Run {
  /** Promises that were broken; empty is the only good value. */
  readonly violations: string[] = [];
  readonly startsMs: number[] = [];
  /** Requests answered with 200, requests whose reply the kill cut off, and replies of 500 and above, by operation. */
  readonly acknowledged = new Tally();
  readonly unanswered = new Tally();
  readonly failures = new Tally();
  /** No new request is sent. */
  isStopping = false;
  readonly app: LoadApp = loadApp();
  readonly random: () => number;
  readonly #options: RunOptions;
  #data: string | null;
  #server: Server | null = null;
  #connections: Connections | null = null;
  #client: LoadClient | null = null;
  #tokens = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#data = options.data ?? null;
    this.random = seededRandom(options.seed);
  }

  /** The objects' files; read and change them only while the server is down. */
  get data(): string {
    if (this.#data === null) throw new Error("the server was never started");
    return this.#data;
  }

  get calls(): LoadClient {
    if (this.#client === null) throw new Error("the server is not started");
    return this.#client;
  }

  newTokenValue(): string {
    this.#tokens += 1;
    return `crash-${this.#options.seed}-${this.#tokens}`;
  }

  /** One of `items`, by the dice. */
  oneOf<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.random() * items.length)];
    if (item === undefined) throw new Error("there is nothing to choose from");
    return item;
  }

  async start(): Promise<void> {
    const startedAt = performance.now();
    this.#server = await serve({
      bundle: this.#options.bundle,
      bindings: this.app.bindings,
      ...(this.#data === null ? {} : { data: this.#data }),
    });
    this.#data = this.#server.data;
    this.#connections = new Connections(this.#server.port);
    this.#client = new LoadClient(this.app, this.#connections);
    this.isStopping = false;
    this.startsMs.push(performance.now() - startedAt);
  }

  /** SIGKILL, and no new request; requests under way fail. */
  async kill(): Promise<void> {
    await this.#server?.stop("SIGKILL");
    this.isStopping = true;
  }

  /** Lets go of the connections to a server that is gone. */
  disconnect(): void {
    this.#connections?.close();
  }

  async stop(): Promise<void> {
    this.disconnect();
    await this.#server?.stop();
  }

  /** Runs `act` again and again until the server is killed; what it asked for last may have no reply. */
  async untilKilled(act: () => Promise<void>): Promise<void> {
    while (!this.isStopping) {
      try {
        await act();
      } catch (error) {
        if (!isLostConnection(error)) throw error;
        return;
      }
    }
  }

  /** Sends one request and counts its outcome. Rejects where no reply came. */
  async counted(operation: string, send: () => Promise<Answer>): Promise<Answer> {
    try {
      const answer = await send();
      if (answer.status === 200) this.acknowledged.add(operation);
      if (answer.status >= 500) this.failures.add(operation);
      return answer;
    } catch (error) {
      if (isLostConnection(error)) this.unanswered.add(operation);
      throw error;
    }
  }

  /** Waits until more than `before` calls were acknowledged. */
  async firstReply(before: number): Promise<void> {
    while (this.acknowledged.total <= before && !this.isStopping) await sleep(1);
  }
}

/** Numbers by name. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string, count = 1): void {
    this.#counts.set(name, this.of(name) + count);
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  toObject(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** Whether a request failed because the server was killed. */
export function isLostConnection(error: unknown): boolean {
  return error instanceof Error && /ECONNRESET|ECONNREFUSED|EPIPE|socket hang up|cut off|aborted/.test(error.message);
}
