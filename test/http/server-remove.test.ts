// A back end removes one registration of a user.
import { env } from "cloudflare:workers";
import { describe, it } from "vitest";
import { tokenHash, tokenOwnersName } from "../../src/durable/names.ts";
import { API_KEYS } from "../support/apps.ts";
import { call, login, serverCall, uniqueToken, uniqueUid } from "../support/client.ts";
import { holdBack, userObject, withFault } from "../support/faults.ts";
import { arrivalOf } from "../support/objects.ts";
import { configure } from "../support/settings.ts";

const path = (uid: string) => `/v3/users/${encodeURIComponent(uid)}/push_tokens/remove`;

async function remove(uid: string, body: unknown) {
  const reply = await serverCall("POST", path(uid), { body });
  return reply.status === 200 ? reply.body.data : reply.body.error;
}

describe("POST /v3/users/{uid}/push_tokens/remove", () => {
  it("removes exactly the token that is named, from whichever session holds it, which goes on", async ({ expect }) => {
    const phone = await login();
    const tablet = await login(phone.uid);
    const [a, b, c] = [uniqueToken(), uniqueToken(), uniqueToken()];
    await phone.register({ fcmToken: a, apnsToken: b });
    await tablet.register({ fcmToken: c });
    expect(await remove(phone.uid, { token: c, kind: "fcm" })).toEqual({ success: true, removed: 1 });
    expect((await phone.tokens()).sort()).toEqual([a, b].sort());
    const { body } = await serverCall("GET", `/v3/users/${phone.uid}/explain`);
    expect(body.data.changes.at(-1)).toMatchObject({ change: "removed", session: tablet.id });
    const hash = await tokenHash("fcm", c);
    const owners = env.TOKEN_OWNERS.getByName(tokenOwnersName("test", hash));
    await expect.poll(() => owners.owners(hash)).toEqual([]);
    expect((await tablet.register({ fcmToken: c })).status).toBe(200);
    expect(await tablet.tokens()).toContain(c);
  });

  it("knows another spelling of it, and no other kind or user", async ({ expect }) => {
    const phone = await login();
    const token = `${"0123456789ABCDEF".repeat(3)}${uniqueUid()
      .replace(/[^0-9a-f]/g, "")
      .padEnd(16, "0")
      .slice(0, 16)}`;
    await phone.register({ apnsToken: token });
    expect(await remove(phone.uid, { token, kind: "voip" })).toEqual({ success: true, removed: 0 });
    expect(await remove(uniqueUid(), { token, kind: "apns" })).toEqual({ success: true, removed: 0 });
    expect(await phone.tokens()).toEqual([token.toLowerCase()]);
    expect(await remove(phone.uid, { token: token.toUpperCase(), kind: "apns" })).toEqual({
      success: true,
      removed: 1,
    });
    expect(await phone.tokens()).toEqual([]);
  });

  it("also from a registration under way: what is removed is not stored after it", async ({ expect }) => {
    const phone = await login();
    const token = uniqueToken();
    const user = await userObject("test", phone.uid);
    const hash = await tokenHash("fcm", token);
    const gate = holdBack();
    const owner = withFault(env.TOKEN_OWNERS, gate.fault);
    await configure(user, { ...env, TOKEN_OWNERS: owner.namespace } as Env);
    const registering = phone.register({ fcmToken: token });
    await gate.reached();
    const arrival = arrivalOf("unregister");
    const removing = user.unregister({ session: null, slots: [{ kind: "fcm", hash }] });
    await arrival();
    gate.open();
    await Promise.all([registering, removing]);
    expect(await phone.tokens()).toEqual([]);
    expect((await phone.register({ fcmToken: token })).status).toBe(200);
    expect(await phone.tokens()).toEqual([token]);
  });

  it("needs both fields, and full access", async ({ expect }) => {
    const uid = uniqueUid();
    expect(await remove(uid, { token: "token" })).toMatchObject({ details: { kind: [expect.any(String)] } });
    expect(await remove(uid, { kind: "fcm" })).toMatchObject({ details: { token: [expect.any(String)] } });
    const headers = { appId: "test", apikey: API_KEYS.sender };
    expect((await call("POST", path(uid), { headers, body: { token: "token", kind: "fcm" } })).status).toBe(403);
  });
});
