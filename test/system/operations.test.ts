// What operators rely on, on workerd itself: recovery of one user from an earlier copy of his data, logs without secrets, and
// nothing in the bundle but what the source imports.
import { cp, glob, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, inject, it } from "vitest";
import { Connections, LoadClient, loadApp, tokensIn } from "../../scripts/lib/load.ts";
import { objectFiles } from "../../scripts/lib/sqlite.ts";
import { PROJECT, type Server, serve } from "../../scripts/lib/workerd.ts";

const app = loadApp();

/** Runs `use` on a server that keeps its data in `data`, and ends it. */
async function withServer<T>(data: string, use: (client: LoadClient, server: Server) => Promise<T>): Promise<T> {
  const server = await serve({ bundle: inject("bundle"), bindings: app.bindings, data });
  const connections = new Connections(server.port);
  try {
    return await use(new LoadClient(app, connections), server);
  } finally {
    connections.close();
    await server.stop();
  }
}

async function newDirectory(): Promise<string> {
  return await mkdtemp(join(tmpdir(), "push-token-registry-operations-"));
}

async function pushTokensOf(client: LoadClient, uid: string): Promise<string[]> {
  const { text } = await client.asServer("GET", `/v3/users/${uid}/push_tokens`);
  return JSON.parse(text).data.pushTokens.map(({ token }: { token: string }) => token);
}

describe("a user whose data are put back to an earlier moment", () => {
  it("holds, after the reconciliation, no token that moved or was removed since, and no session of before acts", async ({
    expect,
  }) => {
    const [data, copy] = [await newDirectory(), await newDirectory()];
    const [moved, removed, ended, kept] = ["moved", "removed", "ended", "kept"];

    // Alice has four devices; her object is the only one of its class, so the files are hers.
    const devices = await withServer(data, async (client) => {
      const logins = await Promise.all([moved, removed, ended, kept].map(() => client.login("alice")));
      for (const [i, token] of [moved, removed, ended, kept].entries()) {
        const login = logins[i];
        if (login !== undefined) await client.asClient(login, "POST", "/v2/tokens", { fcmToken: token });
      }
      return logins;
    });
    await cp(join(data, "UserTokens"), copy, { recursive: true });
    const hers = (await objectFiles(data, "UserTokens")).map((file) => basename(file));
    expect(hers).toHaveLength(1);

    const [, second, third, fourth] = devices;
    if (second === undefined || third === undefined || fourth === undefined) throw new Error("no logins");
    await withServer(data, async (client) => {
      const bob = await client.login("bob");
      await client.asClient(bob, "POST", "/v2/tokens", { fcmToken: moved });
      await client.asClient(second, "DELETE", "/v2/tokens", { all: false });
      await client.asClient(third, "DELETE", "/v3.0/me");
      expect(await pushTokensOf(client, "alice")).toEqual([kept]);
    });

    // Point-in-time recovery, as far as it can be had here: her file of then.
    for (const suffix of ["", "-wal", "-shm"]) {
      const name = `${hers[0]}${suffix}`;
      await rm(join(data, "UserTokens", name), { force: true });
      await cp(join(copy, name), join(data, "UserTokens", name)).catch(() => undefined);
    }

    await withServer(data, async (client) => {
      expect((await pushTokensOf(client, "alice")).sort()).toEqual([moved, removed, ended, kept].sort());
      const { status, text } = await client.asServer("POST", "/v3/users/alice/reconcile");
      expect([status, JSON.parse(text)]).toEqual([200, { data: { kept: 1, dropped: 3 } }]);
      expect(await pushTokensOf(client, "alice")).toEqual([kept]);
      expect(await pushTokensOf(client, "bob")).toEqual([moved]);
      for (const login of devices) {
        expect((await client.asClient(login, "POST", "/v2/tokens", { fcmToken: "late" })).status).toBe(401);
      }
      const again = await client.login("alice");
      expect((await client.asClient(again, "POST", "/v2/tokens", { fcmToken: removed })).status).toBe(200);
      expect(tokensIn(await client.asClient(again, "GET", "/v2/tokens")).sort()).toEqual([kept, removed].sort());
    });
    await Promise.all([data, copy].map((directory) => rm(directory, { recursive: true })));
  });

  it("is not touched where the platform keeps no history: workerd itself", async ({ expect }) => {
    const data = await newDirectory();
    await withServer(data, async (client) => {
      const login = await client.login("carol");
      await client.asClient(login, "POST", "/v2/tokens", { fcmToken: "carols" });
      const reply = await client.asServer("POST", "/v3/users/carol/restore", { at: Date.now() - 1000 });
      expect(reply.status).toBe(500);
      expect(reply.text).not.toMatch(/bookmark|stack/i);
      expect(await pushTokensOf(client, "carol")).toEqual(["carols"]);
      expect((await client.asClient(login, "GET", "/v2/tokens")).status).toBe(200);
    });
    await rm(data, { recursive: true });
  });
});

describe("the log of a whole life", () => {
  it("holds no push token, auth token, key, uid or object's name, and is one JSON object a line", async ({
    expect,
  }) => {
    const data = await newDirectory();
    const logs = await withServer(data, async (client, server) => {
      const [alice, bob] = [await client.login("uid-of-alice"), await client.login("uid-of-bob")];
      await client.asClient(alice, "POST", "/v2/tokens", { fcmToken: "push-token-1", apnsToken: "push-token-2" });
      await client.asClient(bob, "POST", "/v2/tokens", { fcmToken: "push-token-1" });
      const items = [{ token: "push-token-1", kind: "fcm", code: "UNREGISTERED", at: Date.now() + 8 * 86_400_000 }];
      await client.asServer("POST", "/v3/push_tokens/feedback", { items });
      await client.asServer("POST", "/v3/push_tokens/owner", { token: "push-token-2" });
      await client.asServer("POST", "/v3/push_tokens/lookup", { uids: [alice.uid, bob.uid] });
      await client.asServer("GET", `/v3/users/${alice.uid}/export`);
      await client.asServer("POST", `/v3/users/${alice.uid}/restore`, { at: Date.now() - 1000 });
      await client.asServer("POST", `/v3/users/${alice.uid}/reconcile`);
      await client.asServer("GET", "/health/deep");
      await client.asClient(alice, "POST", "/v2/tokens", { fcmToken: "push token" });
      await client.asClient(alice, "DELETE", "/v3.0/me");
      await client.asServer("DELETE", `/v3/users/${bob.uid}`);
      const wrong = { appId: app.appId, apikey: `${app.keys.fullAccess}x` };
      await client.ask({ method: "GET", path: "/v3/users/uid-of-alice/export", headers: wrong });
      return { lines: [...server.logs], secrets: [alice.authToken, bob.authToken, ...Object.values(app.keys)] };
    });
    expect(logs.lines.length).toBeGreaterThan(8);
    for (const line of logs.lines) {
      expect(JSON.parse(line)).toMatchObject({
        level: expect.stringMatching(/^(info|warn|error)$/),
        message: expect.any(String),
      });
      expect(line).not.toMatch(/push-token-\d|uid-of-/);
      // 43 characters are the hash of a user or of a token, 64 hex digits an object's id.
      expect(line).not.toMatch(/(?<![\w-])[\w-]{43}(?![\w-])|\b[0-9a-f]{64}\b/);
      for (const secret of logs.secrets) expect(line).not.toContain(secret);
    }
    await rm(data, { recursive: true });
  });
});

describe("docs/operations.md", () => {
  it("explains every message that the source logs", async ({ expect }) => {
    const explained = await readFile(join(PROJECT, "docs/operations.md"), "utf8");
    const messages: string[] = [];
    for await (const file of glob("src/**/*.ts", { cwd: PROJECT })) {
      const source = await readFile(join(PROJECT, file), "utf8");
      messages.push(
        ...[...source.matchAll(/\blog\.(?:info|warn|error)\(\s*"([^"]+)"/g)].map(([, message]) => message ?? ""),
      );
    }
    expect(messages.length).toBeGreaterThan(10);
    expect(messages.filter((message) => !explained.includes(message))).toEqual([]);
  });
});

describe("the bundle", () => {
  it("holds hono, zod and jose, and no other package", async ({ expect }) => {
    const map = JSON.parse(await readFile(`${inject("bundle")}.map`, "utf8"));
    const packages = (map.sources as string[]).flatMap(
      (source) => source.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1] ?? [],
    );
    expect([...new Set(packages)].sort()).toEqual(["hono", "jose", "zod"]);
  });

  it("imports nothing at run time but what the runtime has", async ({ expect }) => {
    const bundle = await readFile(inject("bundle"), "utf8");
    const imports = [...bundle.matchAll(/(?:^|;)import\s*[^"';]*?["']([^"']+)["']/gm)].map(([, name]) => name);
    expect(imports).toContain("cloudflare:workers");
    expect(imports.filter((name) => !name?.startsWith("cloudflare:"))).toEqual([]);
  });
});
