import { describe, it } from "vitest";
import { uniqueToken } from "../support/client.ts";
import { chatSession, pushTokens, verifications } from "../support/cometchat.ts";

describe("identity cometchat", () => {
  it("takes the user from CometChat's word for the auth token, and asks once", async ({ expect }) => {
    const session = await chatSession();
    const token = uniqueToken();
    expect(await session.register({ fcmToken: token })).toMatchObject({ status: 200 });
    expect(await session.tokens()).toEqual([token]);
    expect(await pushTokens("chat", session.uid)).toEqual([token]);
    expect(await verifications(session)).toBe(1);
  });
});
