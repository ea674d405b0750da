import { describe, it } from "vitest";
import guide from "../../docs/feedback.md?raw";
import { APNS_CODES, decideFeedback, FCM_CODES, feedbackCode } from "../../src/domain/feedback.ts";

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
    const blamed = (codes: typeof FCM_CODES) =>
      Object.entries(codes).filter(([, { verdict }]) => verdict !== "not_about_the_token");
    expect(Object.fromEntries(blamed(FCM_CODES).map(([code, { verdict }]) => [code, verdict]))).toEqual({
      UNREGISTERED: "dead",
      SENDER_ID_MISMATCH: "doubtful",
    });
    expect(Object.fromEntries(blamed(APNS_CODES).map(([code, { verdict }]) => [code, verdict]))).toEqual({
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
    const rows = (codes: typeof FCM_CODES) =>
      Object.entries(codes).map(([code, { verdict, meaning }]) => {
        const does = { dead: "dead", doubtful: "suspect", not_about_the_token: "kept" }[verdict];
        return `| \`${code}\` | ${does} | ${meaning} |`;
      });
    for (const row of [...rows(FCM_CODES), ...rows(APNS_CODES)]) expect(guide).toContain(row);
  });
});
