// Parse Server on PostgreSQL, as its command starts it in production: a process per core, its own migration with the indexes
// that it does not make by itself (subjects/parse-server/config.json), no log of requests.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import type { Login } from "./api.ts";
import { MASTER_KEY, PARSE_API, sessionToken } from "./parse-api.ts";
import { startPostgres } from "./postgres.ts";
import { ended, freePort, stopped } from "./processes.ts";
import type { Subject } from "./subjects.ts";

const DIRECTORY = join(PROJECT, "bench/subjects/parse-server");
const INSTALLED = join(DIRECTORY, "node_modules/parse-server");
/** It takes seconds; on a busy machine more. */
const START_MS_MAX = 120_000;
/** What is shown of the output of Parse Server: its last lines. */
const LINES_SHOWN = 10;
/** And of npm's: it says first what is wrong. */
const NPM_LINES_SHOWN = 4;

/**
 * Installs Parse Server beside its lock file, where that version is not yet there. It has hundreds of packages, so it is no
 * dependency of the project.
 *
 * @throws if npm cannot, with what it says
 */
export async function installParseServer(): Promise<void> {
  const { dependencies } = JSON.parse(await readFile(join(DIRECTORY, "package.json"), "utf8"));
  if (existsSync(INSTALLED) && (await installedVersion()) === dependencies["parse-server"]) return;
  const options = ["--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"];
  const npm = spawn("npm", ["ci", ...options], {
    cwd: DIRECTORY,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const lines = linesOf(npm);
  const [code] = await once(npm, "exit");
  if (code === 0) return;
  throw new Error(
    `npm could not install it (\`npm ci\` in bench/subjects/parse-server; is a registry within reach?). It says:\n` +
      lines.slice(0, NPM_LINES_SHOWN).join("\n"),
  );
}

async function installedVersion(): Promise<string> {
  return JSON.parse(await readFile(join(INSTALLED, "package.json"), "utf8")).version;
}

/** `postgresVersion`: of the PostgreSQL server to start for it. */
export async function startParseServer(postgresVersion: string): Promise<Subject> {
  const postgres = await startPostgres(postgresVersion);
  const directory = await mkdtemp(join(tmpdir(), "push-token-registry-parse-"));
  const database = new pg.Client({ connectionString: postgres.url });
  const port = await freePort();
  let parse: ChildProcess | undefined;
  const stop = async () => {
    await database.end();
    if (parse !== undefined) await ended(parse, "SIGTERM");
    await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  };
  const started = async () => {
    await database.connect();
    // Alone at first: several processes would all make the tables.
    parse = await run(1, port, postgres.url, directory);
    await ended(parse, "SIGTERM");
    parse = await run(availableParallelism(), port, postgres.url, directory);
  };
  await started().catch(stopped(stop));
  return {
    name: `Parse Server ${(await installedVersion()).split(".")[0]} + PostgreSQL ${postgresVersion}`,
    host: "Node",
    api: PARSE_API,
    url: `http://127.0.0.1:${port}`,
    pids: [parse?.pid ?? -1, postgres.pid],
    logIn: (logins) => logIn(database, logins),
    stop,
  };
}

/** Runs so many processes of it; answers when each of them is ready. */
async function run(processes: number, port: number, databaseUrl: string, directory: string): Promise<ChildProcess> {
  const program = join(INSTALLED, "bin/parse-server");
  const cluster = processes === 1 ? [] : ["--cluster", String(processes)];
  const child = spawn(process.execPath, [program, join(DIRECTORY, "config.json"), ...cluster], {
    // It writes its log there.
    cwd: directory,
    env: {
      ...process.env,
      NODE_ENV: "production",
      PORT: String(port),
      PARSE_SERVER_HOST: "127.0.0.1",
      PARSE_SERVER_URL: `http://127.0.0.1:${port}/parse`,
      PARSE_SERVER_DATABASE_URI: databaseUrl,
      PARSE_SERVER_MASTER_KEY: MASTER_KEY,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines = linesOf(child);
  const isReady = () => lines.filter((line) => line.includes("parse-server running on")).length === processes;
  const end = Date.now() + START_MS_MAX;
  while (!isReady()) {
    if (child.exitCode !== null || Date.now() > end) {
      await ended(child, "SIGKILL");
      throw new Error(`Parse Server did not start:\n${lines.slice(-LINES_SHOWN).join("\n")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return child;
}

/** What a process writes, line by line, as it comes. */
function linesOf({ stdout, stderr }: ChildProcess): string[] {
  const lines: string[] = [];
  for (const stream of [stdout, stderr]) {
    if (stream !== null) createInterface({ input: stream }).on("line", (line) => lines.push(line));
  }
  return lines;
}

/** The rows that signing up and logging in write. By SQL: Parse hashes a password for each, which takes a core 50 ms. */
async function logIn(database: pg.Client, logins: Login[]): Promise<void> {
  await database.query(
    `INSERT INTO "_User" ("objectId", "createdAt", "updatedAt", username, _rperm, _wperm, _hashed_password)
     SELECT DISTINCT uid, now(), now(), uid, ARRAY[uid], ARRAY[uid], $2 FROM unnest($1::text[]) AS logins(uid)
     ON CONFLICT DO NOTHING`,
    [logins.map(({ uid }) => uid), `$2b$10$${"x".repeat(53)}`],
  );
  await database.query(
    `INSERT INTO "_Session" ("objectId", "createdAt", "updatedAt", "user", "sessionToken", "expiresAt", "createdWith")
     SELECT id, now(), now(), uid, token, now() + interval '1 year', '{"action": "login", "authProvider": "password"}'
     FROM unnest($1::text[], $2::text[], $3::text[]) AS logins(id, uid, token)
     ON CONFLICT DO NOTHING`,
    [
      logins.map((login) => createHash("sha256").update(sessionToken(login)).digest("base64url").slice(0, 10)),
      logins.map(({ uid }) => uid),
      logins.map(sessionToken),
    ],
  );
  // A production database knows its sizes; one that is filled within seconds has not counted them yet.
  await database.query('ANALYZE "_User", "_Session", "_Installation"');
}
