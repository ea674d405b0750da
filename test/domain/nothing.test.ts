// The words for nothing. Where each was seen: bernie-2016/fieldthebern-ios#77 (null), node-apn#149 (undefined),
// ncmb_ios#16 ((null)), Parse-SDK-iOS-OSX#1224 ((undefined)), quickstart-android#212 (BLACKLISTED),
// twilio-voice-react-native#125 (empty). The others are what the languages print: each is the output of a program.
import { describe, it } from "vitest";
import { isNothing } from "../../src/domain/nothing.ts";

describe("a word for nothing", () => {
  it.for([
    "null",
    "NULL",
    " null\n",
    "undefined",
    "nil",
    "Optional(nil)",
    "None",
    "(null)",
    "<null>",
    "<nil>",
    "(undefined)",
    "NaN",
    String({}),
    `${null}`,
    `${undefined}`,
    String(Number("x")),
    Object.prototype.toString.call(null),
    "BLACKLISTED",
  ])("is %j", (text, { expect }) => {
    expect(isNothing(text)).toBe(true);
  });

  it.for(["", " ", "\t\n"])("is the empty text %j too", (text, { expect }) => {
    expect(isNothing(text)).toBe(true);
  });

  it.for(["fcm_token", "nulls", "null:APA91b", "0", "nonesuch", "constructor", "__proto__", "blacklisted-1"])(
    "is not %j",
    (text, { expect }) => {
      expect(isNothing(text)).toBe(false);
    },
  );
});
