// Which texts are one installation. The forms are those of public threads; the properties hold for any text.
import fc from "fast-check";
import { describe, it } from "vitest";
import { KIND_NAMES, type Kind } from "../../src/domain/kinds.ts";
import { identityOf, storedForm, targetOf } from "../../src/domain/token.ts";

const ON = { fcmInstallations: true };
const OFF = { fcmInstallations: false };

/** Of node-apn#636. */
const HEX = "740f4707bebcf74f9b7c25d48e3358945f6aa01da5ddb387462c7eaf61bb78ad";

/** What stands before the colon of legacy tokens in public code (found by searching it for ":APA91b"), and FIDs of logs. */
const FIDS = [
  "cCwYg6Lclvt5s9TKuFIMWV",
  "chYYTVFRF6gPKWmL1VFuq1",
  "cvWmIPqrTNOt3eLhDy_imE",
  "fRdJF2VJQGSP7LLtB44Egk",
  "fyBLsxL5RcCDgxoeHwsid3",
  "flig2_M8Wk2On9N8ZDN7fY", // firebase-ios-sdk#14476
  "fYZk9S-AeUtWnV54s5AfNt", // firebase-ios-sdk#6766
] as const;

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const anyKind = fc.constantFrom(...KIND_NAMES);
const hexKind = fc.constantFrom<Kind>("apns", "voip");
const hex = fc.stringMatching(/^[0-9a-fA-F]{1,200}$/);
const visible = fc.stringMatching(/^[\x21-\x7e]{1,60}$/);
const fid = fc
  .tuple(fc.constantFrom("c", "d", "e", "f"), fc.array(fc.constantFrom(...base64url), { minLength: 21, maxLength: 21 }))
  .map(([first, rest]) => first + rest.join(""));
const rules = fc.record({ fcmInstallations: fc.boolean() });
const anyToken = fc.oneof(
  hex,
  visible,
  fid,
  fc.tuple(fid, visible).map(([f, rest]) => `${f}:${rest}`),
);

describe("the identity of an APNs or VoIP token", () => {
  it("is the same in any case, for hexadecimal digits are bytes", ({ expect }) => {
    for (const kind of ["apns", "voip"] as const) {
      expect(identityOf(kind, HEX.toUpperCase(), ON)).toBe(HEX);
      expect(storedForm(kind, HEX.toUpperCase())).toBe(HEX);
    }
    fc.assert(
      fc.property(hexKind, hex, rules, (kind, token, rule) => {
        expect(identityOf(kind, token.toUpperCase(), rule)).toBe(identityOf(kind, token.toLowerCase(), rule));
        expect(storedForm(kind, token)).toBe(token.toLowerCase());
      }),
    );
  });

  it.for([
    // What else comes in these fields: the documentation's placeholders, the bytes in base64, an FCM token in the wrong
    // field (node-apn#636, flutterfire#89), a prefix, dashes between the bytes
    "apns_token",
    "voip_token",
    "dA9HB77+FHT5t8JdSOM1iUX2qgHaXds4dGLH6vYbt4rQ==",
    `${FIDS[0]}:APA91bHexXxXx`,
    `0x${HEX.toUpperCase()}`,
    "74-0F-47-07",
  ])("is the text itself if it is not hexadecimal: %s", (token, { expect }) => {
    expect(identityOf("apns", token, ON)).toBe(token);
    expect(storedForm("voip", token)).toBe(token);
  });
});

describe("the identity of an FCM token", () => {
  it.for([...FIDS])("is the Firebase Installation ID %s, with or without the rest", (installation, { expect }) => {
    for (const token of [installation, `${installation}:APA91bF-x_y`, `${installation}:APA91bOther:with:colons`]) {
      expect(identityOf("fcm", token, ON)).toBe(installation);
      expect(identityOf("fcm", token, OFF)).toBe(token);
    }
  });

  it.for<[string, string]>([
    ["the documentation's placeholder", "fcm_token"],
    ["an instance id of 11 characters", "eSlF2WpGFnI:APA91bPCLnML1LBBG77m"],
    ["21 characters", `${FIDS[0].slice(0, 21)}:APA91b`],
    ["23 characters", `${FIDS[0]}x:APA91b`],
    ["another first character", `g${FIDS[0].slice(1)}:APA91b`],
    ["a capital first character", `E${FIDS[0].slice(1)}:APA91b`],
    ["a character that base64url lacks", `${FIDS[0].slice(0, 21)}+:APA91b`],
    ["nothing behind the colon", `${FIDS[0]}:`],
    ["a registration id of GCM, which had no colon", "APA91bPCLnML1LBBG77mkBlHjrJLx-cHydup"],
  ])("is the text itself: %s", ([, token], { expect }) => {
    expect(identityOf("fcm", token, ON)).toBe(token);
  });

  it("keeps the case of hexadecimal digits, which FCM tokens are not", ({ expect }) => {
    expect(identityOf("fcm", HEX.toUpperCase(), ON)).toBe(HEX.toUpperCase());
    expect(storedForm("fcm", HEX.toUpperCase())).toBe(HEX.toUpperCase());
  });

  it("joins a FID and every legacy token of it, and no two FIDs", ({ expect }) => {
    fc.assert(
      fc.property(fid, fid, visible, visible, (one, other, restOfOne, restOfOther) => {
        expect(identityOf("fcm", `${one}:${restOfOne}`, ON)).toBe(identityOf("fcm", one, ON));
        const same = identityOf("fcm", `${one}:${restOfOne}`, ON) === identityOf("fcm", `${other}:${restOfOther}`, ON);
        expect(same).toBe(one === other);
      }),
    );
  });
});

describe("the identity of any token", () => {
  it("is a token that is its own identity, and does not depend on the form that is stored", ({ expect }) => {
    fc.assert(
      fc.property(anyKind, anyToken, rules, (kind, token, rule) => {
        const identity = identityOf(kind, token, rule);
        expect(identityOf(kind, identity, rule)).toBe(identity);
        expect(identityOf(kind, storedForm(kind, token), rule)).toBe(identity);
        expect(storedForm(kind, storedForm(kind, token))).toBe(storedForm(kind, token));
        expect(token.toLowerCase().startsWith(identity.toLowerCase())).toBe(true);
      }),
    );
  });
});

describe("the field in which FCM takes a token", () => {
  it("is fid for a FID and token for anything else, whatever the app's setting", ({ expect }) => {
    for (const installation of FIDS) {
      expect(targetOf("fcm", installation)).toBe("fid");
      expect(targetOf("fcm", `${installation}:APA91bF-x_y`)).toBe("token");
    }
    for (const token of ["fcm_token", "eSlF2WpGFnI:APA91bPCLnML1LBBG77m", HEX]) {
      expect(targetOf("fcm", token)).toBe("token");
    }
  });

  it("is none for what APNs delivers", ({ expect }) => {
    expect(targetOf("apns", HEX)).toBeNull();
    expect(targetOf("voip", FIDS[0])).toBeNull();
  });
});
