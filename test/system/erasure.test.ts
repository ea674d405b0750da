// What an erasure leaves on disk. The registry on workerd with its SQLite files, read as bytes: a deleted row whose bytes
// stay in a free page or in the write-ahead log would be found.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, inject, it } from "vitest";
import { type Server, serve } from "../../scripts/lib/workerd.ts";
import { tokenHash, tokenOwnersName, userHash } from "../../src/durable/names.ts";
import { API_KEYS, testBindings } from "../support/apps.ts";

it("leaves neither uid, nor token, nor hash of the user in the files of users and owners once the server has ended", async ({
  expect,
}) => {
  const server = await serve({ bundle: inject("bundle"), bindings: testBindings });
  try {
    const uid = "user-to-be-erased";
    const user = await userHash("test", uid);
    const tokens = ["first-token-of-the-erased-user", "second-token-of-the-erased-user", "token-that-changed-hands"];
    const hashes = await Promise.all(tokens.map((token) => tokenHash("fcm", token)));
    const neighboursToken = await tokenOfTheSameShard(tokens[0] ?? "");

    const [one, other, third] = [await login(server, uid), await login(server, uid), await login(server, uid)];
    const neighbour = await login(server, "neighbour");
    await register(server, neighbour, neighboursToken);
    await register(server, one, tokens[0]);
    await register(server, other, tokens[1]);
    await register(server, third, tokens[2]);
    await register(server, await login(server, "another-user"), tokens[2]);
    await call(server, "DELETE", `/v3/users/${uid}/sessions/some-session`);
    for (const trace of [uid, user, ...tokens, ...hashes])
      expect(await filesWith(server, trace), trace).not.toEqual([]);

    expect(await call(server, "DELETE", `/v3/users/${uid}`)).toEqual({ success: true });

    // The objects end with the process, and with them their write-ahead logs, which hold older pages as long as the server runs.
    await server.stop();
    for (const trace of [uid, user, ...tokens.slice(0, 2)]) {
      const left = [
        ...(await filesWith(server, trace, "UserTokens")),
        ...(await filesWith(server, trace, "TokenOwners")),
      ];
      expect(left, trace).toEqual([]);
    }
    // An owner object's file may still name a token by its hash, without a user.
    for (const trace of hashes.slice(0, 2)) expect(await filesWith(server, trace, "UserTokens"), trace).toEqual([]);
    for (const kept of [neighboursToken, await userHash("test", "neighbour"), tokens[2] ?? ""]) {
      expect(await filesWith(server, kept), kept).not.toEqual([]);
    }
  } finally {
    await server.stop();
  }
});

describe("what the directory's files hold of an erased user", () => {
  it("is nothing, where all tokens came with one call", async ({ expect }) => {
    const server = await serve({ bundle: inject("bundle"), bindings: testBindings });
    try {
      const uid = "user-to-be-erased";
      const traces = [uid, "first-token-of-the-erased-user", "second-token-of-the-erased-user"];
      await register(server, await login(server, "neighbour"), "token-of-the-neighbour");
      const tokens = { fcmToken: traces[1], voipToken: traces[2] };
      await call(server, "POST", "/v2/tokens", { authToken: await login(server, uid) }, tokens);
      for (const trace of traces) expect(await filesWith(server, trace, "Directory"), trace).not.toEqual([]);
      expect(await call(server, "DELETE", `/v3/users/${uid}`)).toEqual({ success: true });
      await server.stop();
      for (const trace of traces) expect(await filesWith(server, trace), trace).toEqual([]);
      expect(await filesWith(server, "token-of-the-neighbour", "Directory")).not.toEqual([]);
    } finally {
      await server.stop();
    }
  });

  it("is nothing, where the erasure begins while the registration is published", async ({ expect }) => {
    const server = await serve({ bundle: inject("bundle"), bindings: testBindings });
    try {
      const users = await Promise.all(
        Array.from({ length: 40 }, async (_, i) => {
          const uid = `user-${i}-to-be-erased`;
          return { uid, authToken: await login(server, uid) };
        }),
      );
      let acknowledged = 0;
      // All at once: of some users both, so that most registrations are cancelled or refused; of the others one after the other.
      const ends = users.map(async ({ uid, authToken }, i) => {
        const tokens = { fcmToken: `fcm-of-${uid}`, voipToken: `voip-of-${uid}` };
        const registration = call(server, "POST", "/v2/tokens", { authToken }, tokens).then(
          () => (acknowledged += 1),
          () => undefined,
        );
        if (i % 4 === 0) await registration;
        expect(await call(server, "DELETE", `/v3/users/${uid}`)).toEqual({ success: true });
        await registration;
      });
      await Promise.all(ends);
      expect(acknowledged).toBeGreaterThan(0);
      expect(acknowledged).toBeLessThan(users.length);
      await server.stop();
      for (const { uid } of users) expect(await filesWith(server, uid), uid).toEqual([]);
    } finally {
      await server.stop();
    }
  });
});

/** A token that the same owner object knows, so that the erased one's row has had a neighbour in its page. */
async function tokenOfTheSameShard(token: string): Promise<string> {
  const shard = tokenOwnersName("test", await tokenHash("fcm", token));
  for (let i = 0; ; i += 1) {
    const candidate = `token-${i}-of-the-neighbour`;
    if (tokenOwnersName("test", await tokenHash("fcm", candidate)) === shard) return candidate;
  }
}

/**
 * The files of objects that hold the text somewhere among their bytes. `metadata.sqlite` is no object's: there the runtime
 * keeps the names of objects that have an alarm, as of the erased user's, whose timestamp has an end.
 */
async function filesWith({ data }: Server, text: string, className = ""): Promise<string[]> {
  const entries = await readdir(join(data, className), { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith("metadata.sqlite"))
    .map((entry) => join(entry.parentPath, entry.name));
  const contents = await Promise.all(files.map((file) => readFile(file)));
  return files.filter((_, i) => contents[i]?.includes(text));
}

async function login(server: Server, uid: string): Promise<string> {
  const { authToken } = (await call(server, "POST", `/v3/users/${uid}/auth_tokens`)) as { authToken: string };
  return authToken;
}

async function register(server: Server, authToken: string, token: string | undefined): Promise<void> {
  await call(server, "POST", "/v2/tokens", { authToken }, { fcmToken: token });
}

async function call(server: Server, method: string, path: string, headers = {}, body?: object): Promise<unknown> {
  const init: RequestInit = { method, headers: { appId: "test", apikey: API_KEYS.fullAccess, ...headers } };
  if (body !== undefined) init.body = JSON.stringify(body);
  const response = await fetch(`${server.url}${path}`, init);
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { data: unknown }).data;
}
