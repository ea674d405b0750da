// What the words of FCM and APNs say about a token. One table; a code that is not in it is not about the token.
//
// Sources: firebase.google.com/docs/cloud-messaging/error-codes and …/manage-tokens (FCM HTTP v1),
// developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns (APNs reasons),
// Apple DTS in developer.apple.com/forums/thread/807380 and /806522 (which reasons mean that a token is gone).
import { KINDS, type Kind, type Provider } from "./kinds.ts";
import type { Registration } from "./registration.ts";

/** `dead`: the token is gone. `doubtful`: it may be the wrong environment or project. Else the token is not to blame. */
export type FeedbackVerdict = "dead" | "doubtful" | "not_about_the_token";

export interface FeedbackCode {
  verdict: FeedbackVerdict;
  /** What the provider means by it, in a few words. */
  meaning: string;
}

/** By the provider's word; a meaning alone: not about the token. */
type Codes = Readonly<Record<string, FeedbackCode | string>>;

/** FCM HTTP v1: `error.details[].errorCode`, or `error.status` where there is none. */
export const FCM_CODES: Codes = {
  UNREGISTERED: { verdict: "dead", meaning: "the app instance was unregistered (404)" },
  SENDER_ID_MISMATCH: { verdict: "doubtful", meaning: "the token belongs to another Firebase project (403)" },
  INVALID_ARGUMENT: "the request is malformed: often the payload",
  UNSPECIFIED_ERROR: "no more information",
  QUOTA_EXCEEDED: "a sending limit was exceeded",
  UNAVAILABLE: "FCM is overloaded",
  INTERNAL: "FCM had an internal error",
  THIRD_PARTY_AUTH_ERROR: "the APNs certificate or web push key is wrong",
  UNAUTHENTICATED: "the sender's credential is missing or wrong",
  PERMISSION_DENIED: "the sender may not send for this project",
  NOT_FOUND: "the project or resource was not found, no token named",
  RESOURCE_EXHAUSTED: "a quota is used up",
  DEADLINE_EXCEEDED: "FCM did not answer in time",
};

/** APNs: `reason` in the reply's body, as Apple lists them. */
export const APNS_CODES: Codes = {
  Unregistered: { verdict: "dead", meaning: "the device token is inactive for the topic (410)" },
  ExpiredToken: { verdict: "dead", meaning: "the device token has expired (410)" },
  BadDeviceToken: { verdict: "doubtful", meaning: "the token is invalid, or of the other environment (400)" },
  DeviceTokenNotForTopic: "the topic is not the token's: often VoIP against alert",
  BadCollapseId: "the collapse identifier is too long",
  BadExpirationDate: "the apns-expiration value is wrong",
  BadMessageId: "the apns-id value is wrong",
  BadPriority: "the apns-priority value is wrong",
  BadTopic: "the apns-topic value is wrong",
  DuplicateHeaders: "one or more headers are repeated",
  IdleTimeout: "the connection idled out",
  InvalidPushType: "the apns-push-type value is wrong",
  MissingDeviceToken: "the request's path holds no device token",
  MissingTopic: "the apns-topic header is missing",
  PayloadEmpty: "the payload is empty",
  TopicDisallowed: "pushing to this topic is not allowed",
  BadCertificate: "the certificate is invalid",
  BadCertificateEnvironment: "the certificate is of the other environment",
  ExpiredProviderToken: "the provider's JWT is stale",
  Forbidden: "the action is not allowed",
  InvalidProviderToken: "the provider's JWT is not valid",
  MissingProviderToken: "no certificate and no provider JWT",
  UnrelatedKeyIdInToken: "the JWT's key id is not the one of the first push",
  BadEnvironmentKeyIdInToken: "the JWT's key is of the other environment",
  BadPath: "the request's path is wrong",
  MethodNotAllowed: "the method is not POST",
  PayloadTooLarge: "the payload is too large",
  TooManyProviderTokenUpdates: "the provider's JWT changes too often",
  TooManyRequests: "too many pushes to the same device",
  InternalServerError: "APNs had an internal error",
  ServiceUnavailable: "APNs is unavailable",
  Shutdown: "APNs is shutting this connection down",
};

const CODES: Readonly<Record<Provider, Codes>> = { fcm: FCM_CODES, apns: APNS_CODES };

/** What `code` says about a token of `kind`; `undefined` for a word that the provider of that kind does not have. */
export function feedbackCode(kind: Kind, code: string): FeedbackCode | undefined {
  const codes = CODES[KINDS[kind].provider];
  const found = Object.hasOwn(codes, code) ? codes[code] : undefined;
  return typeof found === "string" ? { verdict: "not_about_the_token", meaning: found } : found;
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
