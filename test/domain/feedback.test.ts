import { describe, it } from "vitest";
import guide from "../../docs/feedback.md?raw";
import { APNS_CODES, decideFeedback, FCM_CODES, feedbackCode } from "../../src/domain/feedback.ts";
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
    });
    expect(Object.fromEntries(blamed("apns", APNS_CODES))).toEqual({
      Unregistered: "dead",
      ExpiredToken: "dead",
      BadDeviceToken: "doubtful",
    });
  });

  it("knows a code only as a word of the provider of that kind", ({ expect }) => {
    expect(feedbackCode("voip", "Unregistered")?.verdict).toBe("dead");
    expect(feedbackCode("fcm", "Unregistered")).toBeUndefined();
    expect(feedbackCode("fcm", "__proto__")).toBeUndefined();
  });

  it("is the one in the guide for senders", ({ expect }) => {
    const rows = (kind: Kind, codes: typeof FCM_CODES) =>
      Object.keys(codes).map((code) => {
        const { verdict = "", meaning = "" } = feedbackCode(kind, code) ?? {};
        const does = { dead: "dead", doubtful: "suspect", not_about_the_token: "kept", "": "unknown" }[verdict];
        return `| \`${code}\` | ${does} | ${meaning} |`;
      });
    for (const row of [...rows("fcm", FCM_CODES), ...rows("apns", APNS_CODES)]) expect(guide).toContain(row);
  });
});
