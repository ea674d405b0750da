// CometChat's REST API, as far as it tells who is pushed where. Auth tokens stand in its URLs: no error says one.
import { setTimeout as sleep } from "node:timers/promises";
import { CommandError } from "../../lib/command.ts";
import { Pace } from "./pace.ts";

export interface RestApi {
  /** Where it is, with its version: `https://<appId>.api-<region>.cometchat.io/v3`. */
  url: string;
  apiKey: string;
  callsPerMinute: number;
  /** How often a call is repeated that fails. */
  repeats: number;
  /** The wait before the first repeat, ms, where CometChat does not say how long; the double of it before the next. */
  waitMs: number;
}

export interface Page<T> {
  items: T[];
  isLast: boolean;
}

interface Reply {
  data?: unknown;
  meta?: { pagination?: { current_page?: unknown; total_pages?: unknown } };
}

/** As many as CometChat gives. */
const USERS_PER_PAGE = 1000;
const AUTH_TOKENS_PER_PAGE = 100;
const CALL_TIMEOUT_MS = 60_000;
const WAIT_MAX_MS = 60_000;
/** What was there a moment ago: a user was deleted, an auth token ended. */
const GONE = new Set(["ERR_UID_NOT_FOUND", "ERR_AUTH_TOKEN_NOT_FOUND", "AUTH_ERR_AUTH_TOKEN_NOT_FOUND"]);

export class CometChatApi {
  readonly #api: RestApi;
  readonly #pace: Pace;
  readonly #say: (line: string) => void;
  /** Ends all other calls when one fails for good. */
  readonly #end = new AbortController();
  /** Whether a call failed, and that was said. */
  #hasFailed = false;
  /** The page of users that came last. */
  #users: readonly string[] | null = null;

  constructor(api: RestApi, say: (line: string) => void) {
    this.#api = api;
    this.#pace = new Pace(api.callsPerMinute, this.#end.signal);
    this.#say = say;
  }

  /** The uids of a page of users; the first page has number 1. */
  async users(page: number): Promise<Page<string>> {
    const { items, isLast } = await this.#page("/users", page, USERS_PER_PAGE);
    const uids = items.flatMap((user) => textsOf(user, "uid"));
    if (items.length > 0) this.#mustDiffer(page, uids, this.#users);
    this.#users = uids;
    return { items: uids, isLast };
  }

  /** All auth tokens of a user. */
  async authTokens(uid: string): Promise<string[]> {
    const found: string[] = [];
    let before: readonly string[] | null = null;
    for (let page = 1; ; page += 1) {
      const path = `/users/${encodeURIComponent(uid)}/auth_tokens`;
      const { items, isLast } = await this.#page(path, page, AUTH_TOKENS_PER_PAGE);
      const authTokens = items.flatMap((each) => textsOf(each, "authToken"));
      if (items.length > 0) this.#mustDiffer(page, authTokens, before);
      before = authTokens;
      found.push(...authTokens);
      if (isLast) return found;
    }
  }

  /** The push tokens of an auth token, and whatever else CometChat names of its user. */
  async pushTokens(authToken: string): Promise<Record<string, unknown>[]> {
    const reply = await this.#get("/notifications/push/v1/tokens", { authToken, all: "true" });
    if (reply === null) return [];
    const { pushTokens } = (reply.data ?? {}) as { pushTokens?: unknown };
    return this.#listIn(pushTokens, "push tokens").filter(isRecord);
  }

  /** What ends the run, and all other calls with it. */
  failure(message: string): CommandError {
    // Once it was thrown to whoever waits: the others end with less to say.
    setImmediate(() => this.#end.abort());
    return new CommandError(message);
  }

  /** Anything but a list is refused: read as an empty one, it would leave users out, and nobody would know. */
  #listIn(value: unknown, of: string): unknown[] {
    if (Array.isArray(value)) return value;
    throw this.failure(`CometChat's answer is not the shape of a list of ${of}: is that CometChat?`);
  }

  /** A page like the one before it: whoever answers does not look at the number, so the list has no end, and others are never seen. */
  #mustDiffer(page: number, texts: readonly string[], before: readonly string[] | null): void {
    if (before === null || new Set(texts).symmetricDifference(new Set(before)).size > 0) return;
    throw this.failure(`CometChat answered page ${page} with what page ${page - 1} has: is that CometChat?`);
  }

  async #page(path: string, page: number, perPage: number): Promise<Page<unknown>> {
    const reply = await this.#get(path, { perPage: String(perPage), page: String(page) });
    if (reply === null) return { items: [], isLast: true };
    const items = this.#listIn(reply.data, path === "/users" ? "users" : "auth tokens");
    const { current_page: current = page, total_pages: pages } = reply.meta?.pagination ?? {};
    if (current !== page && items.length > 0)
      throw this.failure(`CometChat was asked for page ${page}, and answered ${current}.`);
    // A page may be shorter than was asked for, and not the last.
    return { items, isLast: items.length === 0 || (Number.isInteger(pages) && page >= Number(pages)) };
  }

  /** `null`: what was asked for is gone. */
  async #get(path: string, query: Record<string, string>): Promise<Reply | null> {
    const { url, apiKey, repeats, waitMs } = this.#api;
    for (let failures = 0; ; failures += 1) {
      await this.#pace.turn();
      const reply = await answerTo(`${url}${path}?${new URLSearchParams(query)}`, apiKey, this.#end.signal);
      if ("data" in reply) return reply;
      if (GONE.has(reply.code)) return null;
      if (!reply.mayHelp || failures >= repeats) throw this.failure(reply.message);
      const { message, isBusy, retryAfterMs } = reply;
      if (!isBusy && !this.#hasFailed) this.#say(`Asked again, up to ${repeats} times each: ${message}`);
      this.#hasFailed ||= !isBusy;
      if (retryAfterMs === null) {
        await sleep(Math.min(WAIT_MAX_MS, waitMs * 2 ** failures), undefined, { signal: this.#end.signal });
      } else if (this.#pace.rest(retryAfterMs)) {
        this.#say(`CometChat asks to wait: ${Math.ceil(retryAfterMs / 1000)} s.`);
      }
    }
  }
}

interface Refusal {
  code: string;
  message: string;
  mayHelp: boolean;
  /** It says how long to wait, because it was asked too often: no fault. */
  isBusy: boolean;
  retryAfterMs: number | null;
}

async function answerTo(url: string, apikey: string, end: AbortSignal): Promise<(Reply & { data: unknown }) | Refusal> {
  const signal = AbortSignal.any([end, AbortSignal.timeout(CALL_TIMEOUT_MS)]);
  const headers = { apikey, accept: "application/json" };
  const answered = async () => {
    const response = await fetch(url, { headers, signal, redirect: "error" });
    return { response, text: await response.text() };
  };
  const answer = await answered().catch((error: unknown) => ({ error }));
  if ("error" in answer)
    return { code: "", message: silence(answer.error), mayHelp: true, isBusy: false, retryAfterMs: null };
  const { response, text } = answer;
  const reply = parsed(text) as (Reply & { error?: { code?: unknown } }) | null | undefined;
  if (response.status === 200 && reply?.data !== undefined) return { ...reply, data: reply.data };
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const { status } = response;
  const isPassing = status === 429 || status >= 500;
  const retryAfterMs = isPassing && Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : null;
  // Said to be JSON, and no more than the beginning of it came.
  const isBroken = status === 200 && reply === undefined && /json/.test(response.headers.get("content-type") ?? "");
  // Its message may hold the auth token.
  const code = /^[A-Z_]{1,60}$/.exec(String(reply?.error?.code))?.[0] ?? "";
  return {
    code,
    message: `CometChat answered ${status}${code === "" ? ", with no code of an error: is that CometChat?" : `: ${code}`}`,
    mayHelp: isPassing || isBroken,
    isBusy: status === 429 && retryAfterMs !== null,
    retryAfterMs,
  };
}

/** `undefined`: that is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function silence(error: unknown): string {
  const { code } = (error instanceof Error ? (error.cause ?? {}) : {}) as { code?: unknown };
  return `CometChat does not answer${typeof code === "string" ? `: ${code}` : ""}`;
}

function textsOf(value: unknown, field: string): string[] {
  const found = (value as Record<string, unknown> | null)?.[field];
  return typeof found === "string" && found !== "" ? [found] : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
