// The file of rejects: for each entry that was not taken, where it stands and why. No token, auth token or uid.
import { type FileHandle, open } from "node:fs/promises";

export class Rejects {
  readonly #file: string;
  #handle: FileHandle | null = null;
  #lines = "";
  bytes: number;

  private constructor(file: string, bytes: number) {
    this.#file = file;
    this.bytes = bytes;
  }

  /** Goes on behind the first `bytes`: what a run before wrote after its last checkpoint is written again. */
  static async at(file: string, bytes: number): Promise<Rejects> {
    const rejects = new Rejects(file, bytes);
    if (bytes > 0) {
      rejects.#handle = await open(file, "r+");
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
    this.#handle ??= await open(this.#file, "w", 0o600);
    const text = Buffer.from(this.#lines);
    this.#lines = "";
    await this.#handle.write(text, 0, text.length, this.bytes);
    this.bytes += text.length;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#handle?.close();
  }
}
