// `npm run screenshots`: takes every picture of docs/images, and each is small.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, onTestFinished } from "vitest";
import { Output } from "../../scripts/lib/output.ts";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import { command } from "../../scripts/screenshots.ts";

const PICTURE_BYTES_MAX = 150 * 1024;
/** Of a PNG. */
const BEGINNING = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");

describe("npm run screenshots", () => {
  it("takes the very pictures that stand in docs/images, each below 150 KiB", { timeout: 120_000 }, async ({
    expect,
  }) => {
    const directory = await mkdtemp(join(tmpdir(), "push-token-registry-pictures-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    expect(await command.run({ to: directory }, { output: new Output(true), operands: [] })).toBe(0);
    const committed = join(PROJECT, "docs/images");
    expect((await readdir(directory)).sort()).toEqual((await readdir(committed)).sort());
    for (const place of [directory, committed]) {
      for (const file of await readdir(place)) {
        const picture = await readFile(join(place, file));
        expect(picture.subarray(0, BEGINNING.length)).toEqual(BEGINNING);
        expect(picture.byteLength).toBeLessThan(PICTURE_BYTES_MAX);
      }
    }
  });
});
