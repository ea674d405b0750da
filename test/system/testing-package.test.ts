// The package as others install it: packed, installed into an empty project, and run as docs/testing.md says.
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, it } from "vitest";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import { chromiumPath } from "../support/node/browser.ts";
import { checkout } from "../support/node/checkout.ts";
import { temporary } from "../support/node/local.ts";

const run = promisify(execFile);
const PACKAGES = join(PROJECT, "node_modules");

/** What a project with tests has beside the package; it is this project's own. */
const TOOLS = ["vitest", "@playwright/test", "typescript", "@types/node"];

/** The programs of the page, by the name of the file that each begins with. */
async function programs(): Promise<Map<string, string>> {
  const page = await readFile(join(PROJECT, "docs/testing.md"), "utf8");
  const blocks = [...page.matchAll(/^```ts\n(\/\/ (\S+)\n[\s\S]*?)^```$/gm)];
  return new Map(blocks.map(([, text = "", name = ""]) => [name, text]));
}

/** An empty project with the packed package installed, and nothing of this project to be found from there. */
async function emptyProject(): Promise<string> {
  const folder = await temporary("empty");
  await run("npm", ["pack", "--pack-destination", folder], { cwd: await checkout() });
  const [tarball = ""] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  await run("npm", ["install", "--save-dev", "--prefer-offline", "--no-audit", "--no-fund", tarball], { cwd: folder });
  for (const name of TOOLS) {
    await mkdir(join(folder, "node_modules", name, ".."), { recursive: true });
    await symlink(join(PACKAGES, name), join(folder, "node_modules", name));
  }
  return folder;
}

/** What a program printed, whether it failed or not. */
async function output(folder: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, CI: "true", NO_COLOR: "1" };
  const ended = await run(process.execPath, args, { cwd: folder, env }).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return ended.stdout + ended.stderr;
}

describe("the package, in an empty project", () => {
  it("runs the programs of docs/testing.md, with types", { timeout: 240_000 }, async ({ expect }) => {
    const folder = await emptyProject();
    const files = await programs();
    expect([...files.keys()]).toEqual(["registry.test.ts", "logout.spec.ts"]);
    for (const [name, text] of files) await writeFile(join(folder, name), text);

    const strict = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", "node"];
    const lib = ["--lib", "es2024,dom,esnext.disposable"];
    const tsc = join(PACKAGES, "typescript/bin/tsc");
    await writeFile(
      join(folder, "types.ts"),
      'import { startRegistry } from "push-token-registry/testing";\n' +
        'export const tokens: string[] = await (await startRegistry({ now: new Date() })).tokensOf("anna");\n' +
        "// @ts-expect-error\nstartRegistry({ now: true });\n",
    );
    expect(await output(folder, tsc, ...strict, ...lib, "types.ts")).toBe("");

    expect(await output(folder, join(PACKAGES, "vitest/vitest.mjs"), "run", "registry.test.ts")).toMatch(
      /Test Files +1 passed \(1\)/,
    );

    const launchOptions = { executablePath: chromiumPath(), args: ["--no-sandbox"] };
    await writeFile(
      join(folder, "playwright.config.ts"),
      `export default ${JSON.stringify({ reporter: "line", use: { launchOptions } })};`,
    );
    expect(await output(folder, join(PACKAGES, "@playwright/test/cli.js"), "test", "logout.spec.ts")).toMatch(
      /^ +1 passed/m,
    );
  });
});
