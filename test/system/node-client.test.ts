import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { createRegistryClient } from "../../examples/node-client/client.ts";
import { type Server, serve } from "../../scripts/lib/workerd.ts";
import { API_KEYS, testBindings } from "../support/apps.ts";

let server: Server;

beforeAll(async () => {
  server = await serve({ bundle: inject("bundle"), bindings: testBindings });
});

afterAll(async () => {
  await server?.stop();
});

describe("the typed client for Node", () => {
  it("mints, looks up and ends sessions", async ({ expect }) => {
    const registry = createRegistryClient({ url: server.url, appId: "test", apiKey: API_KEYS.fullAccess });
    const authToken = await registry.mintAuthToken("anna");
    await fetch(`${server.url}/v2/tokens`, {
      method: "POST",
      headers: { appId: "test", authToken },
      body: JSON.stringify({ fcmToken: "token-of-anna" }),
    });
    const { users, errors } = await registry.lookup(["anna", "ben"]);
    expect(errors).toEqual([]);
    expect(users.map(({ uid, pushTokens }) => [uid, pushTokens.map(({ token }) => token)])).toEqual([
      ["anna", ["token-of-anna"]],
      ["ben", []],
    ]);
    expect(await registry.endAllSessions("anna")).toEqual({ success: true, removed: 1, ended: "all" });
    expect((await registry.lookup(["anna"])).users).toEqual([{ uid: "anna", pushTokens: [] }]);
  });

  it("throws the registry's own words", async ({ expect }) => {
    const registry = createRegistryClient({ url: server.url, appId: "test", apiKey: "wrong" });
    await expect(registry.lookup(["anna"])).rejects.toThrow("401 AUTH_ERR_APIKEY_NOT_FOUND");
  });
});
