// `npm run explain`: what a registry knows of a user, for people.
import { describe, it } from "vitest";
import { command } from "../../scripts/explain.ts";
import type { Environment } from "../../scripts/lib/command.ts";
import { executed } from "../support/node/caught.ts";
import { startCommandRegistry } from "../support/node/command-registry.ts";

const run = (args: string[], env: Environment) => executed(command, args, env);

describe("npm run explain", () => {
  it("says the verdict, what to do, the devices, and marks what the verdict rests on", async ({ expect }) => {
    const { client, env } = await startCommandRegistry();
    const phone = await client.login("alice");
    const device = { name: "Alice's\u001b[31m phone" };
    await client.asClient(phone, "POST", "/v2/tokens", { fcmToken: "the-phone-of-alice", device });
    const { code, out } = await run(["alice"], env);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^alice: ok\. There is a device that may be pushed\.\nWhat to do: .*\.\n\nDevices\n {2}"Alice's/,
    );
    expect(out).toMatch(/^\* \S+Z {2}registered {2}fcm token \S{8} on android, session /m);
    expect(out).not.toContain("\u001b");
    expect(out).not.toContain("the-phone-of-alice");

    await client.asClient(phone, "DELETE", "/v3.0/me");
    expect((await run(["alice"], env)).out).toMatch(
      /^alice: logged_out\.[\s\S]*\n {2}\S+Z {2}registered [\s\S]*\n\* \S+Z {2}logged_out /,
    );
    const json = JSON.parse((await run(["alice", "--json"], env)).out);
    expect(json).toMatchObject({ uid: "alice", verdict: { code: "logged_out" }, devices: [] });
  });

  it("asks for a uid of any characters, and reports a refusal", async ({ expect }) => {
    const { env } = await startCommandRegistry();
    expect((await run(["a/b?c=d#e %", "--json"], env)).out).toContain('"uid": "a/b?c=d#e %"');
    const refused = await run(["alice"], { ...env, REGISTRY_API_KEY: "wrong" });
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.errors).toContain("AUTH_ERR_APIKEY_NOT_FOUND");
  });
});
