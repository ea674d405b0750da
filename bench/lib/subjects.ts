// Starts what is compared. Each subject serves the same API with the same auth check on a port of this machine.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chown, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import pg from "pg";
import { build, PROJECT, serve } from "../../scripts/lib/workerd.ts";
import { children } from "./cpu.ts";
import { API_KEY_SHA256, REGISTRY_BINDINGS, SIGNING_KEY } from "./logins.ts";

export interface Subject {
  name: string;
  /** What it runs on: only subjects of the same host are compared with each other, but for node-postgres. */
  host: "workerd" | "Miniflare" | "Node";
  url: string;
  /** Its processes, without those that they started. */
  pids: number[];
  stop(): Promise<void>;
}

const COMPATIBILITY_DATE = readFileSync(join(PROJECT, "wrangler.toml"), "utf8").match(
  /compatibility_date = "(.+)"/,
)?.[1];

export async function startFloor(): Promise<Subject> {
  const bundle = await build("bench/subjects/floor/wrangler.toml");
  const server = await serve({ bundle, bindings: { SIGNING_KEY }, objects: { USERS: "FloorUser" } });
  return { name: "floor", host: "workerd", url: server.url, pids: [server.pid], stop: () => server.stop() };
}

export async function startRegistry(): Promise<Subject> {
  const server = await serve({ bundle: await build(), bindings: REGISTRY_BINDINGS });
  return { name: "registry", host: "workerd", url: server.url, pids: [server.pid], stop: () => server.stop() };
}

/** The registry as it stands in another checkout, with what that one's own benchmark configures. */
export async function startOther(project: string): Promise<Subject> {
  const logins = await import(pathToFileURL(join(project, "bench/lib/logins.ts")).href);
  const server = await serve({ bundle: await build("wrangler.toml", project), bindings: logins.REGISTRY_BINDINGS });
  return { name: "other", host: "workerd", url: server.url, pids: [server.pid], stop: () => server.stop() };
}

export async function startRegistryInMiniflare(): Promise<Subject> {
  return startMiniflare("registry (Miniflare)", await build(), {
    bindings: REGISTRY_BINDINGS,
    durableObjects: {
      USER_TOKENS: { className: "UserTokens", useSQLite: true },
      TOKEN_OWNERS: { className: "TokenOwners", useSQLite: true },
    },
  });
}

export async function startD1(): Promise<Subject> {
  const bundle = await build("bench/subjects/d1/wrangler.toml");
  return startMiniflare(
    "D1 (Miniflare)",
    bundle,
    { bindings: { SIGNING_KEY, API_KEY_SHA256 }, d1Databases: ["DB"] },
    async (miniflare) => {
      const database = await miniflare.getD1Database("DB");
      const schema = await readFile(join(PROJECT, "bench/subjects/d1/schema.sql"), "utf8");
      for (const statement of schema.split(";").filter((text) => text.trim() !== "")) {
        await database.prepare(statement).run();
      }
    },
  );
}

export async function startKv(): Promise<Subject> {
  const bundle = await build("bench/subjects/kv/wrangler.toml");
  return startMiniflare("KV (Miniflare)", bundle, {
    bindings: { SIGNING_KEY, API_KEY_SHA256 },
    kvNamespaces: ["TOKENS"],
  });
}

async function startMiniflare(
  name: string,
  bundle: string,
  options: object,
  prepare: (miniflare: Miniflare) => Promise<void> = async () => undefined,
): Promise<Subject> {
  const data = await mkdtemp(join(tmpdir(), "push-token-registry-miniflare-"));
  const before = children();
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: [{ type: "ESModule", path: "index.js", contents: await readFile(bundle, "utf8") }],
      compatibilityDate: COMPATIBILITY_DATE,
      // On disk, as the other subjects: an acknowledged write is an fsync.
      resourcePersistencePath: data,
      // A log line per server call would drown the figures.
      handleStructuredLogs: () => undefined,
      ...options,
    } as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  const url = (await miniflare.ready).origin;
  const pids = children().filter((pid) => !before.includes(pid));
  const stop = async () => {
    await miniflare.dispose();
    await rm(data, { recursive: true, force: true });
  };
  await prepare(miniflare).catch(stopped(stop));
  return { name, host: "Miniflare", url, pids, stop };
}

/** `null` if this machine has no PostgreSQL server (Debian: `apt-get install postgresql`). */
export async function startNodePostgres(): Promise<Subject | null> {
  const versions = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql").sort() : [];
  const version = versions.at(-1);
  if (version === undefined) return null;
  const bin = `/usr/lib/postgresql/${version}/bin`;
  const directory = await mkdtemp(join(tmpdir(), "push-token-registry-postgres-"));
  const port = await freePort();
  // PostgreSQL refuses to run as root: then as the user that Debian makes for it.
  const isRoot = process.getuid?.() === 0;
  const user = isRoot ? { uid: Number(idOf("-u")), gid: Number(idOf("-g")) } : {};
  if (user.uid !== undefined) await chown(directory, user.uid, user.gid);
  const initdb = spawn(`${bin}/initdb`, ["-D", `${directory}/data`, "-A", "trust", "-U", "bench"], {
    ...user,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [code] = await once(initdb, "exit");
  if (code !== 0) throw new Error(`initdb ended with ${code}`);
  const postgres = spawn(
    `${bin}/postgres`,
    [
      ...["-D", `${directory}/data`, "-p", String(port), "-k", directory, "-h", "127.0.0.1"],
      ...["-c", "synchronous_commit=on", "-c", "fsync=on", "-c", "shared_buffers=256MB", "-c", "max_connections=200"],
    ],
    { ...user, stdio: "ignore" },
  );
  const processes: [ChildProcess, NodeJS.Signals][] = [[postgres, POSTGRES_FAST_SHUTDOWN]];
  const stop = async () => {
    for (const [child, signal] of processes.toReversed()) await ended(child, signal);
    await rm(directory, { recursive: true, force: true });
  };
  const databaseUrl = `postgres://bench@127.0.0.1:${port}/postgres`;
  await createTables(databaseUrl).catch(stopped(stop));
  const nodePort = await freePort();
  const node = spawn(process.execPath, [join(PROJECT, "bench/subjects/node-postgres/server.ts")], {
    env: { ...process.env, PORT: String(nodePort), DATABASE_URL: databaseUrl, SIGNING_KEY, API_KEY_SHA256 },
    stdio: ["ignore", "ignore", "inherit"],
  });
  processes.push([node, "SIGTERM"]);
  await answers(`http://127.0.0.1:${nodePort}/v2/tokens`).catch(stopped(stop));
  return {
    name: `Node + PostgreSQL ${version}`,
    host: "Node",
    url: `http://127.0.0.1:${nodePort}`,
    pids: [node.pid ?? -1, postgres.pid ?? -1],
    stop,
  };
}

const POSTGRES_FAST_SHUTDOWN = "SIGINT";

/** Stops what was started, and passes the failure on. */
function stopped(stop: () => Promise<void>) {
  return async (error: unknown) => {
    await stop();
    throw error;
  };
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill(signal);
  await exit;
}

function idOf(flag: "-u" | "-g"): string {
  return execFileSync("id", [flag, "postgres"], { encoding: "utf8" });
}

async function createTables(databaseUrl: string): Promise<void> {
  const schema = await readFile(join(PROJECT, "bench/subjects/node-postgres/schema.sql"), "utf8");
  await until(async () => {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    await client.query(schema);
    await client.end();
  });
}

async function answers(url: string): Promise<void> {
  await until(async () => {
    await (await fetch(url)).arrayBuffer();
  });
}

/** Tries for 20 s: servers take a moment to listen. */
async function until(attempt: () => Promise<void>): Promise<void> {
  const end = Date.now() + 20_000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
