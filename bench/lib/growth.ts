// Whether time per request and storage per user stay flat while users and owner entries grow.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Server, serve } from "../../scripts/lib/workerd.ts";
import { tokenHash, tokenOwnersName } from "../../src/domain/names.ts";
import { type LoadRequest, type Measured, measure } from "./load.ts";
import { clientHeaders, REGISTRY_BINDINGS } from "./logins.ts";

export interface GrowthPoint {
  size: number;
  listMicros: number;
  registerMicros: number;
  bytesPerUser?: number;
}

export interface Growth {
  users: GrowthPoint[];
  owners: GrowthPoint[];
}

const CONNECTIONS = 8;
const SAMPLE = 300;

export async function measureGrowth(bundle: string, userSizes: number[], ownerSizes: number[]): Promise<Growth> {
  return { users: await growUsers(bundle, userSizes), owners: await growOwners(bundle, ownerSizes) };
}

async function growUsers(bundle: string, sizes: number[]): Promise<GrowthPoint[]> {
  const server = await serve({ bundle, bindings: REGISTRY_BINDINGS });
  const points: GrowthPoint[] = [];
  let filled = 0;
  try {
    for (const size of sizes) {
      await requests(server, size - filled, (i) => register(`user-${filled + i}`, "phone", `token-${filled + i}`));
      filled = size;
      points.push({
        size,
        ...(await sample(server, size, () => true)),
        bytesPerUser: await bytesPerUser(server, size),
      });
    }
  } finally {
    await server.stop();
  }
  return points;
}

/** Entries are put into the owner object's database while the server is down: a million claims would take an hour. */
async function growOwners(bundle: string, sizes: number[]): Promise<GrowthPoint[]> {
  let server = await serve({ bundle, bindings: REGISTRY_BINDINGS });
  const { data } = server;
  const points: GrowthPoint[] = [];
  const shard = tokenOwnersName("bench", await tokenHash("fcm", "token-0"));
  try {
    await requests(server, SAMPLE, (i) => register(`user-${i}`, "phone", `user-token-${i}`));
    await requests(server, 1, () => register("user-0", "tablet", "token-0"));
    let filled = 1;
    for (const size of sizes) {
      await server.stop();
      await addEntries(data, shard, filled, size);
      filled = size;
      server = await serve({ bundle, bindings: REGISTRY_BINDINGS, data });
      const isOfShard = async (token: string) => tokenOwnersName("bench", await tokenHash("fcm", token)) === shard;
      points.push({ size, ...(await sample(server, SAMPLE, isOfShard)) });
    }
  } finally {
    await server.stop();
  }
  return points;
}

async function addEntries(data: string, shard: string, from: number, to: number): Promise<void> {
  const directory = join(data, "TokenOwners");
  const hash = await tokenHash("fcm", "token-0");
  for (const name of await readdir(directory)) {
    if (!/^[0-9a-f]{64}\.sqlite$/.test(name)) continue;
    const database = new DatabaseSync(join(directory, name));
    try {
      if (database.prepare("SELECT 1 FROM owners WHERE hash = ?").get(hash) === undefined) continue;
      database.exec("BEGIN");
      const insert = database.prepare("INSERT INTO owners VALUES (?, ?, ?, 0, 0)");
      for (let i = from; i < to; i++) insert.run(`entry-${i}`.padEnd(43, "x"), `user-${i}`.padEnd(43, "x"), i);
      database.exec("COMMIT");
      return;
    } finally {
      database.close();
    }
  }
  throw new Error(`the owner object ${shard} has no database`);
}

let samples = 0;

/** Microseconds per request on users and tokens of this sample, after a first request to each. */
async function sample(server: Server, users: number, isWanted: (token: string) => boolean | Promise<boolean>) {
  samples += 1;
  const step = Math.max(1, Math.floor(users / SAMPLE));
  const uids = Array.from({ length: SAMPLE }, (_, i) => `user-${(i * step) % users}`);
  const tokens: string[] = [];
  for (let i = 0; tokens.length < SAMPLE; i++) {
    const token = `sample-${samples}-${i}`;
    if (await isWanted(token)) tokens.push(token);
  }
  const list = (i: number): LoadRequest => ({
    method: "GET",
    path: "/v2/tokens",
    headers: clientHeaders(uids[i % SAMPLE] ?? "", "phone"),
  });
  await requests(server, SAMPLE, list);
  const listed = await requests(server, 10 * SAMPLE, list);
  const registered = await requests(server, SAMPLE, (i) =>
    register(uids[i] ?? "", `sample-${samples}`, tokens[i] ?? ""),
  );
  return { listMicros: 1e6 / listed.perSecond, registerMicros: 1e6 / registered.perSecond };
}

function register(uid: string, session: string, fcmToken: string): LoadRequest {
  return {
    method: "POST",
    path: "/v2/tokens",
    headers: clientHeaders(uid, session),
    body: JSON.stringify({ fcmToken }),
  };
}

function requests(server: Server, amount: number, request: (i: number) => LoadRequest): Promise<Measured> {
  const last = request(amount - 1);
  let i = 0;
  // The load generator builds a request per connection ahead of what it sends.
  const next = () => (i < amount ? request(i++) : last);
  return measure({ url: server.url, connections: Math.min(CONNECTIONS, amount), amount, next });
}

async function bytesPerUser(server: Server, users: number): Promise<number> {
  const directory = join(server.data, "UserTokens");
  let bytes = 0;
  for (const name of await readdir(directory)) {
    if (/^[0-9a-f]{64}\.sqlite$/.test(name)) bytes += (await stat(join(directory, name))).size;
  }
  return bytes / users;
}
