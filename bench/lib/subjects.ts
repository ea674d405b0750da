// Starts what is compared: servers on ports of this machine. All but Parse Server (parse-server.ts) serve the same API with the
// same auth check.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { build, PROJECT, type Server, serve } from "../../scripts/lib/workerd.ts";
import { type Api, type Login, REGISTRY_API } from "./api.ts";
import { children } from "./cpu.ts";
import { API_KEY_SHA256, REGISTRY_BINDINGS, SIGNING_KEY } from "./logins.ts";
import { run, startPostgres } from "./postgres.ts";
import { answers, ended, freePort, stopped } from "./processes.ts";

export interface Subject {
  name: string;
  /** What it runs on: only subjects of the same host are compared with each other, but for those on Node. */
  host: "workerd" | "Miniflare" | "Node";
  api: Api;
  url: string;
  /** Its processes, without those that they started. */
  pids: number[];
  /** Makes accounts and sessions, where a login is more than a signature. */
  logIn?(logins: Login[]): Promise<void>;
  stop(): Promise<void>;
}

const COMPATIBILITY_DATE = readFileSync(join(PROJECT, "wrangler.toml"), "utf8").match(
  /compatibility_date = "(.+)"/,
)?.[1];

function onWorkerd(name: string, server: Server): Subject {
  const { url, pid } = server;
  return { name, host: "workerd", api: REGISTRY_API, url, pids: [pid], stop: () => server.stop() };
}

export async function startFloor(): Promise<Subject> {
  const bundle = await build("bench/subjects/floor/wrangler.toml");
  const server = await serve({ bundle, bindings: { SIGNING_KEY }, objects: { USERS: "FloorUser" } });
  return onWorkerd("floor", server);
}

export async function startRegistry(): Promise<Subject> {
  const server = await serve({ bundle: await build(), bindings: REGISTRY_BINDINGS });
  return onWorkerd("registry", server);
}

/** The registry as it stands in another checkout, with what that one's own benchmark configures. */
export async function startOther(project: string): Promise<Subject> {
  const logins = await import(pathToFileURL(join(project, "bench/lib/logins.ts")).href);
  const server = await serve({ bundle: await build("wrangler.toml", project), bindings: logins.REGISTRY_BINDINGS });
  return onWorkerd("other", server);
}

export async function startRegistryInMiniflare(): Promise<Subject> {
  return startMiniflare("registry (Miniflare)", await build(), {
    bindings: REGISTRY_BINDINGS,
    durableObjects: {
      USER_TOKENS: { className: "UserTokens", useSQLite: true },
      TOKEN_OWNERS: { className: "TokenOwners", useSQLite: true },
      DIRECTORY: { className: "Directory", useSQLite: true },
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
  return { name, host: "Miniflare", api: REGISTRY_API, url, pids, stop };
}

/** `postgresVersion`: of the PostgreSQL server to start for it. */
export async function startNodePostgres(postgresVersion: string): Promise<Subject> {
  const postgres = await startPostgres(postgresVersion);
  let node: ChildProcess | undefined;
  const stop = async () => {
    if (node !== undefined) await ended(node, "SIGTERM");
    await postgres.stop();
  };
  const port = await freePort();
  const started = async () => {
    await run(postgres.url, await readFile(join(PROJECT, "bench/subjects/node-postgres/schema.sql"), "utf8"));
    node = spawn(process.execPath, [join(PROJECT, "bench/subjects/node-postgres/server.ts")], {
      env: { ...process.env, PORT: String(port), DATABASE_URL: postgres.url, SIGNING_KEY, API_KEY_SHA256 },
      stdio: ["ignore", "ignore", "inherit"],
    });
    await answers(`http://127.0.0.1:${port}/v2/tokens`);
  };
  await started().catch(stopped(stop));
  return {
    name: `Node + PostgreSQL ${postgresVersion}`,
    host: "Node",
    api: REGISTRY_API,
    url: `http://127.0.0.1:${port}`,
    pids: [node?.pid ?? -1, postgres.pid],
    stop,
  };
}
