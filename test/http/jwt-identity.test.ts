import { describe, it } from "vitest";
import { JWT_SECRETS } from "../support/apps.ts";
import { serverCall, uniqueToken } from "../support/client.ts";
import { jwtLogin, secretKey } from "../support/issuer.ts";

describe("an app with its own login, by shared secret", () => {
  for (const { kid, secret } of JWT_SECRETS) {
    it(`accepts tokens of the secret ${kid ?? "without a name"}`, async ({ expect }) => {
      const session = await jwtLogin("SECRET", { key: secretKey(secret, kid) });
      const pushToken = uniqueToken();
      expect((await session.register({ fcmToken: pushToken })).status).toBe(200);
      expect(await session.tokens()).toEqual([pushToken]);
    });
  }

  it("mints no auth tokens here", async ({ expect }) => {
    const reply = await serverCall("POST", "/v3/users/alice/auth_tokens", {}, "jwt-secret");
    expect(reply).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST" } } });
    expect(reply.body.error.message).toContain("own login");
  });
});
