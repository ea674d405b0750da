// The README's tables say which test proves what: each of them must exist.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "vitest";

const read = (file: string) => readFile(join(import.meta.dirname, file), "utf8");

describe("README.md", () => {
  it("names tests that exist, in the files where they are", async ({ expect }) => {
    const rows = (await read("README.md")).matchAll(/^\|[^|]*\| `([a-z-]+\.test\.ts)` \| (.+) \|$/gm);
    const named = [...rows].map(([, file = "", test = ""]) => ({ file, test }));
    expect(named.length).toBeGreaterThan(30);
    for (const { file, test } of named) expect(await read(file), file).toContain(JSON.stringify(test));
  });
});
