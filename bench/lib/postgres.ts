// A PostgreSQL server for one subject: Debian's, with a database of its own that is gone afterwards. Commits are durable.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { ended, freePort, stopped, until } from "./processes.ts";

export interface Postgres {
  /** The newest that is installed: `15`. */
  version: string;
  /** `postgres://…` */
  url: string;
  pid: number;
  stop(): Promise<void>;
}

const INSTALLED = "/usr/lib/postgresql";
const FAST_SHUTDOWN = "SIGINT";

/** `null` if this machine has no PostgreSQL server (Debian: `apt-get install postgresql`). */
export function postgresVersion(): string | null {
  const versions = existsSync(INSTALLED) ? readdirSync(INSTALLED).sort() : [];
  return versions.at(-1) ?? null;
}

/** Starts one; answers when it takes statements. */
export async function startPostgres(version: string): Promise<Postgres> {
  const bin = `${INSTALLED}/${version}/bin`;
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
  const stop = async () => {
    await ended(postgres, FAST_SHUTDOWN);
    await rm(directory, { recursive: true, force: true });
  };
  const url = `postgres://bench@127.0.0.1:${port}/postgres`;
  await until(() => run(url, "SELECT 1")).catch(stopped(stop));
  return { version, url, pid: postgres.pid ?? -1, stop };
}

/** Runs statements that answer nothing. */
export async function run(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function idOf(flag: "-u" | "-g"): string {
  return execFileSync("id", [flag, "postgres"], { encoding: "utf8" });
}
