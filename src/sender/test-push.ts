// A test push: the bound sender pushes to a user's devices, and tells what the providers answered. docs/console.md says how a sender is
// bound.
import type { App } from "../config/apps.ts";
import { DELIVERED } from "../domain/feedback.ts";
import type { SenderToken } from "../domain/sender-token.ts";
import { type Delivery, meaningOf, type TestAnswer } from "../domain/test-push.ts";
import { withTimeout } from "../durable/timeout.ts";
import { ApiError } from "../http/errors.ts";
import { uidOf } from "../http/uids.ts";
import { PROXY_TIMEOUT_MS } from "../limits.ts";
import { type FeedbackItem, reportFeedback } from "./feedback.ts";
import { listUser } from "./own-objects.ts";

/** The service binding `SENDER`: the entrypoint `TestPush` of examples/sender, or another one with its method. */
export interface TestSender {
  /**
   * Pushes to those tokens that a message goes to; an answer for each, in their order. `null`: not pushed, because another token of the
   * device was, or because the token is for calls. `null` for all: it does not push for that app.
   */
  push(appId: string, uid: string, tokens: SenderToken[]): Promise<readonly (Delivery | null)[] | null>;
}

/** The sender that is bound; most deployments have none. */
export function senderOf(env: object): TestSender | undefined {
  return (env as { SENDER?: TestSender }).SENDER;
}

/**
 * Pushes to the devices of a user that are not muted. With `report`, the answers are fed back, which may prune.
 * @throws {ApiError} 400 if no sender is bound for the app, 500 if it fails
 */
export async function testPush(env: Env, app: App, text: string, report: boolean): Promise<TestAnswer[]> {
  const uid = uidOf(app, text);
  const { pushTokens } = await listUser(env, app, uid, {});
  const sentAt = Date.now();
  const deliveries = await ask(senderOf(env), app, uid, pushTokens);
  const items = pushTokens.flatMap(({ token, kind }, i) => itemOf({ token, kind, uid, sentAt }, deliveries[i]));
  const outcomes = report ? await reportFeedback(env, app, items) : [];
  return pushTokens.map(({ token, kind, sessionId, platform, device }, i) => ({
    sessionId,
    kind,
    platform,
    device,
    ...meaningOf(kind, deliveries[i]),
    ...outcomes[items.findIndex((item) => item.token === token && item.kind === kind)],
  }));
}

async function ask(sender: TestSender | undefined, { appId }: App, uid: string, tokens: SenderToken[]) {
  let deliveries: readonly (Delivery | null)[] | null | undefined;
  try {
    deliveries = sender && (await withTimeout(sender.push(appId, uid, tokens), PROXY_TIMEOUT_MS));
  } catch (error) {
    // What it says in words may hold a token.
    const cause = new Error((error as Error).name);
    throw new ApiError("ERR_OPERATION_FAILED", "The sender failed. Its own log says why.", { cause });
  }
  if (deliveries != null) return deliveries;
  throw new ApiError("ERR_BAD_REQUEST", "No sender is bound for this app: bind one as SENDER (docs/console.md).");
}

/** What there is to report of a delivery: nothing of one that went as the registration says. */
function itemOf(item: FeedbackItem, delivery: Delivery | null | undefined): FeedbackItem[] {
  if (delivery == null) return [];
  if (!delivery.delivered) return [{ ...item, code: delivery.error ?? delivery.code, at: delivery.at }];
  const { environment } = delivery;
  return environment === undefined ? [] : [{ ...item, code: DELIVERED, environment }];
}
