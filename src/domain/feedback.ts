// What a report of trouble does to a registration, and what a provider's error object says. Pure: no I/O.
import { EPOCH_MS_MIN } from "../limits.ts";
import { feedbackCode, type KnownCode } from "./feedback-codes.ts";
import type { Kind } from "./kinds.ts";
import type { Registration } from "./registration.ts";

/** Not a provider's word: what a sender reports in place of one where a push was taken. */
export const DELIVERED = "delivered" as const;

/** Error objects nest (`error`, `response`, `data`); real ones no deeper than this. */
const NESTING_MAX = 4;

/** What a report of a provider's answer says. */
export interface ReadError {
  /** The words that may be its code, the more exact ones first; empty if there is none. */
  words: string[];
  /** When APNs found the token inactive, epoch ms. */
  timestamp: number | undefined;
}

/**
 * Reads a word, or an error object as a provider or its library made it: FCM v1 (`details[]` counts before `status`), legacy
 * FCM (`results[0].error`), firebase-admin (`code`, `errorInfo.code`), APNs (`reason`, `timestamp`), and replies that hold
 * one of these in `error`, `response`, `data` or `body`.
 */
export function readError(value: unknown, depth = 0): ReadError {
  if (typeof value === "string") return { words: wordOf(value), timestamp: undefined };
  if (typeof value !== "object" || value === null || depth > NESTING_MAX) return { words: [], timestamp: undefined };
  const { details, error, response, data, body, results, errorInfo, ...own } = value as Record<string, unknown>;
  const timestamp =
    typeof own.timestamp === "number" && own.timestamp >= EPOCH_MS_MIN ? Math.floor(own.timestamp) : undefined;
  const inner = [error, response, data, body, Array.isArray(results) ? results[0] : undefined, errorInfo];
  const found = inner.map((each) => readError(each, depth + 1));
  const candidates = [
    wordsOfDetails(details),
    ...found.map(({ words }) => words),
    ...[own.errorCode, own.messagingErrorCode, own.reason, own.code, own.status].map(wordOf),
  ];
  return {
    words: candidates.find((words) => words.length > 0) ?? [],
    timestamp: timestamp ?? found.find((each) => each.timestamp !== undefined)?.timestamp,
  };
}

/**
 * FCM's own code, then what APNs told FCM: for an iPhone that is gone FCM says INVALID_ARGUMENT, with APNs'
 * `Unregistered` in its details.
 */
function wordsOfDetails(details: unknown): string[] {
  if (!Array.isArray(details)) return [];
  const entries = details.filter((entry) => typeof entry === "object" && entry !== null);
  return [...entries.flatMap(({ errorCode }) => wordOf(errorCode)), ...entries.flatMap(({ reason }) => wordOf(reason))];
}

function wordOf(value: unknown): string[] {
  // Not a status such as "410", and not a message.
  return typeof value === "string" && /^[^\s{]*[a-z][^\s{]*$/i.test(value) ? [value] : [];
}

/** The code that words stand for: the first that blames the token, else the first that is known. */
export function codeOfWords(kind: Kind, words: readonly string[]): KnownCode | undefined {
  const known = words.map((word) => feedbackCode(kind, word)).filter((code) => code !== undefined);
  return known.find(({ verdict }) => verdict !== "not_about_the_token") ?? known[0];
}

export type FeedbackDecision = { do: "keep" | "suspect" | "prune"; why: string };

/**
 * What a report of trouble at `at` does to a registration. A registration that may be younger than the report is never
 * pruned: `refreshedAt` is written once per window, so the device may have registered again up to a window later.
 */
export function decideFeedback(
  registration: Pick<Registration, "refreshedAt" | "suspectAt">,
  report: { verdict: "dead" | "doubtful"; at: number },
  refreshWindowMs: number,
): FeedbackDecision {
  const { refreshedAt, suspectAt } = registration;
  if (report.at < refreshedAt) return { do: "keep", why: "registered again after the provider's report" };
  if (suspectAt !== null && report.at >= suspectAt + refreshWindowMs) {
    return { do: "prune", why: "reported again a refresh window after the first report" };
  }
  if (report.verdict === "doubtful") {
    return { do: "suspect", why: "the provider's word does not prove that the token is dead" };
  }
  if (report.at < refreshedAt + refreshWindowMs) {
    return { do: "suspect", why: "the device may have registered again within the refresh window" };
  }
  return { do: "prune", why: "dead, and not registered since" };
}
