// A short run of `npm run client-scenarios`: random lives of an app with public/client.js.
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { type Server, serve } from "../../scripts/lib/workerd.ts";
import { testBindings } from "../support/apps.ts";
import { BackEnd } from "../support/node/back-end.ts";
import { runScenarios } from "../support/node/client-scenarios.ts";

let server: Server;

beforeAll(async () => {
  server = await serve({ bundle: inject("bundle"), bindings: testBindings });
});

afterAll(async () => {
  await server?.stop();
});

describe("random scenarios of the client", () => {
  it("end with what the app last wanted: 200 of them", async ({ expect }) => {
    const result = await runScenarios({ scenarios: 200, seed: 20_261_127, backEnd: new BackEnd(server.url) });
    expect(result.finding).toBe(null);
    expect(result.scenarios).toBe(200);
  });
});
