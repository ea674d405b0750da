// One store, one server: two that write the same files would each answer from its own memory, and a session that logged out at
// one could register at the other. The lock is one that the kernel frees: it belongs to an open file, and workerd inherits that
// file. So it is held for as long as workerd lives, also where the process that started it was killed.
import { spawnSync } from "node:child_process";
import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { CommandError } from "./command.ts";

const FILE = "server.lock";

/** `open` locks by itself there: O_EXLOCK of BSD and macOS; libuv's flag of that name on Windows. */
const OPEN_LOCKS: Partial<Record<NodeJS.Platform, number>> = { darwin: 0x20, freebsd: 0x20, win32: 0x1000_0000 };

export interface StoreLock {
  /** To be inherited by the server. */
  fd: number;
  /** Says who holds the lock, for whoever is refused. */
  name(pid: number): void;
  /** Lets go here: from now on only who inherited the file holds the lock. */
  close(): void;
}

/**
 * Locks a directory, which is made if it is not there. `option`: how another one is chosen.
 * @throws {CommandError} if another server holds it, or if it cannot be written
 */
export function lockStore(directory: string, option?: string): StoreLock {
  const path = join(directory, FILE);
  const way = option === undefined ? "" : ` with ${option}`;
  const fd = opened(directory, path, way);
  if (OPEN_LOCKS[process.platform] === undefined) lock(fd, directory, path, way);
  // Whoever held it before is gone.
  ftruncateSync(fd);
  return {
    fd,
    name: (pid) => {
      writeSync(fd, `${pid}\n`, 0);
    },
    close: () => closeSync(fd),
  };
}

function opened(directory: string, path: string, way: string): number {
  const { O_RDWR, O_CREAT, O_NONBLOCK = 0 } = constants;
  try {
    mkdirSync(directory, { recursive: true });
    return openSync(path, O_RDWR | O_CREAT | O_NONBLOCK | (OPEN_LOCKS[process.platform] ?? 0), 0o644);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EAGAIN" || code === "EBUSY") throw inUse(directory, path, way);
    throw new CommandError(
      `The data cannot be kept in ${directory} (${code}): choose a directory that you may write${way}.`,
    );
  }
}

/** Node has no flock(2); the program of that name locks the file that it inherits, and with it ours. */
function lock(fd: number, directory: string, path: string, way: string): void {
  const { status, error } = spawnSync("flock", ["--exclusive", "--nonblock", "3"], {
    stdio: ["ignore", "ignore", "ignore", fd],
  });
  if (status === 0) return;
  closeSync(fd);
  if (error === undefined) throw inUse(directory, path, way);
  throw new CommandError("The program flock is missing, which keeps two servers from one store: install util-linux.");
}

function inUse(directory: string, path: string, way: string): CommandError {
  const pid = holder(path);
  const who = pid === "" ? "another server" : `another server (process ${pid})`;
  return new CommandError(`${directory} is already in use by ${who}: end that one, or choose another directory${way}.`);
}

function holder(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}
