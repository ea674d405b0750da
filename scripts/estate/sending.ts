// Batches on their way: as fast as the registry takes them, and again where it says so.

import { BATCH_MAX } from "../../src/limits.ts";
import { CommandError } from "../lib/command.ts";
import type { EstateItem } from "./item.ts";

export interface Answer {
  outcome: string;
  why?: string;
}

export interface Target {
  url: string;
  appId: string;
  apiKey: string;
  /** Where the objects of new users are made. */
  locationHint?: string | null;
}

export interface Pace {
  /** How often a call that fails, or an item that is `unavailable`, is sent again. */
  repeats: number;
  /** The wait before the first repeat, ms, where the registry does not say how long; the double of it before the next. */
  waitMs: number;
}

const WAIT_MAX_MS = 60_000;
/** A call is given up after this: the registry's own limit is a fifth of it. */
const CALL_TIMEOUT_MS = 60_000;
/** Batches without trouble after which they grow again. */
const CALM_BATCHES = 20;

/** Sends items in batches whose size follows what the registry takes. */
export class Sender {
  readonly #target: Target;
  readonly #pace: Pace;
  readonly #say: (line: string) => void;
  #size: number;
  #sizeMax: number;
  #calm = 0;
  /** Nothing is sent before this, ms. */
  #quietUntil = 0;

  constructor(target: Target, pace: Pace, say: (line: string) => void, sizeMax = BATCH_MAX) {
    this.#target = target;
    this.#pace = pace;
    this.#say = say;
    this.#size = sizeMax;
    this.#sizeMax = sizeMax;
  }

  /** How many items are best sent at once. */
  get size(): number {
    return this.#size;
  }

  /**
   * What became of each item. One that stays `unavailable` after all repeats is answered so.
   * @throws {CommandError} if the registry refuses the call, or does not answer it after all repeats
   */
  async send(items: readonly EstateItem[]): Promise<Answer[]> {
    const answers: Answer[] = items.map(() => ({ outcome: "unavailable" }));
    let open = items.map((item, index) => ({ item, index }));
    for (let repeats = 0; open.length > 0; repeats += 1) {
      const left: typeof open = [];
      for (let from = 0; from < open.length; ) {
        const batch = open.slice(from, from + this.#size);
        from += batch.length;
        const answered = await this.#call(batch.map(({ item }) => item));
        for (const [i, each] of batch.entries()) {
          const answer = answered[i] ?? { outcome: "unavailable" };
          // What was sent before may have been stored, and its answer lost.
          answers[each.index] = repeats === 0 ? answer : asFirst(answer);
          if (answer.outcome === "unavailable") left.push(each);
        }
        this.#adapt(
          answered.some(({ outcome }) => outcome === "unavailable"),
          batch.length,
        );
      }
      // Each time some got through is progress; what does not move is given up.
      if (left.length === open.length && repeats >= this.#pace.repeats) break;
      open = left;
      if (open.length > 0) await this.#wait(repeats, null);
    }
    return answers;
  }

  #adapt(isTrouble: boolean, sent: number): void {
    if (!isTrouble) {
      this.#calm += 1;
      if (this.#calm >= CALM_BATCHES && this.#size < this.#sizeMax) {
        this.#size = Math.min(this.#sizeMax, this.#size * 2);
        this.#calm = 0;
      }
      return;
    }
    this.#calm = 0;
    if (sent < this.#size || this.#size === 1) return;
    this.#size = Math.max(1, Math.floor(this.#size / 2));
    this.#say(`Some items were unavailable: batches of ${this.#size} from now on.`);
  }

  async #call(items: readonly EstateItem[]): Promise<Answer[]> {
    for (let failures = 0; ; failures += 1) {
      await this.#untilQuietEnds();
      const reply = await this.#post(items).catch((error: unknown) => ({ error }));
      const answers = "error" in reply ? null : answersIn(reply);
      if (answers !== null) return failures === 0 ? answers : answers.map(asFirst);
      const problem = "error" in reply ? failureOf(reply.error) : problemOf(reply);
      if (problem.isTooLong) return await this.#callShorter(items);
      if (!problem.mayHelp || failures >= this.#pace.repeats) throw new CommandError(problem.message);
      if (problem.retryAfterMs !== null)
        this.#quietUntil = Math.max(this.#quietUntil, Date.now() + problem.retryAfterMs);
      if (problem.isTooMany)
        this.#say(`The registry asks to wait: ${Math.ceil((problem.retryAfterMs ?? 0) / 1000)} s.`);
      await this.#wait(failures, problem.retryAfterMs);
    }
  }

  /** What stands before the registry may take shorter bodies than it does. */
  async #callShorter(items: readonly EstateItem[]): Promise<Answer[]> {
    if (items.length === 1) return [{ outcome: "invalid", why: "It is longer than the registry takes." }];
    const half = Math.ceil(items.length / 2);
    if (half < this.#size) {
      this.#size = half;
      this.#sizeMax = half;
      this.#say(`The calls were too long: batches of ${half} from now on.`);
    }
    return [...(await this.#call(items.slice(0, half))), ...(await this.#call(items.slice(half)))];
  }

  async #post(items: readonly EstateItem[]): Promise<Reply> {
    const { url, appId, apiKey, locationHint } = this.#target;
    const response = await fetch(`${url.replace(/\/+$/, "")}/v3/push_tokens/import`, {
      redirect: "error",
      method: "POST",
      headers: { appId, apikey: apiKey, "content-type": "application/json" },
      body: JSON.stringify({ items, ...(locationHint == null ? {} : { locationHint }) }),
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    const { status, headers } = response;
    return { status, retryAfter: headers.get("retry-after"), text: await response.text() };
  }

  async #untilQuietEnds(): Promise<void> {
    const ms = this.#quietUntil - Date.now();
    if (ms > 0) await sleep(ms);
  }

  async #wait(failures: number, retryAfterMs: number | null): Promise<void> {
    await sleep(retryAfterMs ?? Math.min(WAIT_MAX_MS, this.#pace.waitMs * 2 ** failures));
  }
}

/** All of it came. */
interface Reply {
  status: number;
  retryAfter: string | null;
  text: string;
}

interface Problem {
  message: string;
  mayHelp: boolean;
  isTooMany: boolean;
  isTooLong: boolean;
  retryAfterMs: number | null;
}

function failureOf(error: unknown): Problem {
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
  const message = `The registry does not answer${cause}`;
  return { message, mayHelp: true, isTooMany: false, isTooLong: false, retryAfterMs: null };
}

function problemOf({ status, retryAfter, text }: Reply): Problem {
  const seconds = Number(retryAfter ?? Number.NaN);
  return {
    message: `The registry answered ${status}: ${messageIn(text)}`,
    mayHelp: status === 429 || status >= 500,
    isTooMany: status === 429,
    isTooLong: status === 413,
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : null,
  };
}

function messageIn(text: string): string {
  try {
    const { code, message } = JSON.parse(text).error;
    if (typeof code === "string") return `${code}, ${message}`;
  } catch {
    // Below.
  }
  return "nothing that a registry says: is that one?";
}

/** The answer to the first of several calls, which may have stored it. */
function asFirst(answer: Answer): Answer {
  return answer.outcome === "already" ? { outcome: "imported" } : answer;
}

/** `null`: it says nothing of the items. */
function answersIn({ status, text }: Reply): Answer[] | null {
  if (status !== 200) return null;
  try {
    const items: unknown = JSON.parse(text).data.items;
    return Array.isArray(items) ? items : null;
  } catch {
    return null;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
