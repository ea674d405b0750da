// From users to devices and back: which tokens a push goes to, and what the providers said of them.
import { type ApnsConfig, sendApns } from "./apns.ts";
import { type FcmConfig, sendFcm } from "./fcm.ts";
import type { Delivery, Kind, Push, RegisteredToken, Target } from "./push.ts";

/**
 * One report; `error` in place of `code` where the provider's whole answer says more, and `environment` where the code is
 * `delivered`.
 */
export interface Feedback {
  token: string;
  kind: Kind;
  uid: string;
  code?: string;
  error?: object;
  environment?: "production" | "sandbox";
  sentAt: number;
  at?: number;
}

/** What the registry's entrypoint `PushTokens` answers; see the registry's README for every field. */
export interface PushTokensBinding {
  lookup(uids: string[]): Promise<{
    users: { uid: string; pushTokens: RegisteredToken[] }[];
    errors: { uid: string; code: string }[];
  }>;
  feedback(items: Feedback[]): Promise<{ outcome: string; why: string }[]>;
}

type Providers = FcmConfig & ApnsConfig;

export interface SenderEnv extends Providers {
  PUSH_TOKENS: PushTokensBinding;
}

export interface Report {
  delivered: number;
  /** What was not delivered, without the token. */
  failed: { uid: string; kind: string; code: string; outcome: string }[];
  /**
   * What APNs' other host took: the app names none, or the wrong one, in `device.environment`. With the outcome `corrected` the
   * registration names it from now on.
   */
  otherHost: { uid: string; kind: string; environment: string; outcome: string }[];
  /** Users whose tokens could not be read; send to them again. */
  unread: string[];
}

/** Cloudflare opens six connections at once per request; more pushes than that only wait. */
const CONCURRENT_PUSHES = 6;

/**
 * Sends a push to every device of the users (at most 500), and tells the registry which tokens the providers refused, and
 * which ones APNs' other host took.
 */
export async function deliver(env: SenderEnv, uids: string[], push: Push): Promise<Report> {
  const { users, errors } = await env.PUSH_TOKENS.lookup(uids);
  const targets = users.flatMap(({ uid, pushTokens }) =>
    chooseTokens(pushTokens, push).map((token): Target => ({ uid, ...token })),
  );
  const sentAt = Date.now();
  const deliveries = await sendAll(env, targets, push);
  const refused = targets.flatMap((target, i) => {
    const delivery = deliveries[i];
    return delivery === undefined || delivery.delivered ? [] : [{ target, delivery }];
  });
  const otherHost = targets.flatMap(({ token, kind, uid }, i) => {
    const delivery = deliveries[i];
    if (delivery?.delivered !== true || delivery.environment === undefined) return [];
    return [{ token, kind, uid, sentAt, code: "delivered", environment: delivery.environment }];
  });
  const trouble = refused.map(({ target: { token, kind, uid }, delivery: { code, error, at } }): Feedback => {
    const item: Feedback = { token, kind, uid, sentAt, ...(error === undefined ? { code } : { error }) };
    if (at !== undefined) item.at = at;
    return item;
  });
  const items = [...trouble, ...otherHost];
  const outcomes = items.length === 0 ? [] : await env.PUSH_TOKENS.feedback(items);
  return {
    delivered: targets.length - refused.length,
    failed: refused.map(({ target: { uid, kind }, delivery: { code } }, i) => ({
      uid,
      kind,
      code,
      outcome: outcomes[i]?.outcome ?? "unknown",
    })),
    otherHost: otherHost.map(({ uid, kind, environment }, i) => ({
      uid,
      kind,
      environment,
      outcome: outcomes[trouble.length + i]?.outcome ?? "unknown",
    })),
    unread: errors.map(({ uid }) => uid),
  };
}

type Send = (config: Providers, target: Target, push: Push) => Promise<Delivery>;

/** What goes to a token of each kind: the higher number wins on a device that has several, 0 is never sent. */
const KINDS: Record<Kind, { send: Send; down: string } & Record<Push["type"], number>> = {
  fcm: { send: sendFcm, down: "UNAVAILABLE", chat: 1, call: 1 },
  apns: { send: sendApns, down: "ServiceUnavailable", chat: 2, call: 0 },
  voip: { send: sendApns, down: "ServiceUnavailable", chat: 0, call: 2 },
};

/**
 * One push per device. A call rings the VoIP token of an iPhone and reaches other devices by FCM; a message goes to the
 * APNs token, or to the FCM token of a device that has none: an iPhone with both is one device, and gets one push.
 */
export function chooseTokens(tokens: RegisteredToken[], push: Push): RegisteredToken[] {
  const rank = (token: RegisteredToken) => KINDS[token.kind][push.type];
  return [...Map.groupBy(tokens, (token) => token.sessionId).values()].flatMap((ofDevice) => {
    const [best] = ofDevice.filter((token) => rank(token) > 0).sort((a, b) => rank(b) - rank(a));
    return best === undefined ? [] : [best];
  });
}

/** Sends to the devices of one user, and reports nothing; `null` for a token that the push does not go to. */
export async function pushTo(
  config: Providers,
  uid: string,
  tokens: RegisteredToken[],
  push: Push,
): Promise<(Delivery | null)[]> {
  const chosen = chooseTokens(tokens, push);
  const targets = chosen.map((token): Target => ({ ...token, uid }));
  const deliveries = await sendAll(config, targets, push);
  return tokens.map((token) => deliveries[chosen.indexOf(token)] ?? null);
}

async function sendAll(config: Providers, targets: Target[], push: Push): Promise<Delivery[]> {
  const deliveries: Delivery[] = new Array(targets.length);
  let next = 0;
  async function worker(): Promise<void> {
    for (let i = next++; i < targets.length; i = next++) {
      const target = targets[i];
      if (target !== undefined) deliveries[i] = await send(config, target, push);
    }
  }
  await Promise.all(Array.from({ length: CONCURRENT_PUSHES }, worker));
  return deliveries;
}

/** A provider that cannot be reached says nothing about the token: its own word for that is reported, and nothing is pruned. */
async function send(config: Providers, target: Target, push: Push): Promise<Delivery> {
  try {
    return await KINDS[target.kind].send(config, target, push);
  } catch (error) {
    console.error(
      JSON.stringify({ message: "a provider could not be reached", kind: target.kind, error: String(error) }),
    );
    return { delivered: false, code: KINDS[target.kind].down };
  }
}
