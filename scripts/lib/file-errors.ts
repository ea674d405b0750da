// Errors of the file system that are no fault of a command, in words.
import { tmpdir } from "node:os";
import { join } from "node:path";

const SQLITE_FULL = 13;

/** What to do about an error of the file system that is no fault of the command; `null` for any other one. */
export function adviceOn(error: unknown): string | null {
  const { code = "", path, errcode } = error as NodeJS.ErrnoException & { errcode?: unknown };
  if (code === "ERR_SQLITE_ERROR" && errcode === SQLITE_FULL) {
    return `There is no room for temporary files in ${tmpdir()}: make room, or use another directory in TMPDIR.`;
  }
  if (code.startsWith("Z_")) {
    return `The file is gzip, but cut off or damaged (${code}). Fetch it again; nothing of it was used.`;
  }
  if (code === "ENOSPC" || code === "EDQUOT") return `The disk is full (${code}): make room, and run this again.`;
  if (!["EACCES", "EPERM", "EROFS", "ENOENT", "ENOTDIR", "EISDIR"].includes(code) || path === undefined) return null;
  const isTemporary = path.startsWith(join(tmpdir(), "push-token-registry-"));
  const way = isTemporary ? "another directory in TMPDIR" : "another path, or a copy of the project that is yours";
  return `${path} cannot be read or written (${code}): use ${way}.`;
}
