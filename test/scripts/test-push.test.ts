// `npm run test-push`: what a sender of the test's own answers, for people.
import { describe, it } from "vitest";
import type { Environment } from "../../scripts/lib/command.ts";
import { command } from "../../scripts/test-push.ts";
import { executed } from "../support/node/caught.ts";
import { startCommandRegistry } from "../support/node/command-registry.ts";

const SENDER = `
import { WorkerEntrypoint } from "cloudflare:workers";
export default {};
export class TestPush extends WorkerEntrypoint {
  push(appId, uid, tokens) {
    return tokens.map(({ token }) =>
      token.startsWith("dead") ? { delivered: false, code: "UNREGISTERED" } : { delivered: true });
  }
}`;

const run = (args: string[], env: Environment) => executed(command, args, env);

describe("npm run test-push", () => {
  it("says per device what the provider answered, and feeds it back if asked to", async ({ expect }) => {
    const { client, env } = await startCommandRegistry(SENDER);
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
    const { env } = await startCommandRegistry(SENDER);
    expect(await run(["bob"], env)).toMatchObject({ code: 1, out: expect.stringContaining("npm run explain") });
    const { env: without } = await startCommandRegistry();
    const refused = await run(["bob"], without);
    expect(refused.code).toBe(1);
    expect(refused.errors).toContain("bind one as SENDER");
  });
});
