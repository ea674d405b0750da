import { describe, it } from "vitest";
import { call, login, type Reply, uniqueToken } from "../support/client.ts";

/** As `navigator.sendBeacon(url, ticket)`: text, and no header of the SDK. */
function unregister(ticket: string): Promise<Reply> {
  return call("POST", "/v2/tokens/unregister", {
    headers: { "content-type": "text/plain;charset=UTF-8" },
    body: ticket,
  });
}

async function registered(app = "test") {
  const session = await login(undefined, { app });
  const token = uniqueToken();
  const { body } = await session.register({ fcmToken: token });
  return { session, token, ticket: body.data.unregisterTicket as string };
}

describe("an unregister ticket", () => {
  it("removes the registration that it was given for, without any header", async ({ expect }) => {
    const { session, ticket } = await registered();
    expect(await unregister(ticket)).toMatchObject({ status: 200, body: { data: { success: true } } });
    expect(await session.tokens()).toEqual([]);
  });

  it("works after the session has ended and a second time", async ({ expect }) => {
    const { session, ticket } = await registered();
    await session.logout();
    expect((await unregister(ticket)).status).toBe(200);
    expect((await unregister(ticket)).status).toBe(200);
  });

  it("leaves a later registration of the same token in the same session alone", async ({ expect }) => {
    const { session, token, ticket } = await registered();
    await session.delete();
    await session.register({ fcmToken: token });
    expect((await unregister(ticket)).status).toBe(200);
    expect(await session.tokens()).toEqual([token]);
  });

  it("leaves the next user of the phone alone", async ({ expect }) => {
    const { token, ticket } = await registered();
    const next = await login();
    await next.register({ fcmToken: token });
    await unregister(ticket);
    expect(await next.tokens()).toEqual([token]);
  });

  it("leaves the session's other tokens alone", async ({ expect }) => {
    const session = await login();
    const first = await session.register({ fcmToken: uniqueToken() });
    const apnsToken = uniqueToken();
    await session.register({ apnsToken });
    await unregister(first.body.data.unregisterTicket);
    expect(await session.tokens()).toEqual([apnsToken]);
  });

  it("is given again, and the same in what it can do, for an unchanged launch", async ({ expect }) => {
    const { session, token } = await registered();
    const again = await session.register({ fcmToken: token });
    await unregister(again.body.data.unregisterTicket);
    expect(await session.tokens()).toEqual([]);
  });

  it("is refused if it was tampered with, is empty, or is an auth token", async ({ expect }) => {
    const { session, token, ticket } = await registered();
    const [head, payload, signature] = ticket.split(".");
    const forged = btoa(atob(payload ?? "").replace(session.uid, "another-user")).replaceAll("=", "");
    for (const text of [
      "",
      "nonsense",
      "a.b.c",
      session.authToken,
      `${head}.${forged}.${signature}`,
      ticket.slice(0, -4),
    ]) {
      const reply = await unregister(text);
      expect(reply).toMatchObject({ status: 400, body: { error: { code: "ERR_BAD_REQUEST", details: {} } } });
      expect(reply.headers.get("access-control-allow-origin")).toBe("*");
    }
    expect(await session.tokens()).toEqual([token]);
  });

  it("is no auth token", async ({ expect }) => {
    const { session, ticket } = await registered();
    const reply = await session.call("GET", "/v2/tokens", { headers: { authToken: ticket } });
    expect(reply).toMatchObject({ status: 401, body: { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } } });
  });

  it("of one app does nothing in another with the same user", async ({ expect }) => {
    const { session, token, ticket } = await registered();
    const twin = await login(session.uid, { app: "other" });
    await twin.register({ fcmToken: token });
    await unregister(ticket);
    expect(await twin.tokens()).toEqual([token]);
  });
});
