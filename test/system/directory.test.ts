// The directory made anew, on workerd itself: after its files are lost, and where it knows what the users' objects deny.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, inject, it } from "vitest";
import { rebuild } from "../../scripts/directory.ts";
import { Connections, LoadClient, loadApp } from "../../scripts/lib/load.ts";
import { Output } from "../../scripts/lib/output.ts";
import { registryOf } from "../../scripts/lib/registry.ts";
import { objectFiles, rowsOf } from "../../scripts/lib/sqlite.ts";
import { serve } from "../../scripts/lib/workerd.ts";
import { DIRECTORY_OBJECTS } from "../../src/limits.ts";

const silent = new Output(true, { progress: { write: () => {} } });

/** A registry with its data on disk, which can be stopped and started again with other settings of its app. */
async function startRegistry() {
  const data = await mkdtemp(join(tmpdir(), "push-token-registry-directory-"));
  const app = loadApp();
  const start = async (directory: object = {}) => {
    const bindings = { ...app.bindings, APP_LOAD: { ...(app.bindings.APP_LOAD as object), directory } };
    const server = await serve({ bundle: inject("bundle"), bindings, data });
    const connections = new Connections(server.port);
    const client = new LoadClient(app, connections);
    const registry = registryOf({ url: server.url, "app-id": app.appId, "api-key": app.keys.fullAccess });
    const stop = async () => {
      connections.close();
      await server.stop();
    };
    return { client, registry, stop };
  };
  return { data, start, remove: () => rm(data, { recursive: true }) };
}

const going = { from: null, repeats: 0, waitMs: 0 };

/** What a lookup shows, by uid. */
async function lookup(client: LoadClient, uids: readonly string[]): Promise<Record<string, string[]>> {
  const { text } = await client.asServer("POST", "/v3/push_tokens/lookup", { uids });
  const { users } = JSON.parse(text).data as { users: { uid: string; pushTokens: { token: string }[] }[] };
  return Object.fromEntries(users.map(({ uid, pushTokens }) => [uid, pushTokens.map(({ token }) => token)]));
}

async function loseFiles(files: readonly string[]): Promise<void> {
  for (const file of files) {
    for (const suffix of ["", "-wal", "-shm"]) await rm(`${file}${suffix}`, { force: true });
  }
}

const UIDS = Array.from({ length: 40 }, (_, i) => `user-${i}`);

async function register(client: LoadClient): Promise<Record<string, string[]>> {
  for (const uid of UIDS) {
    const login = await client.login(uid);
    await client.asClient(login, "POST", "/v2/tokens", { fcmToken: `token-of-${uid}` });
  }
  return Object.fromEntries(UIDS.map((uid) => [uid, [`token-of-${uid}`]]));
}

describe("npm run directory -- --rebuild", () => {
  it("brings all back after the files of the directory are lost", { timeout: 120_000 }, async ({ expect }) => {
    const { data, start, remove } = await startRegistry();
    const before = await start();
    const held = await register(before.client);
    expect(await lookup(before.client, UIDS)).toEqual(held);
    await before.stop();
    const files = await objectFiles(data, "Directory");
    expect(files).toHaveLength(DIRECTORY_OBJECTS);
    await loseFiles(files);

    const after = await start();
    // Acknowledged before the loss: nothing is due, so nobody notices.
    expect(await lookup(after.client, UIDS)).not.toEqual(held);
    const { users } = await rebuild(after.registry, silent, going);
    expect(users).toBeGreaterThanOrEqual(UIDS.length);
    expect(await lookup(after.client, UIDS)).toEqual(held);
    await after.stop();
    await remove();
  });

  it("takes out whom the users' own objects deny", { timeout: 120_000 }, async ({ expect }) => {
    const { data, start, remove } = await startRegistry();
    const before = await start();
    const held = await register(before.client);
    await before.stop();
    // A user's object that is lost: nobody removes what the directory shows of that user.
    const [lost] = await objectFiles(data, "UserTokens");
    const copy = await rowsOf(data, "UserTokens", "facts", "fact, value");
    await loseFiles(lost === undefined ? [] : [lost]);
    const left = (await rowsOf(data, "UserTokens", "facts", "fact, value")).filter(({ fact }) => fact === "user");
    const gone = copy.filter(({ fact, value }) => fact === "user" && !left.some((row) => row.value === value));
    const uid = String(gone[0]?.value);

    const after = await start();
    expect(await lookup(after.client, [uid])).toEqual({ [uid]: held[uid] });
    await rebuild(after.registry, silent, going);
    expect(await lookup(after.client, UIDS)).toEqual({ ...held, [uid]: [] });
    const login = await after.client.login(uid);
    await after.client.asClient(login, "POST", "/v2/tokens", { fcmToken: "anew" });
    expect(await lookup(after.client, [uid])).toEqual({ [uid]: ["anew"] });
    await after.stop();
    await remove();
  });

  it("fills the objects of a new epoch, while lookups ask the users' own", { timeout: 120_000 }, async ({ expect }) => {
    const { data, start, remove } = await startRegistry();
    const before = await start();
    const held = await register(before.client);
    await before.stop();
    const during = await start({ objects: 3, epoch: 2, complete: false });
    const some = UIDS.slice(0, 20);
    expect(await lookup(during.client, some)).toEqual(Object.fromEntries(some.map((uid) => [uid, held[uid]])));
    await rebuild(during.registry, silent, going);
    await during.stop();
    const after = await start({ objects: 3, epoch: 2 });
    expect(await lookup(after.client, UIDS)).toEqual(held);
    const forget = (epoch: number, objects: number) =>
      after.client.asServer("POST", "/v3/push_tokens/forget_epoch", { epoch, objects });
    expect(await forget(2, 3)).toMatchObject({ status: 400, text: expect.stringContaining("must not be 2") });
    expect((await forget(1, 8)).status).toBe(200);
    expect(await lookup(after.client, UIDS)).toEqual(held);
    await after.stop();
    // Nobody is left in the objects of the epoch before.
    const users = await rowsOf(data, "Directory", "users", "uid");
    expect(users.map(({ uid }) => uid).sort()).toEqual(UIDS.toSorted());
    expect((await readdir(join(data, "Directory"))).length).toBeGreaterThan(8);
    await remove();
  });
});
