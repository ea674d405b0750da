// Whether time per request and storage per user stay flat while users and owner entries grow. Each size gets a store of its
// own; then one server per store is measured in alternating rounds, so that the machine's drift meets all sizes alike.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, rm, stat, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Server, serve } from "../../scripts/lib/workerd.ts";
import { tokenOwnersName } from "../../src/durable/names.ts";
import { OWNER_SHARDS } from "../../src/limits.ts";
import { type LoadRequest, type Measured, measure } from "./load.ts";
import { clientHeaders, REGISTRY_BINDINGS, SERVER_HEADERS } from "./logins.ts";
import { median } from "./ratios.ts";

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

/** A store on disk, and whom to measure in it: as many in each. */
interface Store {
  size: number;
  data: string;
  uids: string[];
  bytesPerUser?: number;
}

const CONNECTIONS = 8;
/** More than that are created faster: each creation waits for the disk. */
const SEED_CONNECTIONS = 32;
/** A database, and its log until it is closed. */
const SEED_BYTES_PER_USER = 64 * 1024;
const SAMPLE = 300;
const ROUNDS = 5;
const LIST_SECONDS = 2;
/** workerd closes the database of an idle object after 10 s, and writes its log back. */
const SETTLE_MS_MAX = 120_000;

export async function measureGrowth(bundle: string, userSizes: number[], ownerSizes: number[]): Promise<Growth> {
  const directory = await mkdtemp(join(tmpdir(), "push-token-registry-growth-"));
  try {
    const users = await growUsers(bundle, directory, userSizes);
    return { users, owners: await growOwners(bundle, directory, ownerSizes) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function growUsers(bundle: string, directory: string, sizes: number[]): Promise<GrowthPoint[]> {
  const stores: Store[] = [];
  // Users are made in memory, where no commit waits for a disk; what is measured is a copy on disk.
  const seed = await mkdtemp(join(await memory(Math.max(...sizes)), "push-token-registry-seed-"));
  try {
    let filled = 0;
    for (const size of sizes) {
      await seedUsers(bundle, seed, filled, size);
      filled = size;
      const data = join(directory, `users-${size}`);
      await cp(seed, data, { recursive: true });
      const step = Math.max(1, Math.floor(size / SAMPLE));
      const uids = Array.from({ length: SAMPLE }, (_, i) => `user-${(i * step) % size}`);
      stores.push({ size, data, uids, bytesPerUser: (await bytesOfUsers(data)) / size });
      console.log(`growth: ${size} users are stored`);
    }
  } finally {
    await rm(seed, { recursive: true, force: true });
  }
  return measureStores(bundle, stores, () => true);
}

/** A directory in memory with room for so many users; on disk where there is none. */
async function memory(users: number): Promise<string> {
  if (!existsSync("/dev/shm")) return tmpdir();
  const { bavail, bsize } = await statfs("/dev/shm");
  return bavail * bsize > users * SEED_BYTES_PER_USER ? "/dev/shm" : tmpdir();
}

async function seedUsers(bundle: string, data: string, from: number, to: number): Promise<void> {
  const server = await serve({ bundle, bindings: REGISTRY_BINDINGS, data });
  try {
    const user = (i: number) => register(`user-${from + i}`, "phone", `token-${from + i}`);
    await requests(server, to - from, user, SEED_CONNECTIONS);
    await settled(data);
  } finally {
    await server.stop();
  }
}

/** The database of an object; beside them lies `metadata.sqlite`, the runtime's own. */
const OF_AN_OBJECT = /^[0-9a-f]{64}\.sqlite$/;

/** Waits until the database of every object is closed: only then do files have their size. */
async function settled(data: string): Promise<void> {
  const end = Date.now() + SETTLE_MS_MAX;
  for (;;) {
    const names = [...(await readdir(join(data, "UserTokens"))), ...(await readdir(join(data, "TokenOwners")))];
    const open = names.filter((name) => name.endsWith("-wal") && !name.startsWith("metadata")).length;
    if (open === 0) return;
    if (Date.now() > end) throw new Error(`${open} databases are still open`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function bytesOfUsers(data: string): Promise<number> {
  const directory = join(data, "UserTokens");
  let bytes = 0;
  for (const name of await readdir(directory)) {
    if (OF_AN_OBJECT.test(name)) bytes += (await stat(join(directory, name))).size;
  }
  return bytes;
}

/** Entries are put into the owner object's database while the server is down: a million claims would take an hour. */
async function growOwners(bundle: string, directory: string, sizes: number[]): Promise<GrowthPoint[]> {
  const base = join(directory, "owners");
  await seedUsers(bundle, base, 0, SAMPLE);
  const shard = shardOf("token-0");
  const stores: Store[] = [];
  for (const size of sizes) {
    const data = join(directory, `owners-${size}`);
    await cp(base, data, { recursive: true });
    await fillOwner(data, size);
    stores.push({ size, data, uids: Array.from({ length: SAMPLE }, (_, i) => `user-${i}`) });
  }
  return measureStores(bundle, stores, (token) => shardOf(token) === shard);
}

/** Fills the database of the object that knows the owner of `token-0`. */
async function fillOwner(data: string, size: number): Promise<void> {
  const directory = join(data, "TokenOwners");
  for (const name of await readdir(directory)) {
    if (!OF_AN_OBJECT.test(name)) continue;
    const database = new DatabaseSync(join(directory, name));
    try {
      if (database.prepare("SELECT 1 FROM owners WHERE hash = ?").get(hashOf("token-0")) === undefined) continue;
      const { count } = database.prepare("SELECT count(*) AS count FROM owners").get() as { count: number };
      database.exec("BEGIN");
      const insert = database.prepare("INSERT INTO owners (hash, user, version, claimed) VALUES (?, ?, ?, 1)");
      for (let i = count; i < size; i++) insert.run(hashOf(`entry-${i}`), hashOf(`user-${i}`), i);
      database.exec("COMMIT");
      return;
    } finally {
      database.close();
    }
  }
  throw new Error("no owner object knows token-0");
}

/** As {@link tokenHash} of names.ts, at once. */
function hashOf(fcmToken: string): string {
  return createHash("sha256").update(`fcm:${fcmToken}`).digest("base64url");
}

function shardOf(fcmToken: string): string {
  return tokenOwnersName("bench", hashOf(fcmToken));
}

async function measureStores(
  bundle: string,
  stores: Store[],
  isWanted: (token: string) => boolean,
): Promise<GrowthPoint[]> {
  const tokens = newTokens((ROUNDS + 1) * SAMPLE, isWanted);
  const servers: Server[] = [];
  const rounds: { listMicros: number; registerMicros: number }[][] = stores.map(() => []);
  try {
    for (const { data } of stores) servers.push(await serve({ bundle, bindings: REGISTRY_BINDINGS, data }));
    // The first round warms up.
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [i, server] of servers.entries()) {
        const measured = await sample(
          server,
          stores[i]?.uids ?? [],
          tokens.slice(round * SAMPLE, (round + 1) * SAMPLE),
        );
        if (round > 0) rounds[i]?.push(measured);
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
  return stores.map(({ size, bytesPerUser }, i) => ({
    size,
    listMicros: median((rounds[i] ?? []).map(({ listMicros }) => listMicros)),
    registerMicros: median((rounds[i] ?? []).map(({ registerMicros }) => registerMicros)),
    ...(bytesPerUser === undefined ? {} : { bytesPerUser }),
  }));
}

function newTokens(amount: number, isWanted: (token: string) => boolean): string[] {
  const tokens: string[] = [];
  for (let i = 0; tokens.length < amount; i++) if (isWanted(`new-${i}`)) tokens.push(`new-${i}`);
  return tokens;
}

/** Microseconds per request, on objects that are in memory: idle ones went between the rounds. */
async function sample(server: Server, uids: string[], tokens: string[]) {
  const list = (i: number): LoadRequest => ({
    method: "GET",
    path: "/v2/tokens",
    headers: clientHeaders(uids[i % uids.length] ?? "", "phone"),
  });
  const owner = (i: number): LoadRequest => ({
    method: "POST",
    path: "/v3/push_tokens/owner",
    headers: SERVER_HEADERS,
    body: JSON.stringify({ token: tokenOfShard(i), kind: "fcm" }),
  });
  await requests(server, uids.length, list);
  await requests(server, OWNER_SHARDS, owner);
  let i = 0;
  const listed = await measure({
    url: server.url,
    connections: CONNECTIONS,
    seconds: LIST_SECONDS,
    next: () => list(i++),
  });
  const registration = (i: number) => register(uids[i % uids.length] ?? "", `with-${tokens[i]}`, tokens[i] ?? "");
  const registered = await requests(server, tokens.length, registration);
  // And away again: the store keeps its size.
  await requests(server, tokens.length, (i) => ({ ...registration(i), method: "DELETE", body: "{}" }));
  return { listMicros: 1e6 / listed.perSecond, registerMicros: 1e6 / registered.perSecond };
}

const tokensOfShards = new Map<string, string>();

/** One token for each owner object. */
function tokenOfShard(index: number): string {
  for (let i = 0; tokensOfShards.size < OWNER_SHARDS; i++) tokensOfShards.set(shardOf(`any-${i}`), `any-${i}`);
  return [...tokensOfShards.values()][index] ?? "";
}

function register(uid: string, session: string, fcmToken: string): LoadRequest {
  return {
    method: "POST",
    path: "/v2/tokens",
    headers: clientHeaders(uid, session),
    body: JSON.stringify({ fcmToken }),
  };
}

function requests(
  server: Server,
  amount: number,
  request: (i: number) => LoadRequest,
  connections = CONNECTIONS,
): Promise<Measured> {
  let i = 0;
  return measure({ url: server.url, connections: Math.min(connections, amount), amount, next: () => request(i++) });
}
