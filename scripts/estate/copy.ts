// The standard input in a file: it is read several times, and streams are read once. It holds push tokens, so its owner alone can
// read it, and it has no name once it is open, where the system allows that: what ends the command ends the file.
import { closeSync, createWriteStream, openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

export async function copyOf(input: Readable): Promise<{ file: string; remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "push-token-registry-import-"));
  const named = join(directory, "input");
  const fd = openSync(named, "wx", 0o600);
  const reading = openSync(named, "r");
  const removeName = () => rm(directory, { recursive: true, force: true });
  const remove = async () => {
    closeSync(reading);
    await removeName();
  };
  const isNameless = process.platform !== "win32";
  if (isNameless) await removeName();
  try {
    await pipeline(input, createWriteStream(named, { fd }));
  } catch (error) {
    await remove();
    throw error;
  }
  return { file: isNameless ? `/dev/fd/${reading}` : named, remove };
}
