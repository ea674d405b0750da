// What senders report of tokens, whichever way they come: over HTTP with an API key, or through the service binding.
import type { App } from "../config/apps.ts";
import { type FeedbackVerdict, feedbackCode } from "../domain/feedback.ts";
import type { Kind } from "../domain/kinds.ts";
import { mapBounded } from "../durable/concurrency.ts";
import { tokenHash, userHash } from "../durable/names.ts";
import { uidOf } from "../http/uids.ts";
import { OBJECT_CONCURRENCY } from "../limits.ts";
import { log } from "../log.ts";
import { ownersOf, tellUserByHash } from "../objects.ts";
import type { FeedbackReport, FeedbackResult } from "../user-tokens/outcomes.ts";

/** One report; `code` is the provider's own word. Times are epoch milliseconds. */
export interface FeedbackItem {
  token: string;
  kind: Kind;
  code: string;
  /** When the provider knew (APNs: `timestamp` of a 410). */
  at?: number | null | undefined;
  /** When the push was sent, where the provider gives no time. */
  sentAt?: number | null | undefined;
  /** Whose token it is, if known: saves asking for its owner. */
  uid?: string | null | undefined;
}

export interface FeedbackAnswer {
  /** `unavailable`: an object did not answer; report the item again. */
  outcome: FeedbackResult["outcome"] | "unavailable";
  why: string;
}

/** What each report did, in the order given. One call per user concerned; a user that fails does not fail the rest. */
export async function reportFeedback(env: Env, app: App, items: readonly FeedbackItem[]): Promise<FeedbackAnswer[]> {
  const now = Date.now();
  const answers: FeedbackAnswer[] = items.map(() => ({ outcome: "unknown", why: "nobody holds this token" }));
  const uids = items.map(({ uid }, i) => (uid == null ? null : uidOf(app, uid, `items.${i}.uid`)));
  const byUser = new Map<string, { index: number; report: FeedbackReport }[]>();
  await mapBounded([...items.entries()], OBJECT_CONCURRENCY, async ([index, item]) => {
    const code = feedbackCode(item.kind, item.code);
    const verdict = code?.verdict ?? "not_about_the_token";
    if (verdict === "not_about_the_token") {
      answers[index] = { outcome: "kept", why: code?.meaning ?? "not a code that says that a token is dead" };
      return;
    }
    const hash = await tokenHash(item.kind, item.token);
    const users = await orUnavailable(() => holdersOf(env, app, hash, uids[index]));
    if ("outcome" in users) answers[index] = users;
    else for (const user of users) push(byUser, user, { index, report: toReport(item, hash, verdict, now) });
  });
  await mapBounded([...byUser], OBJECT_CONCURRENCY, async ([user, reports]) => {
    const results = await orUnavailable(() =>
      tellUserByHash(env, app, user, (holder) =>
        holder.feedback(
          reports.map(({ report }) => report),
          app.rules.refreshWindowMs,
        ),
      ),
    );
    for (const [i, { index }] of reports.entries()) {
      const result = "outcome" in results ? results : results[i];
      if (result !== undefined) answers[index] = theMoreTelling(answers[index], result);
    }
  });
  const pruned = answers.filter(({ outcome }) => outcome === "pruned").length;
  if (pruned > 0) log.info("tokens pruned", { app: app.appId, reported: items.length, pruned });
  return answers;
}

/** The users to tell: the one that is named, else whoever the owner object names. */
async function holdersOf(env: Env, app: App, hash: string, uid: string | null | undefined): Promise<string[]> {
  if (uid != null) return [await userHash(app.appId, uid)];
  const owners = await ownersOf(env, app, hash);
  return owners.map(({ user }) => user);
}

function toReport(
  { code, at, sentAt }: FeedbackItem,
  hash: string,
  verdict: Exclude<FeedbackVerdict, "not_about_the_token">,
  now: number,
): FeedbackReport {
  // A clock that is ahead must not make a registration look older than the report.
  return { hash, code, verdict, at: Math.min(at ?? sentAt ?? now, now) };
}

async function orUnavailable<T>(call: () => Promise<T[]>): Promise<T[] | FeedbackAnswer> {
  try {
    return await call();
  } catch (error) {
    log.warn("a report could not be delivered", { error });
    return { outcome: "unavailable", why: "an object did not answer; report the item again" };
  }
}

/** Several users may hold one token (policy `shared`): the reply names what says the most. */
function theMoreTelling(a: FeedbackAnswer | undefined, b: FeedbackAnswer): FeedbackAnswer {
  const rank: FeedbackAnswer["outcome"][] = ["unknown", "kept", "suspect", "pruned", "unavailable"];
  return a !== undefined && rank.indexOf(a.outcome) > rank.indexOf(b.outcome) ? a : b;
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
