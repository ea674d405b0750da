// `npm run test-push`: what a sender of the test's own answers, for people.
import { describe, inject, it, onTestFinished, vi } from "vitest";
import { type Environment, execute } from "../../scripts/lib/command.ts";
import { Connections, LoadClient, loadApp } from "../../scripts/lib/load.ts";
import { serve } from "../../scripts/lib/workerd.ts";
import { command } from "../../scripts/test-push.ts";

const SENDER = `
import { WorkerEntrypoint } from "cloudflare:workers";
export default {};
export class TestPush extends WorkerEntrypoint {
  push(appId, uid, tokens) {
    return tokens.map(({ token }) =>
      token.startsWith("dead") ? { delivered: false, code: "UNREGISTERED" } : { delivered: true });
  }
}`;

async function run(args: string[], env: Environment): Promise<{ code: number; out: string; errors: string }> {
  let [out, errors] = ["", ""];
  const stdout = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    out += chunk;
    return true;
  });
  const stderr = vi.spyOn(console, "error").mockImplementation((line) => {
    errors += line;
  });
  try {
    return { code: await execute(command, args, env), out, errors };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

async function startRegistry(sender?: string) {
  const app = loadApp();
  const options = { bundle: inject("bundle"), bindings: app.bindings };
  const server = await serve(sender === undefined ? options : { ...options, sender });
  const connections = new Connections(server.port);
  onTestFinished(async () => {
    connections.close();
    await server.stop();
  });
  const env = { REGISTRY_URL: server.url, REGISTRY_APP_ID: app.appId, REGISTRY_API_KEY: app.keys.fullAccess };
  return { client: new LoadClient(app, connections), env };
}

describe("npm run test-push", () => {
  it("says per device what the provider answered, and feeds it back if asked to", async ({ expect }) => {
    const { client, env } = await startRegistry(SENDER);
    const device = { name: "Alice's\u001b[31m phone" };
    await client.asClient(await client.login("alice"), "POST", "/v2/tokens", { fcmToken: "the-phone", device });
    await client.asClient(await client.login("alice"), "POST", "/v2/tokens", { fcmToken: "dead-phone" });
    const { code, out } = await run(["alice"], env);
    expect(code).toBe(0);
    expect(out).toMatch(/^"Alice's.* phone", fcm, session \S+: delivered$/m);
    expect(out).toMatch(/^android, fcm, session \S+: dead \(UNREGISTERED\)$/m);
    expect(out).not.toContain("\u001b");
    expect(out).not.toContain("the-phone");
    expect((await run(["alice", "--report"], env)).out).toMatch(
      /: dead \(UNREGISTERED\); suspect: the device may have/,
    );
    expect(JSON.parse((await run(["alice", "--json"], env)).out).devices).toHaveLength(2);
  });

  it("says so where nobody can be pushed, and where no sender is bound", async ({ expect }) => {
    const { env } = await startRegistry(SENDER);
    expect(await run(["bob"], env)).toMatchObject({ code: 1, out: expect.stringContaining("npm run explain") });
    const { env: without } = await startRegistry();
    const refused = await run(["bob"], without);
    expect(refused.code).toBe(1);
    expect(refused.errors).toContain("bind one as SENDER");
  });
});
