// A directory for all that a run of the tests writes, which goes with it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MEMORY = "/dev/shm";
const BYTES_MIN = 4 * 1024 ** 3;

/**
 * Its path; it is removed as this process ends. In memory where that has room and TMPDIR says nothing else: servers on workerd
 * flush each change, and to a disk that takes its time. A kill -9 loses no more there.
 */
export function ownTmp(): string {
  return (process.env.TMPDIR === undefined ? directoryIn(MEMORY) : null) ?? newDirectory(tmpdir());
}

/** `null` where there is no room, or where nothing may be executed, as in some containers. */
function directoryIn(memory: string): string | null {
  try {
    const { bavail, bsize } = statfsSync(memory);
    if (bavail * bsize < BYTES_MIN) return null;
    const directory = newDirectory(memory);
    const script = join(directory, "may-run");
    writeFileSync(script, "#!/bin/sh\n", { mode: 0o700 });
    execFileSync(script);
    return directory;
  } catch {
    return null;
  }
}

function newDirectory(base: string): string {
  const directory = mkdtempSync(join(base, "registry-tests-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}
