// A short run of `npm run client-scenarios`: random lives of an app with public/client.js.
import { afterAll, beforeAll, describe, it } from "vitest";
import type { Registry } from "../../testing/types.ts";
import { runScenarios } from "../support/node/client-scenarios.ts";
import { startRegistry, UNLIMITED_APP } from "../support/node/testing.ts";

let registry: Registry;

beforeAll(async () => {
  registry = await startRegistry({ app: UNLIMITED_APP });
});

afterAll(async () => {
  await registry?.stop();
});

describe("random scenarios of the client", () => {
  it("end with what the app last wanted: 200 of them", async ({ expect }) => {
    const result = await runScenarios({ scenarios: 200, seed: 20_261_127, registry });
    expect(result.finding).toBe(null);
    expect(result.scenarios).toBe(200);
  });
});
