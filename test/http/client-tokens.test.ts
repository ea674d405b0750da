import { describe, it } from "vitest";
import { login, uniqueToken } from "../support/client.ts";

describe("v2/tokens", () => {
  it("shows a registered token on the next read, removes it on delete", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    expect(await session.register({ fcmToken: token })).toMatchObject({
      status: 200,
      body: { data: { success: true } },
    });
    expect((await session.call("GET", "/v2/tokens")).body).toEqual({ data: { ios: [], web: [], android: [token] } });
    expect((await session.delete()).body).toEqual({ data: { success: true } });
    expect(await session.tokens()).toEqual([]);
  });

  it("moves a token to the next user of the phone", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    expect((await bob.register({ fcmToken: token })).status).toBe(200);
    expect(await alice.tokens()).toEqual([]);
    expect(await bob.tokens()).toEqual([token]);
  });
  it("refuses a session after its logout", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    expect((await session.logout()).status).toBe(200);
    expect(await session.register({ fcmToken: token })).toMatchObject({
      status: 401,
      body: { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } },
    });
  });
});
