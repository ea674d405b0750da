// Whether the project can be written, asked before anything else is done.
import { mkdir, mkdtemp, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { CommandError } from "./command.ts";

/** wrangler builds there, and setup and deploy write beside it. @throws {CommandError} with what to do */
export async function mustBeWritable(project: string): Promise<void> {
  const directory = join(project, ".wrangler/tmp");
  try {
    await mkdir(directory, { recursive: true });
    // A directory that is there says nothing of what may be done in it.
    await rmdir(await mkdtemp(join(directory, "writable-")));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(
      `The Worker cannot be built, because ${project} cannot be written (${code}): copy it to a directory of your own, and run npm ci and this command there.`,
    );
  }
}
