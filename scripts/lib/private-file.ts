// Files that hold push tokens, or say what became of them: their owner alone can read them, and they are whole or an error.
import { type FileHandle, open } from "node:fs/promises";
import { CommandError } from "./command.ts";

const OWNER_ONLY = 0o600;
const OF_OTHERS = 0o077;

/** Opens a file, and makes it if it is not there, so that nobody else can read it; also one that others could read until now. */
export async function openPrivate(file: string, flags: "w" | "r+"): Promise<FileHandle> {
  const handle = await open(file, flags, OWNER_ONLY);
  try {
    const status = await handle.stat();
    // What is no file, such as /dev/stdout, keeps its mode.
    if (status.isFile() && (status.mode & OF_OTHERS) !== 0) await handle.chmod(OWNER_ONLY);
    return handle;
  } catch {
    await handle.close();
    throw new CommandError(`${file} can be read by others, and that cannot be changed: name a file of your own`);
  }
}

/** Writes all bytes at `position`: a disk that is nearly full takes a part of them without an error. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}
