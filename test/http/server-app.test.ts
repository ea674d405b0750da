// What a back end learns of its own app.
import { env } from "cloudflare:workers";
import { describe, it } from "vitest";
import { API_KEYS } from "../support/apps.ts";
import { call } from "../support/client.ts";

const ask = (apikey: string) => call("GET", "/v3/app", { headers: { appId: "test", apikey } });

describe("GET /v3/app", () => {
  it("says the settings, defaults too, and what the key may do", async ({ expect }) => {
    const { body } = await ask(API_KEYS.sender);
    expect(body.data).toMatchObject({
      appId: "test",
      identity: "issued",
      policy: "exclusive",
      retentionDays: 270,
      directory: { objects: 8, epoch: expect.any(Number), complete: true },
      key: { name: "test-sender", scope: "sender" },
    });
    expect((await ask(API_KEYS.fullAccess)).body.data.key.scope).toBe("fullAccess");
  });

  it("shows no secret, and is not for keys that only mint", async ({ expect }) => {
    const { text } = await ask(API_KEYS.fullAccess);
    const secrets: unknown[] = [];
    JSON.parse((env as unknown as { SECRETS_TEST: string }).SECRETS_TEST, (name, value) => {
      if (["secret", "sha256"].includes(name)) secrets.push(value);
      return value;
    });
    expect(secrets.length).toBeGreaterThan(1);
    for (const secret of secrets) expect(text).not.toContain(secret);
    expect((await ask(API_KEYS.authOnly)).status).toBe(403);
  });
});
