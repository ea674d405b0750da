// examples/back-end: its two files and the program of its README, in an empty folder with nothing but the compiler.
import { execFile } from "node:child_process";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, it, onTestFinished } from "vitest";
import { createRegistry, RegistryError } from "../../examples/back-end/registry.ts";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import type { Registry } from "../../testing/types.ts";
import { startRegistry, UNLIMITED_APP } from "../support/node/testing.ts";
import { uniqueUid } from "../support/unique.ts";

const EXAMPLE = join(PROJECT, "examples/back-end");
const TSC = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
const run = promisify(execFile);

let registry: Registry;

beforeAll(async () => {
  registry = await startRegistry({ app: UNLIMITED_APP });
});

afterAll(async () => {
  await registry?.stop();
});

/** An empty folder with the two files, outside of the repository: no package of it is found from there. */
async function emptyProject(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "push-token-registry-back-end-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const file of ["registry.ts", "api.d.ts"]) await copyFile(join(EXAMPLE, file), join(folder, file));
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  return folder;
}

/** The n-th block of code of that language in the README. */
async function block(language: string, n = 0): Promise<string> {
  const readme = await readFile(join(EXAMPLE, "README.md"), "utf8");
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))][n]?.[1] ?? "";
}

describe("the typed client for back ends", () => {
  it("compiles in an empty project, and its README's program runs", { timeout: 120_000 }, async ({ expect }) => {
    const folder = await emptyProject();
    await writeFile(join(folder, "tsconfig.json"), await block("json"));
    await writeFile(join(folder, "main.ts"), await block("ts"));
    await run(process.execPath, [TSC], { cwd: folder });
    const { stdout } = await run(process.execPath, ["dist/main.js"], {
      cwd: folder,
      env: {
        ...process.env,
        REGISTRY_URL: registry.url,
        REGISTRY_APP_ID: "test",
        REGISTRY_API_KEY: registry.apiKeys.fullAccess,
      },
    });
    expect(stdout.split("\n").slice(0, 4)).toEqual([
      "alice has an auth token",
      "alice has 0 push tokens",
      "bob has 0 push tokens",
      expect.stringContaining("400 ERR_BAD_REQUEST { uids: [ "),
    ]);
  });

  it.for([
    ["--module", "nodenext", "--verbatimModuleSyntax", "--erasableSyntaxOnly", "--isolatedModules"],
    [
      "--module",
      "esnext",
      "--moduleResolution",
      "bundler",
      "--exactOptionalPropertyTypes",
      "--noUncheckedIndexedAccess",
    ],
    ["--module", "commonjs", "--noUnusedLocals", "--noUnusedParameters", "--noImplicitReturns"],
  ])("compiles with %s", { timeout: 120_000 }, async (options, { expect }) => {
    const folder = await emptyProject();
    const strict = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom", "--types", ""];
    const checked = await run(process.execPath, [TSC, ...strict, ...options, "registry.ts"], { cwd: folder }).catch(
      ({ stdout }: { stdout: string }) => ({ stdout }),
    );
    expect(checked.stdout).toBe("");
  });

  it("finds wrong calls when they are compiled", { timeout: 120_000 }, async ({ expect }) => {
    const folder = await emptyProject();
    const wrong = [
      `registry("GET /v3/nothing");`,
      `registry("GET /v3/users/{uid}/push_tokens");`,
      `registry("POST /v3/push_tokens/lookup", { body: { uid: "alice" } });`,
      `registry("POST /v3/push_tokens/owner", { body: { token: "t", kind: "gcm" } });`,
      `registry("GET /v3/users/{uid}/sessions", { path: { uid: "alice" } }).then(({ users }) => users);`,
    ];
    const program = [
      'import { createRegistry } from "./registry.js";',
      "const registry = createRegistry(null!);",
      ...wrong,
    ];
    await writeFile(join(folder, "main.ts"), program.join("\n"));
    const options = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom", "--types", ""];
    const failure = await run(process.execPath, [TSC, ...options, "--module", "nodenext", "main.ts"], {
      cwd: folder,
    }).catch((error: { stdout: string }) => error);
    const lines = [...failure.stdout.matchAll(/^main\.ts\((\d+),/gm)].map(([, line]) => Number(line));
    expect([...new Set(lines)]).toEqual(wrong.map((_, n) => n + 3));
  });

  it("names what the registry refused, and why", async ({ expect }) => {
    const ask = createRegistry({ url: registry.url, appId: "test", apiKey: registry.apiKeys.sender });
    const uid = uniqueUid();
    expect(await ask("GET /v3/users/{uid}/push_tokens", { path: { uid } })).toEqual({ uid, pushTokens: [] });
    const refused = await ask("POST /v3/users/{uid}/auth_tokens", { path: { uid } }).catch((error) => error);
    expect(refused).toBeInstanceOf(RegistryError);
    expect(refused).toMatchObject({ status: 403, code: "AUTH_ERR_NO_ACCESS", requestId: expect.any(String) });
    const wrong = ask("POST /v3/push_tokens/lookup", { body: { uids: [] } });
    await expect(wrong).rejects.toMatchObject({ status: 400, details: { uids: [expect.any(String)] } });
    await expect(ask("GET /v3/users/{uid}/sessions", { path: { uid: ".." } })).rejects.toThrow(TypeError);
  });

  it("repeats 429 and 503 after Retry-After, as often as it may, and nothing else", async ({ expect }) => {
    const times: number[] = [];
    const answering = (...statuses: number[]) =>
      createRegistry({
        url: "http://registry.test/",
        appId: "test",
        apiKey: "key",
        fetch: async () => {
          times.push(Date.now());
          const status = statuses[Math.min(times.length, statuses.length) - 1] ?? 200;
          const headers: Record<string, string> = status === 429 || status === 503 ? { "Retry-After": "0.2" } : {};
          return Response.json(status === 200 ? { data: { owners: [] } } : { error: { code: "CODE" } }, {
            status,
            headers,
          });
        },
      });
    const call = ["POST /v3/push_tokens/owner", { body: { token: "token" } }] as const;
    expect(await answering(429, 503, 200)(...call)).toEqual({ owners: [] });
    expect(times).toHaveLength(3);
    expect((times[2] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(390);
    for (const [status, requests] of [
      [503, 3],
      [500, 1],
      [400, 1],
    ] as const) {
      times.length = 0;
      await expect(answering(status)(...call)).rejects.toMatchObject({ status, code: "CODE" });
      expect(times).toHaveLength(requests);
    }
    times.length = 0;
    const end = new AbortController();
    const [name, input] = call;
    const ended = answering(503)(name, { ...input, signal: end.signal }).catch((error: Error) => error.name);
    // It waits now.
    while (times.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    end.abort();
    expect(await ended).toBe("AbortError");
    expect(times).toHaveLength(1);
  });
});
