// Claims that are numbers. JSON's numbers are doubles in JavaScript: above 2^53 two users, or two sessions, would be one.
import { CompactSign } from "jose";
import { beforeAll, describe, it } from "vitest";
import { JWT_SECRETS } from "../support/apps.ts";
import { TestSession, uniqueToken } from "../support/client.ts";
import { appOf, claimsOf, serveIssuers } from "../support/issuer.ts";

const secret = new TextEncoder().encode(JWT_SECRETS[0]?.secret ?? "");

beforeAll(serveIssuers);

/** A login whose `sub` and `sid` stand in the token's JSON as they are given. */
async function loginAs(sub: string, sid: string): Promise<TestSession> {
  const { sub: _sub, sid: _sid, ...rest } = claimsOf("SECRET");
  const payload = `${JSON.stringify(rest).slice(0, -1)},"sub":${sub},"sid":${sid}}`;
  const authToken = await new CompactSign(new TextEncoder().encode(payload))
    .setProtectedHeader({ alg: "HS256", kid: JWT_SECRETS[0]?.kid ?? "" })
    .sign(secret);
  return new TestSession(appOf("SECRET").appId, sub, authToken);
}

describe("a numeric claim", () => {
  it.for([
    ["a whole number above 2^53", "1152921504606847001"],
    ["a whole number that a double happens to hold", "1152921504606846976"],
    ["a fraction", "17.5"],
    ["a whole number with a fraction of nothing", "17.0"],
    ["a number with an exponent", "17e1"],
    ["minus nothing", "-0"],
  ])("that is %s names no user and no session", async ([, number = ""], { expect }) => {
    const user = await loginAs(number, '"session"');
    const refusal = await user.register({ fcmToken: uniqueToken() });
    expect(refusal.status).toBe(400);
    expect(refusal.body.error.details.authToken).toEqual([expect.stringContaining('the user in its claim "sub"')]);
    const session = await loginAs(`"user-${number}"`, number);
    const { status, body } = await session.register({ fcmToken: uniqueToken() });
    expect(status).toBe(400);
    expect(body.error.details.authToken).toEqual([expect.stringContaining('the session in its claim "sid"')]);
  });

  it("that is a safe whole number is the same as its text", async ({ expect }) => {
    const [asNumber, asText] = [
      await loginAs("9007199254740991", "-5"),
      await loginAs('"9007199254740991"', '"other"'),
    ];
    const pushToken = uniqueToken();
    expect((await asNumber.register({ fcmToken: pushToken })).status).toBe(200);
    expect(await asText.tokens()).toEqual([pushToken]);
  });
});

describe("a claim that clients take out of paths", () => {
  it.for([".", ".."])("%s names no user and no session", async (dots, { expect }) => {
    for (const session of [await loginAs(`"${dots}"`, '"session"'), await loginAs('"user"', `"${dots}"`)]) {
      expect((await session.register({ fcmToken: uniqueToken() })).status).toBe(400);
    }
  });
});
