// What the words of FCM and APNs, and of the libraries that send by them, say about a token. One table of codes per provider,
// and one of other words for them per vocabulary. A word is compared without regard to case, `_`, `-` and space, so that
// `SENDER_ID_MISMATCH`, `SenderIdMismatch` and `sender-id-mismatch` are one.
//
// Sources: firebase.google.com/docs/cloud-messaging/error-codes and …/manage-tokens (FCM HTTP v1),
// developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns (APNs reasons),
// Apple DTS in developer.apple.com/forums/thread/807380 and /806522 (which reasons mean that a token is gone); those of the
// libraries stand with each vocabulary.
import { KINDS, type Kind, type Provider } from "./kinds.ts";

/** `dead`: the token is gone. `doubtful`: it may be the wrong environment or project. Else the token is not to blame. */
export type FeedbackVerdict = "dead" | "doubtful" | "not_about_the_token";

/** By the provider's word. docs/feedback.md says what each means. */
type Codes = Readonly<Record<string, FeedbackVerdict>>;

/**
 * FCM HTTP v1: `error.details[].errorCode`, or `error.status` where there is none. The enums of firebase-admin for Java, Go
 * (`MessagingErrorCode`, messaging_errors.go) and .NET (MessagingErrorCode.cs, ErrorCode.cs) spell the same words.
 */
export const FCM_CODES: Codes = {
  UNREGISTERED: "dead",
  SENDER_ID_MISMATCH: "doubtful",
  InvalidRegistration: "doubtful",
  ...notAboutTheToken([
    "INVALID_ARGUMENT",
    "UNSPECIFIED_ERROR",
    "QUOTA_EXCEEDED",
    "UNAVAILABLE",
    "INTERNAL",
    "THIRD_PARTY_AUTH_ERROR",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "NOT_FOUND",
    "RESOURCE_EXHAUSTED",
    "DEADLINE_EXCEEDED",
    "MismatchedCredential",
    "InvalidPayload",
    "Unknown",
  ]),
};

/** APNs: `reason` in the reply's body, as Apple lists them. */
export const APNS_CODES: Codes = {
  Unregistered: "dead",
  ExpiredToken: "dead",
  BadDeviceToken: "doubtful",
  ...notAboutTheToken([
    "DeviceTokenNotForTopic",
    "BadCollapseId",
    "BadExpirationDate",
    "BadMessageId",
    "BadPriority",
    "BadTopic",
    "DuplicateHeaders",
    "IdleTimeout",
    "InvalidPushType",
    "MissingDeviceToken",
    "MissingTopic",
    "PayloadEmpty",
    "TopicDisallowed",
    "BadCertificate",
    "BadCertificateEnvironment",
    "ExpiredProviderToken",
    "Forbidden",
    "InvalidProviderToken",
    "MissingProviderToken",
    "UnrelatedKeyIdInToken",
    "BadEnvironmentKeyIdInToken",
    "BadPath",
    "MethodNotAllowed",
    "PayloadTooLarge",
    "TooManyProviderTokenUpdates",
    "TooManyRequests",
    "InternalServerError",
    "ServiceUnavailable",
    "Shutdown",
    "Unknown",
  ]),
};

function notAboutTheToken(codes: readonly string[]): Codes {
  return Object.fromEntries(codes.map((code) => [code, "not_about_the_token"]));
}

/** Other words, each for a code of the tables above. */
type Words = Readonly<Record<string, string>>;

/** Legacy FCM HTTP, `results[].error`: firebase.google.com/docs/cloud-messaging/http-server-ref, table 9. */
export const LEGACY_FCM: Words = {
  NotRegistered: "UNREGISTERED",
  MismatchSenderId: "SENDER_ID_MISMATCH",
  MissingRegistration: "INVALID_ARGUMENT",
  InvalidParameters: "INVALID_ARGUMENT",
  InvalidPackageName: "INVALID_ARGUMENT",
  InvalidTtl: "INVALID_ARGUMENT",
  InvalidDataKey: "InvalidPayload",
  MessageTooBig: "InvalidPayload",
  InvalidApnsCredential: "THIRD_PARTY_AUTH_ERROR",
  InternalServerError: "INTERNAL",
  DeviceMessageRateExceeded: "QUOTA_EXCEEDED",
  TopicsMessageRateExceeded: "QUOTA_EXCEEDED",
};

/**
 * firebase-admin for Node: `messaging/…`, src/messaging/error.ts. It calls a dead token and, since it maps the status where
 * there is no error code, whatever else was not found, `registration-token-not-registered`. Go used the same words up to v3.
 */
export const ADMIN_NODE: Words = {
  "registration-token-not-registered": "UNREGISTERED",
  "invalid-registration-token": "InvalidRegistration",
  "invalid-recipient": "INVALID_ARGUMENT",
  "invalid-options": "INVALID_ARGUMENT",
  "invalid-package-name": "INVALID_ARGUMENT",
  "invalid-data-payload-key": "InvalidPayload",
  "payload-size-limit-exceeded": "InvalidPayload",
  "device-message-rate-exceeded": "QUOTA_EXCEEDED",
  "topics-message-rate-exceeded": "QUOTA_EXCEEDED",
  "topics-subscription-rate-exceeded": "QUOTA_EXCEEDED",
  "message-rate-exceeded": "QUOTA_EXCEEDED",
  "too-many-topics": "QUOTA_EXCEEDED",
  "authentication-error": "UNAUTHENTICATED",
  "server-unavailable": "UNAVAILABLE",
  "internal-error": "INTERNAL",
  "unknown-error": "Unknown",
  // firebase-admin for Go up to v3, messaging.go
  "invalid-apns-credentials": "THIRD_PARTY_AUTH_ERROR",
};

/** firebase-admin for Python: the names of its exceptions, firebase_admin/messaging.py and exceptions.py. */
export const ADMIN_PYTHON: Words = {
  UnregisteredError: "UNREGISTERED",
  SenderIdMismatchError: "SENDER_ID_MISMATCH",
  QuotaExceededError: "QUOTA_EXCEEDED",
  InvalidArgumentError: "INVALID_ARGUMENT",
  UnavailableError: "UNAVAILABLE",
  UnauthenticatedError: "UNAUTHENTICATED",
  PermissionDeniedError: "PERMISSION_DENIED",
  NotFoundError: "NOT_FOUND",
  ResourceExhaustedError: "RESOURCE_EXHAUSTED",
  DeadlineExceededError: "DEADLINE_EXCEEDED",
  UnknownError: "Unknown",
};

/** What FCM itself answered before it renamed the code: firebase-admin for Go, messaging_errors.go. */
const FORMER_FCM: Words = { APNS_AUTH_ERROR: "THIRD_PARTY_AUTH_ERROR" };

/**
 * APNs: what a reply was seen to say beside Apple's list; node-apn's name of the binary interface's status 8 (lib/errors.js);
 * apns2 for Node (src/errors.ts); dotAPNS (ApnsResponseReason.cs). Pushy, a2, PyAPNs2 and APNSwift pass Apple's words on.
 */
export const APNS_LIBRARIES: Words = {
  BadEnvironmentKeyInToken: "BadEnvironmentKeyIdInToken",
  invalidToken: "BadDeviceToken",
  InvalidSigningKey: "InvalidProviderToken",
  Error: "Unknown",
  UnknownError: "Unknown",
};

const TABLES: Readonly<Record<Provider, { codes: Codes; words: readonly Words[] }>> = {
  fcm: { codes: FCM_CODES, words: [LEGACY_FCM, ADMIN_NODE, ADMIN_PYTHON, FORMER_FCM] },
  apns: { codes: APNS_CODES, words: [APNS_LIBRARIES] },
};

/** Each provider's codes by the normal form of every word for them. */
const BY_WORD = Object.fromEntries(
  Object.entries(TABLES).map(([provider, { codes, words }]) => {
    const all = [...Object.keys(codes).map((code) => [code, code] as const), ...words.flatMap(Object.entries<string>)];
    return [provider, new Map(all.map(([word, code]) => [normalForm(word), code]))];
  }),
);

function normalForm(word: string): string {
  return word
    .replace(/^messaging\//i, "")
    .replace(/[_\s-]/g, "")
    .toLowerCase();
}

export interface KnownCode {
  /** The provider's own word for it. */
  code: string;
  verdict: FeedbackVerdict;
}

/** What a word says about a token of `kind`; `undefined` for one that nobody is known to use for that provider. */
export function feedbackCode(kind: Kind, word: string): KnownCode | undefined {
  const { provider } = KINDS[kind];
  const code = BY_WORD[provider]?.get(normalForm(word));
  const verdict = code === undefined ? undefined : TABLES[provider].codes[code];
  return code === undefined || verdict === undefined ? undefined : { code, verdict };
}
