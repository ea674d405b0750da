// Short runs of the crash test (`npm run crash` for long ones): workerd under load, killed and restarted.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, inject, it, vi } from "vitest";
import { moveAlarms } from "../../scripts/crash/alarms.ts";
import { commitsRecipe } from "../../scripts/crash/commits.ts";
import { erasureRecipe } from "../../scripts/crash/recipe.ts";
import { crashTest } from "../../scripts/crash.ts";
import { Connections, LoadClient, type Login, loadApp } from "../../scripts/lib/load.ts";
import { serve } from "../../scripts/lib/workerd.ts";

describe("after kill -9 under load", () => {
  it("nothing acknowledged is lost or missing in a lookup, nothing removed is back or shown, no token has two holders", async ({
    expect,
  }) => {
    const result = await crashTest({ rounds: 4, seed: 20_261_124, bundle: inject("bundle") });
    expect(result.violations).toEqual([]);
    expect(result.rounds).toBe(4);
    for (const operation of ["registration", "lookup", "logout", "end of all sessions", "erasure"]) {
      expect({ ...result.unanswered, ...result.acknowledged }).toHaveProperty([operation]);
    }
    expect(Object.keys(result.unanswered)).not.toEqual([]);
    expect(result.endedSessionsTried).toBeGreaterThan(0);
    expect(result.tokensChecked).toBeGreaterThan(0);
    expect(result).toMatchObject({ staleInLookups: 0, missingInLookups: 0 });
    expect(result.lookupsCompared).toBeGreaterThan(100);
    expect(result.filesRead).toBeGreaterThan(100);
    expect(result.alarmsRung).toBeGreaterThan(0);
  });

  it("in the middle of writes, each change that the directory lacks has its version and its near alarm", {
    timeout: 180_000,
  }, async ({ expect }) => {
    const result = await commitsRecipe({ rounds: 16, users: 16, seed: 20_261_127, bundle: inject("bundle") });
    expect(result.violations).toEqual([]);
    expect(result.rounds).toBe(16);
    // Else no kill came between a change and its publication, and nothing was tried.
    expect(result.behind).toBeGreaterThan(0);
  });

  it("in the middle of an erasure, sessions that had ended stay out", { timeout: 180_000 }, async ({ expect }) => {
    const result = await erasureRecipe({ rounds: 24, users: 8, seed: 20_261_124, bundle: inject("bundle") });
    expect(result.violations).toEqual([]);
    expect(result.endedSessionsBack).toBe(0);
    expect(result.endedSessionsTried).toBe(24 * 8);
    expect(result.erasuresCutOff).toBeGreaterThan(0);
  });
});

const HOUR_MS = 3_600_000;

/** A registration that the directory lost while the server was down, and whose near alarm came due an hour ago. */
async function overdue() {
  const app = loadApp();
  const options = { bundle: inject("bundle"), bindings: app.bindings };
  const { data, login } = await withServer(async (client, server) => {
    const alice = await client.login("alice");
    await client.asClient(alice, "POST", "/v2/tokens", { fcmToken: "token" });
    return { data: server.data, login: alice };
  });
  for (const file of await readdir(join(data, "Directory"))) {
    if (!file.startsWith("metadata")) await rm(join(data, "Directory", file));
  }
  // A near alarm is on no whole minute.
  const spreadMs = 1000 - HOUR_MS - (Date.now() % 10_000);
  moveAlarms(data, "UserTokens", { count: 1, spreadMs, random: () => 1 });
  return { data, login, restarted: <T>(use: (client: LoadClient) => Promise<T>) => withServer(use, data) };

  async function withServer<T>(
    use: (client: LoadClient, server: { data: string }) => Promise<T>,
    existing?: string,
  ): Promise<T> {
    const server = await serve({ ...options, ...(existing === undefined ? {} : { data: existing }) });
    const connections = new Connections(server.port);
    try {
      return await use(new LoadClient(app, connections), server);
    } finally {
      connections.close();
      await server.stop();
    }
  }
}

async function shown(client: LoadClient, { uid }: Login): Promise<string[]> {
  const { text } = await client.asServer("POST", "/v3/push_tokens/lookup", { uids: [uid] });
  return JSON.parse(text).data.users[0].pushTokens.map(({ token }: { token: string }) => token);
}

describe("what was due while the server was down", () => {
  it("is published as it starts: workerd rings alarms that came due meanwhile", async ({ expect }) => {
    const { login, restarted } = await overdue();
    await restarted((client) =>
      vi.waitFor(async () => expect(await shown(client, login)).toEqual(["token"]), { timeout: 30_000, interval: 50 }),
    );
  });

  it("is published by the next call, where workerd has lost the alarm", async ({ expect }) => {
    const { data, login, restarted } = await overdue();
    const metadata = new DatabaseSync(join(data, "UserTokens", "metadata.sqlite"));
    metadata.exec("DELETE FROM _cf_ALARM");
    metadata.close();
    await restarted(async (client) => {
      expect(await shown(client, login)).toEqual([]);
      expect((await client.asClient(login, "POST", "/v2/tokens", { fcmToken: "token" })).status).toBe(200);
      expect(await shown(client, login)).toEqual(["token"]);
    });
  });
});
