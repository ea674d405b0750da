import { afterAll, beforeAll, describe, it } from "vitest";
import { createRegistryClient } from "../../examples/node-client/client.ts";
import type { Registry } from "../../testing/types.ts";
import { startRegistry, UNLIMITED_APP } from "../support/node/testing.ts";

let registry: Registry;

beforeAll(async () => {
  registry = await startRegistry({ app: UNLIMITED_APP });
});

afterAll(async () => {
  await registry?.stop();
});

describe("the typed client for Node", () => {
  it("mints, looks up and ends sessions", async ({ expect }) => {
    const client = createRegistryClient({ url: registry.url, appId: "test", apiKey: registry.apiKeys.fullAccess });
    const authToken = await client.mintAuthToken("anna");
    await fetch(`${registry.url}/v2/tokens`, {
      method: "POST",
      headers: { appId: "test", authToken },
      body: JSON.stringify({ fcmToken: "token-of-anna" }),
    });
    const { users, errors } = await client.lookup(["anna", "ben"]);
    expect(errors).toEqual([]);
    expect(users.map(({ uid, pushTokens }) => [uid, pushTokens.map(({ token }) => token)])).toEqual([
      ["anna", ["token-of-anna"]],
      ["ben", []],
    ]);
    expect(await client.endAllSessions("anna")).toEqual({ success: true, removed: 1, ended: "all" });
    expect((await client.lookup(["anna"])).users).toEqual([{ uid: "anna", pushTokens: [] }]);
  });

  it("throws the registry's own words", async ({ expect }) => {
    const client = createRegistryClient({ url: registry.url, appId: "test", apiKey: "wrong" });
    await expect(client.lookup(["anna"])).rejects.toThrow("401 AUTH_ERR_APIKEY_NOT_FOUND");
  });
});
