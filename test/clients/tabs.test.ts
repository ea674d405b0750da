// What one tab does while another one waits for its auth token.
import { it } from "vitest";
import { createRegistration } from "../../public/client.js";

const REGISTRY = "https://registry.example";

it("registers the next user's tokens under no auth token of the user before", async ({ expect }) => {
  const sent: unknown[][] = [];
  const stored = new Map<string, string>();
  const tab = (getAuthToken: () => string | Promise<string>) =>
    createRegistration({
      url: REGISTRY,
      appId: "acme",
      getAuthToken,
      storage: {
        getItem: (key) => stored.get(key) ?? null,
        setItem: (key, text) => void stored.set(key, text),
        removeItem: (key) => void stored.delete(key),
      },
      fetch: async (to, { method, headers, body } = {}) => {
        const authToken = new Headers(headers).get("authToken");
        const path = to.slice(REGISTRY.length);
        sent.push([method, path, authToken, body ?? null]);
        return Response.json({
          data: { success: true, ...(path === "/v2/tokens" && { unregisterTicket: authToken }) },
        });
      },
    });
  let authToken = "anna-1";
  const one = tab(() => authToken);
  await one.register({ fcmToken: "of-anna" });

  const asked = Promise.withResolvers<void>();
  const late = Promise.withResolvers<string>();
  const other = tab(() => {
    asked.resolve();
    return late.promise;
  });
  const waiting = other.register({ fcmToken: "of-anna" });
  await asked.promise;
  const left = one.logout();
  authToken = "ben-1";
  const registered = one.register({ fcmToken: "of-ben" });
  late.resolve("anna-2");

  expect(await waiting).toMatchObject({ ok: false, reason: "logged_out" });
  expect([await left, await registered]).toMatchObject([{ ok: true }, { ok: true }]);
  expect(sent).toEqual([
    ["POST", "/v2/tokens", "anna-1", '{"fcmToken":"of-anna"}'],
    ["POST", "/v2/tokens/unregister", null, "anna-1"],
    ["DELETE", "/v3/me", "anna-1", null],
    ["POST", "/v2/tokens", "ben-1", '{"fcmToken":"of-ben"}'],
  ]);
});
