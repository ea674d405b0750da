// The files that imports and exports go on with: changed, broken or gone since, readable by others, or named by mistake.
import { execFileSync } from "node:child_process";
import { chmod, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { gzipSync } from "node:zlib";
import { describe, it, onTestFinished, vi } from "vitest";
import { copyOf } from "../../scripts/estate/copy.ts";
import { Rejects } from "../../scripts/estate/rejects.ts";
import { linesOf } from "../../scripts/estate/source.ts";
import { writeAll } from "../../scripts/lib/private-file.ts";
import { startCommandRegistry } from "../support/node/command-registry.ts";
import { command, directory } from "../support/node/estate.ts";

const line = (uid: string) => JSON.stringify({ uid, kind: "fcm", token: `token-of-${uid}` });

describe("npm run export", { timeout: 120_000 }, () => {
  async function start() {
    const { env } = await startCommandRegistry();
    const given = join(await directory(), "given.ndjson");
    await writeFile(given, ["ann", "ben", "cem"].map(line).join("\n"));
    const imported = await command(["--from", "ndjson", given, "--yes"], env).ended;
    const out = join(await directory(), "estate.ndjson");
    const run = () => command(["--out", out], env, { script: "export" }).ended;
    const of = JSON.stringify(["ndjson", false, env.REGISTRY_APP_ID, env.REGISTRY_URL]);
    const place = {
      of,
      cursor: null,
      isDone: false,
      bytes: 500,
      users: 2,
      registrations: 2,
      byKind: { fcm: 2 },
      startedAt: 1,
    };
    /** As a run leaves it that was killed. */
    const leave = (checkpoint: string) => writeFile(`${out}.export-checkpoint.json`, checkpoint);
    const users = async () =>
      (await readFile(out, "utf8"))
        .trim()
        .split("\n")
        .map((each) => JSON.parse(each).uid)
        .sort();
    return { imported, out, run, place, leave, users };
  }

  it("begins anew where what an earlier run left is of no use any more", async ({ expect }) => {
    const { imported, out, run, place, leave, users } = await start();
    expect(imported.code).toBe(0);
    for (const { file, checkpoint } of [
      { file: null, checkpoint: JSON.stringify(place) },
      { file: 10, checkpoint: JSON.stringify(place) },
      // Of an epoch of the directory that is over.
      { file: 500, checkpoint: JSON.stringify({ ...place, cursor: btoa("9:8:0:").replaceAll("=", "") }) },
    ]) {
      await writeFile(out, "x");
      await (file === null ? rm(out) : truncate(out, file));
      await leave(checkpoint);
      const { code, errors } = await run();
      expect([code, errors]).toEqual([0, expect.stringContaining("cannot be gone on with: beginning anew")]);
      expect(await users()).toEqual(["ann", "ben", "cem"]);
      expect(JSON.parse(await readFile(`${out}.manifest.json`, "utf8"))).toMatchObject({ users: 3, registrations: 3 });
    }
    // Of a run that ended before its first user.
    await leave(JSON.stringify({ ...place, users: 0, registrations: 0, bytes: 0, cursor: null }));
    expect(await run()).toMatchObject({ code: 0, errors: expect.not.stringContaining("cannot be gone on with") });
    await leave('{"of":');
    expect((await run()).code).toBe(0);
    expect(await users()).toEqual(["ann", "ben", "cem"]);
  });

  it("takes the file from all others who could read it", async ({ expect }) => {
    const { out, run, users } = await start();
    await writeFile(out, "of yesterday");
    await chmod(out, 0o644);
    expect((await run()).code).toBe(0);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    expect(await users()).toEqual(["ann", "ben", "cem"]);
  });
});

describe("npm run import", { timeout: 120_000 }, () => {
  it("does not write its rejects into the file that it reads", async ({ expect }) => {
    const file = join(await directory(), "given.ndjson");
    await writeFile(file, `${line("ann")}\nno json\n`);
    const args = ["--from", "ndjson", file, "--yes", "--rejects", join(file, "..", ".", "given.ndjson")];
    const { code, errors } = await command(args, {
      REGISTRY_URL: "http://127.0.0.1:1",
      REGISTRY_APP_ID: "acme",
      REGISTRY_API_KEY: "key",
    }).ended;
    expect([code, errors]).toEqual([2, expect.stringContaining("--rejects names the file that is read")]);
    expect(await readFile(file, "utf8")).toBe(`${line("ann")}\nno json\n`);
  });

  it("keeps the standard input in no file that would outlast it, whatever ends it", async ({ expect }) => {
    const temporary = await directory();
    vi.stubEnv("TMPDIR", temporary);
    onTestFinished(() => void vi.unstubAllEnvs());
    const input = new PassThrough({ highWaterMark: 1 });
    const copying = copyOf(input);
    await new Promise((resolve) => input.write(`${line("ann")}\n`, resolve));
    expect(await readdir(temporary)).toEqual([]);
    input.end(`${line("ben")}\n`);
    const { file, remove } = await copying;
    for (let reading = 0; reading < 2; reading += 1) {
      const lines = [];
      for await (const { text } of linesOf(file)) lines.push(text);
      expect(lines).toEqual(["ann", "ben"].map(line));
    }
    await remove();
  });

  it("leaves nothing of a standard input that fails", async ({ expect }) => {
    const temporary = await directory();
    vi.stubEnv("TMPDIR", temporary);
    onTestFinished(() => void vi.unstubAllEnvs());
    const input = new PassThrough();
    const copying = copyOf(input);
    input.destroy(new Error("broken pipe"));
    await expect(copying).rejects.toThrow("broken pipe");
    expect(await readdir(temporary)).toEqual([]);
  });

  it("says of what is no file how it is given", async ({ expect }) => {
    const given = await directory();
    const pipe = join(given, "pipe");
    execFileSync("mkfifo", [pipe]);
    for (const [file, why] of [
      [given, "is a directory"],
      [pipe, "cannot be read twice: give it as the standard input, -"],
      [join(given, "none"), "there is no file"],
    ] as const) {
      const { code, errors } = await command(["--from", "csv", file, "--dry-run"], {}).ended;
      expect([code, errors]).toEqual([2, expect.stringContaining(why)]);
    }
  });

  it("says that a gzip file is cut off", async ({ expect }) => {
    const file = join(await directory(), "given.ndjson.gz");
    await writeFile(file, gzipSync(`${line("ann")}\n`.repeat(100)).subarray(0, 60));
    const { code, errors } = await command(["--from", "ndjson", file, "--dry-run"], {}).ended;
    expect([code, errors]).toEqual([
      1,
      "The file is gzip, but cut off or damaged (Z_BUF_ERROR). Fetch it again; nothing of it was used.\n",
    ]);
  });

  it("tells whoever has another key before it reads the file", async ({ expect }) => {
    const { env } = await startCommandRegistry();
    const file = join(await directory(), "given.ndjson");
    await writeFile(file, line("ann"));
    for (const [more, why] of [
      [{ REGISTRY_API_KEY: "another" }, "AUTH_ERR_APIKEY_NOT_FOUND"],
      [{ REGISTRY_URL: "http://127.0.0.1:1" }, "does not answer"],
    ] as const) {
      const ended = await command(["--from", "ndjson", file, "--yes"], { ...env, ...more }).ended;
      expect(ended).toMatchObject({ code: 1, out: "", errors: expect.stringContaining(why) });
    }
    expect(await readdir(join(file, ".."))).toEqual(["given.ndjson"]);
  });

  it("begins anew where its checkpoint is broken", async ({ expect }) => {
    const { env } = await startCommandRegistry();
    const file = join(await directory(), "given.ndjson");
    await writeFile(file, line("ann"));
    await writeFile(`${file}.import-checkpoint.json`, "");
    const { code, out } = await command(["--from", "ndjson", file, "--yes", "--json"], env).ended;
    expect([code, JSON.parse(out).outcomes]).toEqual([0, { imported: 1 }]);
  });

  it("says what to do where the rejects of an earlier run are gone", async ({ expect }) => {
    const file = join(await directory(), "rejects");
    await expect(Rejects.at(file, 10)).rejects.toThrow(/To begin anew, delete the file that ends in/);
    await writeFile(file, "short");
    await expect(Rejects.at(file, 10)).rejects.toThrow(/no longer has what an earlier run wrote/);
  });
});

it("a disk that takes a part of the bytes is given the rest, or it is an error", async ({ expect }) => {
  const disk = Buffer.alloc(12);
  const write = async (bytes: Uint8Array, offset: number, length: number, position: number) => {
    const bytesWritten = Math.min(length, 5, disk.length - position);
    if (bytesWritten === 0) throw new Error("ENOSPC");
    disk.set(bytes.subarray(offset, offset + bytesWritten), position);
    return { bytesWritten };
  };
  const handle = { write } as unknown as Parameters<typeof writeAll>[0];
  await writeAll(handle, Buffer.from("abcdefghij"), 2);
  expect(disk.toString()).toBe("\0\0abcdefghij");
  await expect(writeAll(handle, Buffer.from("abcdefghij"), 4)).rejects.toThrow("ENOSPC");
});
