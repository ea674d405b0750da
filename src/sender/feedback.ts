// What senders report of tokens, whichever way they come: over HTTP with an API key, or through the service binding.
import type { App } from "../config/apps.ts";
import { codeOfWords, DELIVERED, readError } from "../domain/feedback.ts";
import { KINDS, type Kind } from "../domain/kinds.ts";
import type { Environment } from "../domain/labels.ts";
import { mapBounded } from "../durable/concurrency.ts";
import { userHash } from "../durable/names.ts";
import { ApiError } from "../http/errors.ts";
import { givenValue } from "../http/given.ts";
import { toDetails } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { toPushToken } from "../http/tokens.ts";
import { uidOf } from "../http/uids.ts";
import { OBJECT_CONCURRENCY } from "../limits.ts";
import { hourly, log } from "../log.ts";
import { countUnknownCode } from "../metrics.ts";
import { ownersOf, tellUserByHash } from "../objects.ts";
import type { DeliveryReport, FeedbackReport, FeedbackResult, NamedToken } from "../user-tokens/outcomes.ts";

/** One report. Times are epoch milliseconds. */
export interface FeedbackItem {
  token: string;
  kind: Kind;
  /** The provider's own word, one of its libraries' for it, or the whole error object. */
  code?: string | object | null | undefined;
  /** The whole error object, where `code` is not given. */
  error?: string | object | null | undefined;
  /** When the provider knew (APNs: `timestamp` of a 410). */
  at?: number | null | undefined;
  /** When the push was sent, where the provider gives no time. */
  sentAt?: number | null | undefined;
  /** With the code `delivered`: which of APNs' hosts took the push. */
  environment?: Environment | null | undefined;
  /** Whose token it is, if known: saves asking for its owner. */
  uid?: string | null | undefined;
}

export interface FeedbackAnswer {
  /**
   * `unavailable`: an object did not answer; report the item again. `unknown_code`: nobody is known to use that word, so
   * nothing was done. `invalid`: the item is wrong.
   */
  outcome: FeedbackResult["outcome"] | "unavailable" | "unknown_code" | "invalid";
  why: string;
}

const UNAVAILABLE: FeedbackAnswer = {
  outcome: "unavailable",
  why: "an object did not answer; report the item again",
};

/** What is to be told of a token. */
interface Told {
  index: number;
  /** The hash of who is told. */
  user: string;
  hash: string;
  uid: string | null;
  /** Trouble, or a push that was taken. */
  report: FeedbackReport | DeliveryReport;
}

/** What each report did, in the order given. One call per user concerned; one that is wrong or fails does not fail the rest. */
export async function reportFeedback(env: Env, app: App, items: readonly unknown[]): Promise<FeedbackAnswer[]> {
  const now = Date.now();
  const answers: FeedbackAnswer[] = items.map(() => ({ outcome: "unknown", why: "nobody holds this token" }));
  const allTold: Told[] = [];
  await mapBounded([...items.entries()], OBJECT_CONCURRENCY, async ([index, item]) => {
    const read = await readItem(env, app, item, now);
    if ("outcome" in read) {
      answers[index] = read;
      return;
    }
    const users = await orUnavailable(() => holdersOf(env, app, read.hash, read.uid));
    if ("outcome" in users) answers[index] = users;
    else allTold.push(...users.map((user) => ({ index, user, ...read })));
  });
  const byUser = Map.groupBy(allTold, ({ user }) => user);
  await mapBounded([...byUser], OBJECT_CONCURRENCY, async ([user, ofUser]) => {
    const trouble = ofUser.flatMap(({ index, report }) => ("code" in report ? [{ index, report }] : []));
    const taken = ofUser.flatMap(({ index, report }) => ("environment" in report ? [{ index, report }] : []));
    const [reports, deliveries] = [trouble.map(({ report }) => report), taken.map(({ report }) => report)];
    const results = await orUnavailable(() =>
      tellUserByHash(env, app, user, (holder) => holder.feedback(reports, app.rules.refreshWindowMs, deliveries)),
    );
    for (const [i, { index }] of [...trouble, ...taken].entries()) {
      const result = "outcome" in results ? results : (results[i] ?? UNAVAILABLE);
      answers[index] = theMoreTelling(answers[index], result);
    }
  });
  const pruned = answers.filter(({ outcome }) => outcome === "pruned").length;
  if (pruned > 0) log.info("tokens pruned", { app: app.appId, reported: items.length, pruned });
  return answers;
}

/** What there is to tell of the token of an item; the answer to the item where there is nothing to tell. */
async function readItem(
  env: Env,
  app: App,
  value: unknown,
  now: number,
): Promise<Omit<Told, "index" | "user"> | FeedbackAnswer> {
  const parsed = schemas.feedbackItem.safeParse(value);
  if (!parsed.success) {
    return { outcome: "invalid", why: Object.values(toDetails(parsed.error)).flat().join(" ") };
  }
  const { kind, code, error, at, sentAt } = parsed.data;
  const { words, timestamp } = readError(code ?? error);
  const [word] = words;
  if (word === undefined) return { outcome: "invalid", why: "The code field holds no code." };
  // Never later than now: a sender's clock that is ahead must not make a young registration look old.
  const upToNow = (...times: (number | null | undefined)[]) => Math.min(times.find((time) => time != null) ?? now, now);
  if (word.toLowerCase() === DELIVERED) {
    if (KINDS[kind].provider !== "apns") return { outcome: "kept", why: `not about the token (${DELIVERED})` };
    const environment = givenValue(parsed.data.environment);
    if (environment === undefined) {
      return { outcome: "invalid", why: "The environment field must name the host of APNs that took the push." };
    }
    return told(app, parsed.data, { environment, at: upToNow(at, sentAt) });
  }
  const known = codeOfWords(kind, words);
  if (known === undefined) {
    noteUnknownCode(env, app, kind, word);
    return { outcome: "unknown_code", why: "no word of the provider, or of a library for it, that is known here" };
  }
  const { verdict } = known;
  if (verdict === "not_about_the_token") return { outcome: "kept", why: `not about the token (${known.code})` };
  const provided = KINDS[kind].provider === "apns" ? timestamp : undefined;
  return told(app, parsed.data, { code: known.code, verdict, at: upToNow(at, provided, sentAt) });
}

async function told(
  app: App,
  { token, kind, uid }: { token: string; kind: Kind; uid?: string | null | undefined },
  said: Omit<FeedbackReport, keyof NamedToken> | Omit<DeliveryReport, keyof NamedToken>,
): Promise<Omit<Told, "index" | "user"> | FeedbackAnswer> {
  try {
    const ofUser = uid == null ? null : uidOf(app, uid);
    const named = await toPushToken(app, { kind, token });
    return { hash: named.hash, uid: ofUser, report: { ...named, ...said } };
  } catch (refusal) {
    if (refusal instanceof ApiError) return { outcome: "invalid", why: refusal.message };
    throw refusal;
  }
}

/** A sender whose words are not known prunes nothing: counts each, and names one per app and hour. */
function noteUnknownCode(env: Env, app: App, kind: Kind, word: string): void {
  countUnknownCode(env, app.appId, kind);
  // Whatever a sender takes for a code could be a token or a uid: only what has the form of a word is written.
  const code = /^[a-z]+([_./-][a-z]+)*$/i.test(word) ? word : "(not a word)";
  hourly(`code:${app.appId}:${kind}:${code}`, () => {
    log.warn("a sender reports a code that is not known", { app: app.appId, kind, code });
  });
}

/** The users to tell: the one that is named, else whoever the owner object names. */
async function holdersOf(env: Env, app: App, hash: string, uid: string | null): Promise<string[]> {
  if (uid !== null) return [await userHash(app.appId, uid)];
  const owners = await ownersOf(env, app, hash);
  return owners.map(({ user }) => user);
}

async function orUnavailable<T>(call: () => Promise<T[]>): Promise<T[] | FeedbackAnswer> {
  try {
    return await call();
  } catch (error) {
    log.warn("a report could not be delivered", { error });
    return UNAVAILABLE;
  }
}

/** Several users may hold one token (policy `shared`): the reply names what says the most. */
function theMoreTelling(a: FeedbackAnswer | undefined, b: FeedbackAnswer): FeedbackAnswer {
  const rank: readonly FeedbackAnswer["outcome"][] = [
    "unknown",
    "kept",
    "corrected",
    "suspect",
    "pruned",
    "unavailable",
  ];
  return a !== undefined && rank.indexOf(a.outcome) > rank.indexOf(b.outcome) ? a : b;
}
