// The file of rejects: for each entry that was not taken, where it stands and why. No token, auth token or uid.
import { type FileHandle, stat } from "node:fs/promises";
import { CommandError } from "../lib/command.ts";
import { openPrivate, writeAll } from "../lib/private-file.ts";

export class Rejects {
  readonly #file: string;
  #handle: FileHandle | null = null;
  #lines = "";
  bytes: number;

  private constructor(file: string, bytes: number) {
    this.#file = file;
    this.bytes = bytes;
  }

  /**
   * Goes on behind the first `bytes`: what a run before wrote after its last checkpoint is written again.
   * @throws {CommandError} if the file does not have them
   */
  static async at(file: string, bytes: number): Promise<Rejects> {
    const rejects = new Rejects(file, bytes);
    if (bytes > 0) {
      const found = await stat(file).catch(() => null);
      if (found === null || found.size < bytes) {
        throw new CommandError(
          `${file} no longer has what an earlier run wrote there. To begin anew, delete the file that ends in .import-checkpoint.json.`,
        );
      }
      rejects.#handle = await openPrivate(file, "r+");
      await rejects.#handle.truncate(bytes);
    }
    return rejects;
  }

  add(line: number, reason: string): void {
    this.#lines += `${JSON.stringify({ line, reason })}\n`;
  }

  /** Makes the file with its first line. */
  async flush(): Promise<void> {
    if (this.#lines === "") return;
    this.#handle ??= await openPrivate(this.#file, "w");
    const text = Buffer.from(this.#lines);
    this.#lines = "";
    await writeAll(this.#handle, text, this.bytes);
    this.bytes += text.length;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#handle?.close();
  }
}
