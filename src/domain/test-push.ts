// What a sender answers to a test push, and what that means. Pure: no I/O.
import { codeOfWords, DELIVERED, readError } from "./feedback.ts";
import type { FeedbackVerdict } from "./feedback-codes.ts";
import type { Kind, Platform } from "./kinds.ts";
import type { Device, Environment } from "./labels.ts";

/** What a provider answered, as the sender has it. */
export type Delivery =
  /** `environment`: APNs' host that took the push, where the registration names another one or none. */
  | { delivered: true; environment?: Environment }
  /** The provider's own word, its whole error object where that says more, and the time since when (epoch ms). */
  | { delivered: false; code: string; error?: object; at?: number };

/** What became of the push to one token. */
export interface TestAnswer {
  sessionId: string;
  kind: Kind;
  platform: Platform;
  device?: Device | undefined;
  /** `not_sent`: another token of the device was pushed, or the token is for calls. */
  answer: FeedbackVerdict | typeof DELIVERED | "not_sent" | "unknown_code";
  /** The provider's word. */
  code?: string | undefined;
  /** Where the answer was fed back: what that did, and why. */
  outcome?: string;
  why?: string;
}

/** In the words of the feedback table. `null` and `undefined`: there was no push. */
export function meaningOf(kind: Kind, delivery: Delivery | null | undefined): Pick<TestAnswer, "answer" | "code"> {
  if (delivery == null) return { answer: "not_sent" };
  if (delivery.delivered) return { answer: DELIVERED };
  const known = codeOfWords(kind, readError(delivery.error ?? delivery.code).words);
  return { answer: known?.verdict ?? "unknown_code", code: known?.code ?? delivery.code };
}
