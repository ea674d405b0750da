// `npm run import` and `npm run export` with registries on workerd itself: what a file brings, also where the command or the
// server is killed, and what comes out again.
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, inject, it, onTestFinished } from "vitest";
import { loadApp } from "../../scripts/lib/load.ts";
import { PROJECT, type Server, serve } from "../../scripts/lib/workerd.ts";
import { command, directory } from "../support/node/estate.ts";
import { startGate } from "../support/node/gate.ts";

const FIXTURES = join(PROJECT, "test/scripts/estate/fixtures");

async function startRegistry() {
  const data = await mkdtemp(join(tmpdir(), "push-token-registry-import-test-"));
  const app = loadApp();
  const start = (port = 0): Promise<Server> => serve({ bundle: inject("bundle"), bindings: app.bindings, data, port });
  let server = await start();
  onTestFinished(async () => {
    await server.stop();
    await rm(data, { recursive: true });
  });
  const { url, port } = server;
  const restart = async () => {
    await server.stop("SIGKILL");
    server = await start(port);
  };
  const env = { REGISTRY_URL: url, REGISTRY_APP_ID: app.appId, REGISTRY_API_KEY: app.keys.fullAccess };
  const ask = async (method: string, path: string, body?: unknown) => {
    const headers = { appId: app.appId, apikey: app.keys.fullAccess, "content-type": "application/json" };
    const sent: RequestInit = { method, headers };
    if (body !== undefined) sent.body = JSON.stringify(body);
    const { data: answer } = (await (await fetch(`${url}${path}`, sent)).json()) as { data: unknown };
    // biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON came, and assert on it
    return answer as any;
  };
  return { env, ask, restart };
}

/** Every token by uid, as lookups show them. */
async function estate(ask: Awaited<ReturnType<typeof startRegistry>>["ask"]): Promise<Record<string, string[]>> {
  const found: [string, string[]][] = [];
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await ask("GET", `/v3/push_tokens?limit=1000&includeMuted=true${query}`);
    for (const { uid, pushTokens } of page.users) {
      found.push([uid, pushTokens.map(({ token }: { token: string }) => token).sort()]);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return Object.fromEntries(found.sort());
}

async function fixture(name: string): Promise<string> {
  const file = join(await directory(), name);
  await cp(join(FIXTURES, name), file);
  return file;
}

const LINES = 1000;

/** A file of 1,000 entries: 970 registrations of 100 users, duplicates, mistakes and rows without a user. */
async function bigFile(): Promise<string> {
  const lines = Array.from({ length: LINES }, (_, n) => {
    if (n % 100 === 98) return "no json";
    if (n % 100 === 97) return JSON.stringify({ kind: "fcm", token: `token-${n}` });
    if (n % 100 === 96)
      return JSON.stringify({
        uid: `user-${(n - 1) % 100}`,
        kind: "fcm",
        token: `token-${n - 1}`,
        refreshedAt: Date.now() - 1000,
      });
    return JSON.stringify({
      uid: `user-${n % 100}`,
      kind: "fcm",
      token: `token-${n}`,
      refreshedAt: Date.now() - 5000,
    });
  });
  const file = join(await directory(), "estate.ndjson");
  await writeFile(file, `${lines.join("\n")}\n`);
  return file;
}

/** What the file must have become. */
function expected(): Record<string, string[]> {
  const found = new Map<string, string[]>();
  for (let n = 0; n < LINES; n += 1) {
    if (n % 100 >= 96 && n % 100 <= 98) continue;
    const uid = `user-${n % 100}`;
    found.set(uid, [...(found.get(uid) ?? []), `token-${n}`].sort());
  }
  return Object.fromEntries([...found].sort());
}

const OUTCOMES = { imported: LINES * 0.97, duplicate: LINES / 100, skipped: LINES / 100, rejected: LINES / 100 };

describe("npm run export", { timeout: 300_000 }, () => {
  for (const [name, args] of Object.entries({
    ndjson: ["--out", "FILE.ndjson"],
    "ndjson, as gzip": ["--out", "FILE.ndjson.gz"],
    csv: ["--format", "csv", "--out", "FILE.csv"],
    "csv, exact": ["--format", "csv", "--exact", "--out", "FILE.csv"],
  })) {
    it(`brings the same lines back through an import into an empty app: ${name}`, async ({ expect }) => {
      const [from, to] = [await startRegistry(), await startRegistry()];
      const format = name.startsWith("csv") ? "csv" : "ndjson";
      const lines = Array.from({ length: 120 }, (_, n) => ({
        uid: n === 7 ? 'seven, "of" nine' : n === 8 ? "nil" : `user-${n}`,
        kind: n % 2 === 0 ? "fcm" : "apns",
        token: n % 2 === 0 ? `token-${n}` : n.toString(16).padStart(64, "0"),
        platform: n % 4 === 0 ? "web" : n % 2 === 0 ? "android" : "ios",
        session: n % 3 === 0 ? undefined : `session-${n}`,
        registeredAt: Date.now() - 5_000_000 - n,
        refreshedAt: Date.now() - 1_000_000 - n,
        suspectAt: n % 40 === 0 ? Date.now() - 1000 : undefined,
        muted: n % 50 === 0 ? true : undefined,
        providerId: n % 10 === 0 ? "main" : undefined,
        timezone: n % 10 === 1 ? "Asia/Kolkata" : undefined,
        device:
          n % 5 === 0 ? { name: 'Ann\'s, \n"phone"', environment: "sandbox", bundleId: "com.example" } : undefined,
      }));
      const given = join(await directory(), "given.ndjson");
      await writeFile(given, lines.map((line) => JSON.stringify(line)).join("\n"));
      expect(await command(["--from", "ndjson", given, "--yes"], from.env).ended).toMatchObject({ code: 0 });
      const made = await directory();
      const exporting = (n: number) => args.map((arg) => arg.replace("FILE", join(made, `estate-${n}`)));
      const [one, two] = [exporting(1).at(-1) ?? "", exporting(2).at(-1) ?? ""];
      expect(await command(exporting(1), from.env, { script: "export" }).ended).toMatchObject({ code: 0 });
      expect(await command(["--from", format, one, "--yes"], to.env).ended).toMatchObject({ code: 0 });
      expect(await command(exporting(2), to.env, { script: "export" }).ended).toMatchObject({ code: 0 });
      const sorted = await sortedLines(one);
      expect(await sortedLines(two)).toEqual(sorted);
      expect(sorted.filter((line) => line.includes("session-"))).toHaveLength(80);
      expect(sorted.filter((line) => line.includes("import:"))).toHaveLength(40);
      const manifest = JSON.parse(await readFile(`${one}.manifest.json`, "utf8"));
      expect(manifest).toMatchObject({ users: 120, registrations: 120, byKind: { fcm: 60, apns: 60 } });
      expect((await stat(one)).mode & 0o777).toBe(0o600);
    });
  }

  it("goes on after kill -9 with the next page", async ({ expect }) => {
    const { env } = await startRegistry();
    const file = await bigFile();
    expect(await command(["--from", "ndjson", file, "--yes"], env).ended).toMatchObject({ code: 0 });
    const out = join(await directory(), "estate.ndjson.gz");
    const args = ["--exact", "--out", out];
    const { child, ended } = command(args, env, { script: "export" });
    const isBegun = () =>
      readFile(`${out}.export-checkpoint.json`).then(
        () => true,
        () => false,
      );
    while (child.exitCode === null && !(await isBegun())) await wait(2);
    child.kill("SIGKILL");
    await ended;
    const { code, errors } = await command(args, env, { script: "export" }).ended;
    expect(code).toBe(0);
    expect(errors).toContain("Done: 970 registrations of");
    const found = (await sortedLines(out)).map((line) => JSON.parse(line).token);
    expect(found).toHaveLength(970);
    expect(new Set(found).size).toBe(970);
  });
});

async function sortedLines(file: string): Promise<string[]> {
  const bytes = await readFile(file);
  const text = file.endsWith(".gz") ? gunzipSync(bytes).toString() : bytes.toString();
  // A quoted field may hold line breaks: whatever the rows are, the same pieces are the same rows.
  return text
    .split(/\n(?=[^\n])/)
    .map((line) => line.trimEnd())
    .sort();
}

describe("npm run import", { timeout: 300_000 }, () => {
  it("brings a file, says what became of each line, and brings nothing twice", async ({ expect }) => {
    const { env, ask } = await startRegistry();
    const file = await fixture("onesignal.csv");
    const args = ["--from", "onesignal", file, "--yes", "--json"];
    const first = await command(args, env).ended;
    expect(first.code).toBe(0);
    expect(JSON.parse(first.out).outcomes).toEqual({ imported: 2, duplicate: 1, skipped: 5 });
    expect(await estate(ask)).toEqual({ ann: ["fcm-onesignal-1"], ben: [expect.stringMatching(/^aabb0+1$/)] });
    const again = await command(args, env).ended;
    expect(JSON.parse(again.out).outcomes).toEqual({ already: 2, duplicate: 1, skipped: 5 });
    expect(await readdir(join(file, ".."))).toEqual(["onesignal.csv"]);
  });

  it("writes nothing in a dry run, or where nobody can be asked", async ({ expect }) => {
    const { env, ask } = await startRegistry();
    const file = await fixture("onesignal.csv");
    const dry = await command(["--from", "onesignal", file, "--dry-run"], {}).ended;
    expect(dry).toMatchObject({ code: 0, errors: "" });
    expect(dry.out).toContain("8 entries: 2 registrations of 2 users");
    expect(dry.out).toContain("skipped: 1, no user");
    expect(await command(["--from", "onesignal", file], env).ended).toMatchObject({ code: 2 });
    expect(await command(["--from", "onesignal", file, "--yes"], {}).ended).toMatchObject({
      code: 2,
      errors: expect.stringContaining("--url is needed, or REGISTRY_URL in the environment"),
    });
    expect(await estate(ask)).toEqual({});
  });

  it("reads the standard input, and keeps no copy of it", async ({ expect }) => {
    const { env, ask } = await startRegistry();
    const text = await readFile(join(FIXTURES, "ably.json"), "utf8");
    const cwd = await directory();
    const rejects = join(cwd, "rejects");
    const args = ["--from", "ably", "-", "--json", "--rejects", rejects];
    expect(await command(args, env, { input: text }).ended).toMatchObject({ code: 2 });
    const { code, out } = await command([...args, "--yes"], { ...env, TMPDIR: cwd }, { input: text }).ended;
    expect([code, JSON.parse(out).outcomes]).toEqual([0, { imported: 2, skipped: 3 }]);
    expect(Object.keys(await estate(ask))).toEqual(["ann", "ben"]);
    expect(await readdir(cwd)).toEqual([]);
  });

  it("names lines and reasons of rejects, without anything else of them", async ({ expect }) => {
    const { env } = await startRegistry();
    const file = await fixture("ours.ndjson");
    const { out } = await command(["--from", "ndjson", file, "--yes", "--json"], env).ended;
    const { rejects, outcomes } = JSON.parse(out);
    expect(outcomes).toEqual({ imported: 2, duplicate: 1, skipped: 1, rejected: 4 });
    const text = await readFile(rejects, "utf8");
    const lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ line }) => line)).toEqual([5, 6, 8, 9]);
    expect(lines.every((line) => Object.keys(line).join() === "line,reason")).toBe(true);
    expect(text).not.toMatch(/fcm-ours|cem|words/);
    expect((await stat(rejects)).mode & 0o777).toBe(0o600);
  });

  it("goes on after kill -9 at ten moments: the same end state, and counts that add up", async ({ expect }) => {
    const { env: registry, ask } = await startRegistry();
    const file = await bigFile();
    const temporary = await directory();
    const gate = await startGate(registry.REGISTRY_URL);
    const env = { ...registry, REGISTRY_URL: gate.url, TMPDIR: temporary };
    const args = ["--from", "ndjson", file, "--yes", "--json", "--batch", "20", "--parallel", "2"];
    for (let kills = 0; kills < 10; kills += 1) {
      // Ten times that are less than the file: however long this test sleeps, the command is still there to be killed.
      gate.admit(4, kills % 2 === 0 ? "nobody" : "registry");
      const { child, ended } = command(args, env);
      // Killed once the checkpoint has gone on, a different time after it each time.
      const before = await doneIn(file);
      while (child.exitCode === null && (await doneIn(file)) <= before) await wait(2);
      await wait(kills * 7);
      child.kill("SIGKILL");
      expect(await ended).toMatchObject({ code: null });
    }
    gate.open();
    const { code, out } = await command(args, env).ended;
    expect(code).toBe(0);
    expect(JSON.parse(out).outcomes).toEqual(OUTCOMES);
    expect(await estate(ask)).toEqual(expected());
    const rejects = (await readFile(JSON.parse(out).rejects, "utf8")).trim().split("\n");
    expect(rejects.map((line) => JSON.parse(line).line)).toEqual(
      Array.from({ length: LINES / 100 }, (_, i) => i * 100 + 99),
    );
    expect(await readdir(join(file, ".."))).toEqual(["estate.ndjson", "estate.ndjson.rejects.ndjson"]);
    // The killed ones held all entries, tokens included.
    expect(await readdir(temporary)).toEqual([]);
  });

  it("goes on while the server is killed and started again: the same end state", async ({ expect }) => {
    const { env, ask, restart } = await startRegistry();
    const file = await bigFile();
    const args = ["--from", "ndjson", file, "--yes", "--json", "--batch", "20", "--parallel", "2", "--repeats", "50"];
    const { child, ended } = command(args, env);
    for (let n = 0; n < 3 && child.exitCode === null; n += 1) {
      const before = await doneIn(file);
      while (child.exitCode === null && (await doneIn(file)) < before + 100) await wait(5);
      await restart();
    }
    const { code, out } = await ended;
    expect(code).toBe(0);
    expect(JSON.parse(out).outcomes).toEqual(OUTCOMES);
    expect(await estate(ask)).toEqual(expected());
  });
});

async function doneIn(file: string): Promise<number> {
  const text = await readFile(`${file}.import-checkpoint.json`, "utf8").catch(() => '{"done":0}');
  return JSON.parse(text).done;
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
