// APNs with token-based authentication:
// https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
import { importPKCS8, SignJWT } from "jose";
import type { Delivery, Push, Target } from "./push.ts";

export interface ApnsConfig {
  APNS_ENDPOINT: string;
  /** Where builds from Xcode are pushed, for apps that say what they are (`device.environment`). */
  APNS_SANDBOX_ENDPOINT?: string;
  APNS_TEAM_ID: string;
  APNS_KEY_ID: string;
  APNS_PRIVATE_KEY: string;
  APNS_TOPIC: string;
}

/** Apple wants the same provider token for at least 20 minutes and at most 60. */
const PROVIDER_TOKEN_MS = 40 * 60 * 1000;
let cached: { providerToken: string; usableUntil: number; keyId: string } | undefined;

type Environment = "production" | "sandbox";

/**
 * Sends by the host that the registration names. A token of the other one is a BadDeviceToken there, so that one is tried once:
 * for an app that does not say which it is, and for a build that says the wrong thing.
 */
export async function sendApns(config: ApnsConfig, target: Target, push: Push): Promise<Delivery> {
  const stated: Environment = target.device?.environment ?? "production";
  const other: Environment = stated === "production" ? "sandbox" : "production";
  const first = await sendBy(config, stated, target, push);
  if (first.delivery.delivered || first.delivery.code !== "BadDeviceToken") return first.delivery;
  if (config.APNS_SANDBOX_ENDPOINT === undefined) return first.delivery;
  const second = await sendBy(config, other, target, push);
  if (second.delivery.delivered) return { delivered: true, environment: other };
  // A host that knows the token, or is down, says more than one that never saw it; one that refuses the key or the topic does not.
  return second.status === 410 || second.status >= 429 ? second.delivery : first.delivery;
}

async function sendBy(
  config: ApnsConfig,
  environment: Environment,
  { kind, token, uid, device }: Target,
  push: Push,
): Promise<{ status: number; delivery: Delivery }> {
  const isVoip = kind === "voip";
  const endpoint = (environment === "sandbox" ? config.APNS_SANDBOX_ENDPOINT : undefined) ?? config.APNS_ENDPOINT;
  const topic = device?.bundleId ?? config.APNS_TOPIC;
  const response = await fetch(`${endpoint}/3/device/${encodeURIComponent(token)}`, {
    method: "POST",
    headers: {
      authorization: `bearer ${await providerToken(config)}`,
      "apns-topic": isVoip ? `${topic}.voip` : topic,
      "apns-push-type": isVoip ? "voip" : "alert",
      "apns-priority": "10",
      // A call that could not ring at once is not worth ringing later.
      "apns-expiration": isVoip ? "0" : String(Math.floor(Date.now() / 1000) + 24 * 3600),
    },
    body: JSON.stringify({
      aps: { alert: { title: push.title, body: push.body }, sound: "default" },
      ...push.data,
      uid,
      type: push.type,
    }),
  });
  const { status } = response;
  if (response.ok) {
    await response.body?.cancel();
    return { status, delivery: { delivered: true } };
  }
  const { reason, timestamp } = (await response.json().catch(() => ({}))) as { reason?: string; timestamp?: number };
  const delivery: Delivery = { delivered: false, code: reason ?? "InternalServerError" };
  // 410 says since when: a registration younger than that stays (the registry compares).
  if (timestamp !== undefined) delivery.at = timestamp;
  return { status, delivery };
}

async function providerToken(config: ApnsConfig): Promise<string> {
  if (cached !== undefined && cached.keyId === config.APNS_KEY_ID && cached.usableUntil > Date.now()) {
    return cached.providerToken;
  }
  const providerToken = await new SignJWT({})
    .setProtectedHeader({ alg: "ES256", kid: config.APNS_KEY_ID })
    .setIssuer(config.APNS_TEAM_ID)
    .setIssuedAt()
    .sign(await importPKCS8(config.APNS_PRIVATE_KEY, "ES256"));
  cached = { providerToken, usableUntil: Date.now() + PROVIDER_TOKEN_MS, keyId: config.APNS_KEY_ID };
  return providerToken;
}
