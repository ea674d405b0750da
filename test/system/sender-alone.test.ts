// examples/sender, copied out of the repository: its own tests, and `npm start` beside a registry.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, it, onTestFinished } from "vitest";
import own from "../../examples/sender/package.json" with { type: "json" };
import manifest from "../../package.json" with { type: "json" };
import { PROJECT } from "../../scripts/lib/workerd.ts";
import type { Registry } from "../../testing/types.ts";
import { startRegistry, UNLIMITED_APP } from "../support/node/testing.ts";
import { uniqueUid } from "../support/unique.ts";

const run = promisify(execFile);
const require = createRequire(import.meta.url);

let registry: Registry;
let folder: string;

beforeAll(async () => {
  registry = await startRegistry({ app: UNLIMITED_APP });
  folder = await mkdtemp(join(tmpdir(), "push-token-registry-sender-"));
  await cp(join(PROJECT, "examples/sender"), folder, {
    recursive: true,
    filter: (source) => !source.includes("node_modules"),
  });
  // What `npm ci` installs to run it, and no more: nothing of this repository is found from there.
  await mkdir(join(folder, "node_modules"));
  for (const name of Object.keys(own.dependencies)) {
    await symlink(packageFolder(name), join(folder, "node_modules", name));
  }
});

afterAll(async () => {
  await registry?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

function packageFolder(name: string): string {
  const [, path = ""] = /^(.*\/node_modules\/[^/]+)\//.exec(require.resolve(name)) ?? [];
  return path;
}

describe("the example sender, copied out of the repository", () => {
  it("passes its own tests", { timeout: 120_000 }, async ({ expect }) => {
    const { stdout } = await run(process.execPath, ["--test", "--test-reporter=tap", "dev/sender.test.ts"], {
      cwd: folder,
    });
    expect(stdout).toMatch(/^# pass 4$/m);
    expect(stdout).toMatch(/^# fail 0$/m);
  });

  it("sends beside a registry, started as npm start does", async ({ expect }) => {
    const [program = "", ...args] = own.scripts.start.split(" ");
    expect(program).toBe("node");
    const child = spawn(process.execPath, args, {
      cwd: folder,
      env: {
        ...process.env,
        PORT: "0",
        REGISTRY_URL: registry.url,
        REGISTRY_APP_ID: "test",
        REGISTRY_API_KEY: registry.apiKeys.sender,
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(async () => {
      if (child.exitCode !== null) return;
      child.kill();
      await once(child, "exit");
    });
    let url = "";
    for await (const line of createInterface({ input: child.stdout })) {
      url = /^The sender is at (\S+),/.exec(line)?.[1] ?? url;
      if (url !== "") break;
    }

    const uid = uniqueUid();
    const registered = await fetch(`${registry.url}/v2/tokens`, {
      method: "POST",
      headers: { appId: "test", authToken: await registry.mint(uid) },
      body: JSON.stringify({ fcmToken: "phone-of-this-test", apnsToken: "x-malformed" }),
    });
    expect(registered.status).toBe(200);
    const sent = await fetch(`${url}/send`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa("cometchat:local")}` },
      body: JSON.stringify({ uids: [uid, "nobody"], push: { title: "Hello", body: "It works." } }),
    });
    expect(await sent.json()).toEqual({
      delivered: 0,
      failed: [{ uid, kind: "apns", code: "BadDeviceToken", outcome: "suspect" }],
      otherHost: [],
      unread: [],
    });
  });

  it("listens where the registry does not, and says in one sentence what to do where it cannot", async ({ expect }) => {
    const start = async (args: readonly string[], env: Record<string, string>) => {
      const { promise, resolve } = Promise.withResolvers<{ code: unknown; stderr: string }>();
      execFile(process.execPath, args, { cwd: folder, env: { ...process.env, ...env } }, (error, _, stderr) =>
        resolve({ code: error?.code ?? 0, stderr }),
      );
      return await promise;
    };
    const source = await readFile(join(folder, "dev/start.ts"), "utf8");
    const [, port] = source.match(/PORT = "(\d+)"/) ?? [];
    // npm start of the registry: http, and https at the next one.
    expect([8787, 8788]).not.toContain(Number(port));
    const [, ...args] = own.scripts.start.split(" ");
    const taken = new URL(registry.url).port;
    expect(await start(args, { PORT: taken })).toEqual({
      code: 1,
      stderr: `Port ${taken} is already in use: choose another with PORT in the environment.\n`,
    });
    const old = 'Object.defineProperty(process, "versions", { value: { node: "20.20.2" } })';
    expect(await start(["--import", `data:text/javascript,${encodeURIComponent(old)}`, ...args], {})).toEqual({
      code: 1,
      stderr: "Node 22.18 or later is needed; this is 20.20.2.\n",
    });
  });

  it("installs the same versions as this repository", async ({ expect }) => {
    const all: Record<string, string> = { ...manifest.dependencies, ...manifest.devDependencies };
    for (const [name, version] of Object.entries({ ...own.dependencies, ...own.devDependencies })) {
      expect(`${name} ${version}`).toBe(`${name} ${all[name]}`);
    }
    const lock = JSON.parse(await readFile(join(folder, "package-lock.json"), "utf8"));
    expect(lock.packages[""]).toMatchObject({ dependencies: own.dependencies, devDependencies: own.devDependencies });
  });
});
