// A user whose uid is the name of a call: clients turn `/v3/users/./sessions` into `/v3/users/sessions`.
import { describe, it } from "vitest";
import { createApp } from "../../src/app.ts";
import { login, serverCall, uniqueToken, uniqueUid } from "../support/client.ts";

const names = createApp().routes.flatMap(({ path }) => path.match(/^\/v3\/users\/:uid\/([^/:*]+)/)?.[1] ?? []);

describe("erasing a user whose uid is the name of a call", () => {
  it.for([...new Set(names)])("%s needs the uid in the body too", async (name, { expect }) => {
    const pushToken = uniqueToken();
    await (await login(name)).register({ fcmToken: pushToken });
    const tokens = async () => (await serverCall("GET", `/v3/users/${name}/push_tokens`)).body.data.pushTokens;
    for (const body of [undefined, {}, { uid: "another" }]) {
      const { status, body: reply } = await serverCall("DELETE", `/v3/users/${name}`, { body });
      expect(status).toBe(400);
      expect(reply.error.details.uid).toEqual([`The uid field must be "${name}", as in the path.`]);
    }
    expect(await tokens()).toMatchObject([{ token: pushToken }]);
    expect((await serverCall("DELETE", `/v3/users/${name}`, { body: { uid: name } })).status).toBe(200);
    expect(await tokens()).toEqual([]);
  });

  it("knows the calls of this API", ({ expect }) => {
    expect(names).toContain("sessions");
    expect(names).toContain("push_tokens");
  });
});

describe("erasing any other user", () => {
  it("needs no body, and is refused where the body names someone else", async ({ expect }) => {
    const { uid } = await login();
    expect((await serverCall("DELETE", `/v3/users/${uid}`, { body: { uid: "another" } })).status).toBe(400);
    expect((await serverCall("DELETE", `/v3/users/${uid}`)).status).toBe(200);
  });
});

describe("erasing a user by a path with a query", () => {
  it("is refused: the rest of the uid may stand there", async ({ expect }) => {
    const uid = uniqueUid();
    await (await login(uid)).register({ fcmToken: uniqueToken() });
    expect((await serverCall("DELETE", `/v3/users/${uid}?x`)).status).toBe(400);
    expect((await serverCall("GET", `/v3/users/${uid}/push_tokens`)).body.data.pushTokens).toHaveLength(1);
  });
});
