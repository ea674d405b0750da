import { describe, it } from "vitest";
import guide from "../../docs/feedback.md?raw";
import { codeOfWords, decideFeedback, readError } from "../../src/domain/feedback.ts";
import {
  ADMIN_NODE,
  ADMIN_PYTHON,
  APNS_CODES,
  APNS_LIBRARIES,
  FCM_CODES,
  feedbackCode,
  LEGACY_FCM,
} from "../../src/domain/feedback-codes.ts";
import type { Kind } from "../../src/domain/kinds.ts";

const WINDOW = 7;
const REFRESHED_AT = 100;
const registration = { refreshedAt: REFRESHED_AT, suspectAt: null };
const decide = (verdict: "dead" | "doubtful", at: number, suspectAt: number | null = null) =>
  decideFeedback({ ...registration, suspectAt }, { verdict, at }, WINDOW).do;

describe("the decision on a report", () => {
  it.for([
    ["dead", REFRESHED_AT - 1, null, "keep"],
    ["dead", REFRESHED_AT, null, "suspect"],
    ["dead", REFRESHED_AT + WINDOW - 1, null, "suspect"],
    ["dead", REFRESHED_AT + WINDOW, null, "prune"],
    ["doubtful", REFRESHED_AT - 1, null, "keep"],
    ["doubtful", REFRESHED_AT, null, "suspect"],
    ["doubtful", REFRESHED_AT + 100 * WINDOW, null, "suspect"],
    ["doubtful", REFRESHED_AT + 2 + WINDOW - 1, REFRESHED_AT + 2, "suspect"],
    ["doubtful", REFRESHED_AT + 2 + WINDOW, REFRESHED_AT + 2, "prune"],
    ["dead", REFRESHED_AT + WINDOW - 1, REFRESHED_AT, "suspect"],
  ] as const)("%s at %i, suspect since %s: %s", ([verdict, at, suspectAt, expected], { expect }) => {
    expect(decide(verdict, at, suspectAt)).toBe(expected);
  });
});

describe("the table of codes", () => {
  it("calls dead or doubtful only what a provider says of the token itself", ({ expect }) => {
    const blamed = (kind: Kind, codes: typeof FCM_CODES) =>
      Object.keys(codes).flatMap((code) => {
        const verdict = feedbackCode(kind, code)?.verdict;
        return verdict === "not_about_the_token" ? [] : [[code, verdict]];
      });
    expect(Object.fromEntries(blamed("fcm", FCM_CODES))).toEqual({
      UNREGISTERED: "dead",
      SENDER_ID_MISMATCH: "doubtful",
      InvalidRegistration: "doubtful",
    });
    expect(Object.fromEntries(blamed("apns", APNS_CODES))).toEqual({
      Unregistered: "dead",
      ExpiredToken: "dead",
      BadDeviceToken: "doubtful",
    });
  });

  it("knows a code only as a word of the provider of that kind", ({ expect }) => {
    expect(feedbackCode("voip", "Unregistered")?.verdict).toBe("dead");
    expect(feedbackCode("fcm", "BadDeviceToken")).toBeUndefined();
    expect(feedbackCode("apns", "NotRegistered")).toBeUndefined();
    for (const word of ["__proto__", "constructor", "toString", "", "messaging/"]) {
      expect(feedbackCode("fcm", word)).toBeUndefined();
    }
  });

  it("is the one in the guide for senders", ({ expect }) => {
    const rows = (kind: Kind, codes: typeof FCM_CODES) =>
      Object.keys(codes).map((code) => {
        const { verdict = "" } = feedbackCode(kind, code) ?? {};
        const does = { dead: "dead", doubtful: "suspect", not_about_the_token: "kept", "": "unknown" }[verdict];
        return `| \`${code}\` | ${does} | `;
      });
    for (const row of [...rows("fcm", FCM_CODES), ...rows("apns", APNS_CODES)]) expect(guide).toContain(row);
  });

  it("gives every other word one code, and no word two", ({ expect }) => {
    const own = { fcm: FCM_CODES, apns: APNS_CODES };
    const others = { fcm: { ...LEGACY_FCM, ...ADMIN_NODE, ...ADMIN_PYTHON }, apns: APNS_LIBRARIES };
    for (const kind of ["fcm", "apns"] as const) {
      for (const code of Object.keys(own[kind])) expect(feedbackCode(kind, code)?.code).toBe(code);
      for (const [word, code] of Object.entries(others[kind])) {
        expect(Object.keys(own[kind])).toContain(code);
        expect([word, feedbackCode(kind, word)?.code]).toEqual([word, code]);
        expect(guide).toContain(`\`${word}\``);
      }
    }
  });
});

describe("the words of the providers' libraries", () => {
  // Where senders store them: home-assistant mobile-apps-fcm-push#216, parse-server#9173, notifo#74, node-firebase-admin#533.
  it.for<[string, Kind, string, string | undefined]>([
    ["firebase-admin for Node", "fcm", "messaging/registration-token-not-registered", "dead"],
    ["firebase-admin for Node, without its prefix", "fcm", "registration-token-not-registered", "dead"],
    ["firebase-admin for Node", "fcm", "messaging/invalid-registration-token", "doubtful"],
    ["firebase-admin for Node", "fcm", "messaging/mismatched-credential", "not_about_the_token"],
    ["firebase-admin for Node", "fcm", "messaging/invalid-argument", "not_about_the_token"],
    ["firebase-admin for Node", "fcm", "messaging/third-party-auth-error", "not_about_the_token"],
    ["firebase-admin for Java and Go", "fcm", "UNREGISTERED", "dead"],
    ["firebase-admin for Java and Go", "fcm", "SENDER_ID_MISMATCH", "doubtful"],
    ["firebase-admin for Go up to v3", "fcm", "registration-token-not-registered", "dead"],
    ["firebase-admin for .NET", "fcm", "Unregistered", "dead"],
    ["firebase-admin for .NET", "fcm", "SenderIdMismatch", "doubtful"],
    ["firebase-admin for .NET", "fcm", "ThirdPartyAuthError", "not_about_the_token"],
    ["firebase-admin for Python", "fcm", "UnregisteredError", "dead"],
    ["firebase-admin for Python", "fcm", "SenderIdMismatchError", "doubtful"],
    ["firebase-admin for Python", "fcm", "InvalidArgumentError", "not_about_the_token"],
    ["legacy FCM HTTP", "fcm", "NotRegistered", "dead"],
    ["legacy FCM HTTP", "fcm", "InvalidRegistration", "doubtful"],
    ["legacy FCM HTTP", "fcm", "MismatchSenderId", "doubtful"],
    ["legacy FCM HTTP", "fcm", "MessageTooBig", "not_about_the_token"],
    ["Pigeon for Elixir", "fcm", "not_registered", "dead"],
    ["Pigeon for Elixir", "apns", "bad_device_token", "doubtful"],
    ["APNSwift", "apns", "unregistered", "dead"],
    ["apns2 for Node", "voip", "badDeviceToken", "doubtful"],
    ["dotAPNS", "apns", "ExpiredProviderToken", "not_about_the_token"],
    ["node-apn, binary interface", "apns", "invalidToken", "doubtful"],
    ["in capitals", "apns", "UNREGISTERED", "dead"],
    ["nobody", "fcm", "token-is-gone", undefined],
    ["nobody", "apns", "410", undefined],
  ])("%s, %s %s: %s", ([, kind, word, verdict], { expect }) => {
    expect(feedbackCode(kind, word)?.verdict).toBe(verdict);
  });
});

describe("an error object", () => {
  const fcmError = (status: string, ...details: object[]) => ({
    error: { code: 404, message: "Requested entity was not found.", status, details },
  });
  const ofFcm = (errorCode: string) => ({ "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", errorCode });
  const ofApns = (reason: string) => ({
    "@type": "type.googleapis.com/google.firebase.fcm.v1.ApnsError",
    statusCode: 410,
    reason,
  });

  it.for<[string, Kind, unknown, string | undefined]>([
    ["FCM v1", "fcm", fcmError("NOT_FOUND", ofFcm("UNREGISTERED")), "UNREGISTERED"],
    ["FCM v1, its inner object", "fcm", fcmError("NOT_FOUND", ofFcm("UNREGISTERED")).error, "UNREGISTERED"],
    [
      "FCM v1 in a reply of axios",
      "fcm",
      { response: { data: fcmError("NOT_FOUND", ofFcm("UNREGISTERED")) } },
      "UNREGISTERED",
    ],
    ["FCM v1 without details", "fcm", fcmError("NOT_FOUND"), "NOT_FOUND"],
    [
      "FCM v1 with details of another type",
      "fcm",
      fcmError("INVALID_ARGUMENT", { fieldViolations: [] }),
      "INVALID_ARGUMENT",
    ],
    [
      "FCM v1, an iPhone that is gone",
      "fcm",
      fcmError("INVALID_ARGUMENT", ofFcm("INVALID_ARGUMENT"), ofApns("Unregistered")),
      "UNREGISTERED",
    ],
    [
      "FCM v1, Apple's credential",
      "fcm",
      fcmError("UNAUTHENTICATED", ofFcm("THIRD_PARTY_AUTH_ERROR"), ofApns("InvalidProviderToken")),
      "THIRD_PARTY_AUTH_ERROR",
    ],
    [
      "legacy FCM",
      "fcm",
      { multicast_id: 1, success: 0, failure: 1, results: [{ error: "NotRegistered" }] },
      "UNREGISTERED",
    ],
    [
      "firebase-admin for Node",
      "fcm",
      { code: "messaging/registration-token-not-registered", message: "…" },
      "UNREGISTERED",
    ],
    [
      "firebase-admin for Node, its fields",
      "fcm",
      { errorInfo: { code: "messaging/mismatched-credential" }, codePrefix: "messaging" },
      "MismatchedCredential",
    ],
    [
      "a send response of firebase-admin",
      "fcm",
      { success: false, error: { code: "messaging/server-unavailable" } },
      "UNAVAILABLE",
    ],
    ["APNs", "apns", { reason: "Unregistered", timestamp: 1_795_545_600_000 }, "Unregistered"],
    ["node-apn", "apns", { device: "740f", status: 410, response: { reason: "Unregistered" } }, "Unregistered"],
    ["apns2 for Node", "voip", { statusCode: 400, response: { reason: "BadDeviceToken" } }, "BadDeviceToken"],
    ["a status alone", "apns", { status: "410" }, undefined],
    ["a message alone", "fcm", { error: "Requested entity was not found." }, undefined],
    ["nothing", "fcm", {}, undefined],
    ["a list", "fcm", ["UNREGISTERED"], undefined],
    ["too deep", "fcm", { error: { error: { error: { error: { error: { error: "UNREGISTERED" } } } } } }, undefined],
  ])("of %s (%s) is read as its code", ([, kind, value, code], { expect }) => {
    expect(codeOfWords(kind, readError(value).words)?.code).toBe(code);
  });

  it("says when APNs found the token inactive, where it does", ({ expect }) => {
    expect(readError({ reason: "Unregistered", timestamp: 1_795_545_600_000 }).timestamp).toBe(1_795_545_600_000);
    expect(readError({ response: { reason: "Unregistered", timestamp: 1_795_545_600_000 } }).timestamp).toBe(
      1_795_545_600_000,
    );
    expect(readError({ reason: "Unregistered", timestamp: 1_795_545_600_000.5 }).timestamp).toBe(1_795_545_600_000);
    for (const timestamp of [1_795_545_600, "1795545600000", undefined]) {
      expect(readError({ reason: "Unregistered", timestamp }).timestamp).toBeUndefined();
    }
  });
});
