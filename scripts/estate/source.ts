// The bytes of a file as text: gzip by its first bytes, without a byte-order mark, lines with their numbers.
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";

/** The file's bytes, inflated if it is gzip. */
export async function contentOf(file: string): Promise<Readable> {
  const handle = await open(file);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
  await handle.close();
  // From its beginning: what has no name is one open file, whose place all who read it would share.
  const bytes = createReadStream(file, { start: 0 });
  if (bytesRead < 2 || buffer[0] !== 0x1f || buffer[1] !== 0x8b) return bytes;
  const inflated = createGunzip();
  // The reader sees the error; without a callback it would end the process.
  pipeline(bytes, inflated, () => {});
  return inflated;
}

/** The file's text in parts, without a byte-order mark; UTF-16 where that says so, as files have it that PowerShell writes. */
export async function* textOf(file: string): AsyncGenerator<string> {
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  for await (const chunk of await contentOf(file)) {
    decoder ??= new TextDecoder(chunk[0] === 0xff && chunk[1] === 0xfe ? "utf-16le" : "utf-8");
    const text = decoder.decode(chunk as Buffer, { stream: true });
    if (text !== "") yield text;
  }
  const rest = decoder?.decode() ?? "";
  if (rest !== "") yield rest;
}

/** The lines of a file that are not blank; the first has number 1. */
export async function* linesOf(file: string): AsyncGenerator<{ line: number; text: string }> {
  let line = 0;
  // In parts until the line ends: joined at each of them, a long line would take the square of its length.
  let rest: string[] = [];
  for await (const part of textOf(file)) {
    rest.push(part);
    if (!part.includes("\n")) continue;
    const lines = rest.join("").split("\n");
    rest = [lines.pop() ?? ""];
    for (const text of lines) {
      line += 1;
      if (text.trim() !== "") yield { line, text: text.endsWith("\r") ? text.slice(0, -1) : text };
    }
  }
  const last = rest.join("");
  if (last.trim() !== "") yield { line: line + 1, text: last };
}
