// What the words of FCM and APNs say about a token. One table; a code that is not in it is not about the token.
//
// Sources: firebase.google.com/docs/cloud-messaging/error-codes and …/manage-tokens (FCM HTTP v1),
// developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns (APNs reasons),
// Apple DTS in developer.apple.com/forums/thread/807380 and /806522 (which reasons mean that a token is gone).
import type { Kind, Registration } from "./registration.ts";

/** `dead`: the token is gone. `doubtful`: it may be the wrong environment or project. Else the token is not to blame. */
export type FeedbackVerdict = "dead" | "doubtful" | "not_about_the_token";

export interface FeedbackCode {
  verdict: FeedbackVerdict;
  /** What the provider means by it, in a few words. */
  meaning: string;
}

/** FCM HTTP v1: `error.details[].errorCode`, or `error.status` where there is none. */
export const FCM_CODES: Readonly<Record<string, FeedbackCode>> = {
  UNREGISTERED: { verdict: "dead", meaning: "the app instance was unregistered (404)" },
  SENDER_ID_MISMATCH: { verdict: "doubtful", meaning: "the token belongs to another Firebase project (403)" },
  INVALID_ARGUMENT: { verdict: "not_about_the_token", meaning: "the request is malformed: often the payload (400)" },
  UNSPECIFIED_ERROR: { verdict: "not_about_the_token", meaning: "no more information" },
  QUOTA_EXCEEDED: { verdict: "not_about_the_token", meaning: "a sending limit was exceeded (429)" },
  UNAVAILABLE: { verdict: "not_about_the_token", meaning: "FCM is overloaded (503)" },
  INTERNAL: { verdict: "not_about_the_token", meaning: "FCM had an internal error (500)" },
  THIRD_PARTY_AUTH_ERROR: {
    verdict: "not_about_the_token",
    meaning: "the APNs certificate or web push key is wrong (401)",
  },
  UNAUTHENTICATED: { verdict: "not_about_the_token", meaning: "the sender's credential is missing or wrong (401)" },
  PERMISSION_DENIED: { verdict: "not_about_the_token", meaning: "the sender may not send for this project (403)" },
  NOT_FOUND: { verdict: "not_about_the_token", meaning: "the project or resource was not found, no token named (404)" },
  RESOURCE_EXHAUSTED: { verdict: "not_about_the_token", meaning: "a quota is used up (429)" },
  DEADLINE_EXCEEDED: { verdict: "not_about_the_token", meaning: "FCM did not answer in time (504)" },
};

/** APNs: `reason` in the reply's body, as Apple lists them. */
export const APNS_CODES: Readonly<Record<string, FeedbackCode>> = {
  Unregistered: { verdict: "dead", meaning: "the device token is inactive for the topic (410)" },
  ExpiredToken: { verdict: "dead", meaning: "the device token has expired (410)" },
  BadDeviceToken: { verdict: "doubtful", meaning: "the token is invalid, or of the other environment (400)" },
  DeviceTokenNotForTopic: {
    verdict: "not_about_the_token",
    meaning: "the topic is not the token's: often VoIP against alert (400)",
  },
  BadCollapseId: { verdict: "not_about_the_token", meaning: "the collapse identifier is too long (400)" },
  BadExpirationDate: { verdict: "not_about_the_token", meaning: "the apns-expiration value is wrong (400)" },
  BadMessageId: { verdict: "not_about_the_token", meaning: "the apns-id value is wrong (400)" },
  BadPriority: { verdict: "not_about_the_token", meaning: "the apns-priority value is wrong (400)" },
  BadTopic: { verdict: "not_about_the_token", meaning: "the apns-topic value is wrong (400)" },
  DuplicateHeaders: { verdict: "not_about_the_token", meaning: "one or more headers are repeated (400)" },
  IdleTimeout: { verdict: "not_about_the_token", meaning: "the connection idled out (400)" },
  InvalidPushType: { verdict: "not_about_the_token", meaning: "the apns-push-type value is wrong (400)" },
  MissingDeviceToken: { verdict: "not_about_the_token", meaning: "the request's path holds no device token (400)" },
  MissingTopic: { verdict: "not_about_the_token", meaning: "the apns-topic header is missing (400)" },
  PayloadEmpty: { verdict: "not_about_the_token", meaning: "the payload is empty (400)" },
  TopicDisallowed: { verdict: "not_about_the_token", meaning: "pushing to this topic is not allowed (400)" },
  BadCertificate: { verdict: "not_about_the_token", meaning: "the certificate is invalid (403)" },
  BadCertificateEnvironment: {
    verdict: "not_about_the_token",
    meaning: "the certificate is of the other environment (403)",
  },
  ExpiredProviderToken: { verdict: "not_about_the_token", meaning: "the provider's JWT is stale (403)" },
  Forbidden: { verdict: "not_about_the_token", meaning: "the action is not allowed (403)" },
  InvalidProviderToken: { verdict: "not_about_the_token", meaning: "the provider's JWT is not valid (403)" },
  MissingProviderToken: { verdict: "not_about_the_token", meaning: "no certificate and no provider JWT (403)" },
  UnrelatedKeyIdInToken: {
    verdict: "not_about_the_token",
    meaning: "the JWT's key id is not the one of the first push (403)",
  },
  BadEnvironmentKeyIdInToken: {
    verdict: "not_about_the_token",
    meaning: "the JWT's key is of the other environment (403)",
  },
  BadPath: { verdict: "not_about_the_token", meaning: "the request's path is wrong (404)" },
  MethodNotAllowed: { verdict: "not_about_the_token", meaning: "the method is not POST (405)" },
  PayloadTooLarge: { verdict: "not_about_the_token", meaning: "the payload is too large (413)" },
  TooManyProviderTokenUpdates: {
    verdict: "not_about_the_token",
    meaning: "the provider's JWT changes too often (429)",
  },
  TooManyRequests: { verdict: "not_about_the_token", meaning: "too many pushes to the same device (429)" },
  InternalServerError: { verdict: "not_about_the_token", meaning: "APNs had an internal error (500)" },
  ServiceUnavailable: { verdict: "not_about_the_token", meaning: "APNs is unavailable (503)" },
  Shutdown: { verdict: "not_about_the_token", meaning: "APNs is shutting this connection down (503)" },
};

/** What `code` says about a token of `kind`; `undefined` for a word that the provider of that kind does not have. */
export function feedbackCode(kind: Kind, code: string): FeedbackCode | undefined {
  const codes = kind === "fcm" ? FCM_CODES : APNS_CODES;
  return Object.hasOwn(codes, code) ? codes[code] : undefined;
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
