// `npm run user`: the names that it prints are those that the Worker uses.
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, inject, it, onTestFinished } from "vitest";
import type { Environment } from "../../scripts/lib/command.ts";
import { Connections, LoadClient, loadApp } from "../../scripts/lib/load.ts";
import { serve } from "../../scripts/lib/workerd.ts";
import { command, type UserNames } from "../../scripts/user.ts";
import { executed } from "../support/node/caught.ts";

const run = (args: string[], env: Environment = {}) => executed(command, args, env);

/** A wrangler.toml with an app of each way to spell uids. */
async function configFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "push-token-registry-user-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "wrangler.toml");
  await writeFile(
    file,
    `name = "x"\ncompatibility_date = "2026-01-01"\n[vars.APP_ACME]\nappId = "acme"\n[vars.APP_CHAT]\nappId = "chat"\nidentity = "cometchat"\n`,
  );
  return file;
}

describe("npm run user", () => {
  it("prints the name of the object that workerd keeps for the user, and the hash in its log", async ({ expect }) => {
    const app = loadApp();
    const server = await serve({ bundle: inject("bundle"), bindings: app.bindings });
    onTestFinished(() => server.stop());
    const connections = new Connections(server.port);
    const client = new LoadClient(app, connections);
    for (const uid of ["alice", "bob"]) {
      const login = await client.login(uid);
      await client.asClient(login, "POST", "/v2/tokens", {
        fcmToken: "the phone of alice, then of bob".replaceAll(" ", "-"),
      });
    }
    connections.close();
    await server.stop();

    const { code, out } = await run(["bob", "--app-id", app.appId, "--json"]);
    expect(code).toBe(0);
    const [bob] = JSON.parse(out) as UserNames[];
    const metadata = new DatabaseSync(join(server.data, "UserTokens/metadata.sqlite"));
    const names = metadata.prepare("SELECT actor_name FROM _cf_ALARM").all();
    metadata.close();
    expect(names.map(({ actor_name }) => actor_name)).toContain(bob?.userTokens);
    expect(server.logs.find((line) => line.includes("taken from another user"))).toContain(`"user":"${bob?.logged}"`);
  });

  it("reads the apps of wrangler.toml, each with its own form of a uid", async ({ expect }) => {
    const config = await configFile();
    const { code, out } = await run(["Alice", "--config", config, "--json"]);
    expect(code).toBe(0);
    const users = JSON.parse(out) as UserNames[];
    expect(users.map(({ appId, uid }) => ({ appId, uid }))).toEqual([
      { appId: "acme", uid: "Alice" },
      { appId: "chat", uid: "alice" },
    ]);
    const lower = JSON.parse(
      (await run(["alice", "--config", config, "--app-id", "chat", "--json"])).out,
    ) as UserNames[];
    expect(lower).toEqual([users[1]]);
  });

  it("takes an app that wrangler.toml does not have, and its case of uids", async ({ expect }) => {
    const names = async (...args: string[]) => JSON.parse((await run([...args, "--json"])).out) as UserNames[];
    const upper = await names("Bob", "--app-id", "elsewhere");
    expect(upper).toMatchObject([{ appId: "elsewhere", uid: "Bob" }]);
    const insensitive = await names("Bob", "--app-id", "elsewhere", "--uid-case", "insensitive");
    expect(insensitive).toEqual(await names("bob", "--app-id", "elsewhere"));
    // As the registry has it: only A to Z have another case.
    const kelvin = await names("\u212aÉ", "--app-id", "elsewhere", "--uid-case", "insensitive");
    expect(kelvin).toMatchObject([{ uid: "\u212aÉ" }]);
    expect(insensitive).not.toEqual(upper);
    expect(JSON.parse((await run(["bob", "--json"], { REGISTRY_APP_ID: "elsewhere" })).out)).toEqual(insensitive);
  });

  it("prints lines for people, and refuses what can be no uid", async ({ expect }) => {
    const { out } = await run(["alice", "--app-id", "acme"]);
    expect(out).toMatch(
      /^app acme, user alice\n {2}UserTokens object {2}acme:[\w-]{43}\n {2}user in the log {4}[\w-]{8,}\n$/,
    );
    expect(await run(["x".repeat(256), "--app-id", "acme"])).toMatchObject({ code: 2, out: "" });
    const config = await configFile();
    const refused = await run(["not at cometchat", "--config", config, "--app-id", "chat"]);
    expect(refused).toMatchObject({ code: 2, out: "" });
    expect(refused.errors).toContain("The uid field must be 1 to 100 letters, digits, _ or -");
    await appendFile(config, '[vars.APP_BAD]\nappId = "bad"\nidentity = "nobody"\n');
    const misconfigured = await run(["alice", "--config", config, "--app-id", "bad"]);
    expect(misconfigured).toMatchObject({ code: 1, out: "" });
    expect(misconfigured.errors).toContain("npm run check:config");
    expect((await run(["alice", "--uid-case", "insensitive"])).errors).toContain("--uid-case needs --app-id");
  });
});
