// `npm run demo-data`: its users have the verdicts that their names say.
import { describe, inject, it, onTestFinished } from "vitest";
import { command, makeUsers } from "../../scripts/demo-data.ts";
import { loadApp } from "../../scripts/lib/load.ts";
import { Output } from "../../scripts/lib/output.ts";
import { serve } from "../../scripts/lib/workerd.ts";
import { VERDICTS } from "../../src/domain/explain.ts";

describe("npm run demo-data", () => {
  it("makes a user per verdict but those that take days, and makes them anew", async ({ expect }) => {
    const app = loadApp();
    const server = await serve({ bundle: inject("bundle"), bindings: app.bindings });
    onTestFinished(() => server.stop());
    const values = { url: server.url, "app-id": app.appId, "api-key": app.keys.fullAccess };
    const verdicts = VERDICTS.filter((verdict) => !["pruned", "expired"].includes(verdict));
    const users = verdicts.map((verdict) => ({ uid: `demo-${verdict}`, verdict }));
    expect(await makeUsers(values)).toEqual(users);
    expect(await makeUsers(values)).toEqual(users);
  });

  it("erases nobody on another machine", async ({ expect }) => {
    const values = { url: "https://push.example.com", "app-id": "demo", "api-key": "key" };
    const run = async () => await command.run(values, { output: new Output(true), operands: [] });
    await expect(run()).rejects.toThrow("on this machine");
  });
});
