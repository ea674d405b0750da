// A checkout of its own, for what must not be done to this one: the files that commands read, and this one's packages.
import { cp, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT } from "../../../scripts/lib/workerd.ts";
import { temporary } from "./local.ts";

/** Its path. `wranglerToml` is added to wrangler.toml, from which an operator's apps are taken. */
export async function checkout(wranglerToml = ""): Promise<string> {
  const project = await temporary("checkout");
  for (const name of ["src", "scripts", "test", "bench", "public", "examples", "testing", "docs"]) {
    await cp(join(PROJECT, name), join(project, name), { recursive: true });
  }
  for (const name of ["package.json", "tsconfig.json", ".gitignore"])
    await cp(join(PROJECT, name), join(project, name));
  await writeFile(join(project, "wrangler.toml"), (await withoutApps()) + wranglerToml);
  await symlink(join(PROJECT, "node_modules"), join(project, "node_modules"));
  return project;
}

/** wrangler.toml as it ships: operators' apps stand at its end. */
async function withoutApps(): Promise<string> {
  const toml = await readFile(join(PROJECT, "wrangler.toml"), "utf8");
  return toml
    .replace(/^\[vars\.APP_[\s\S]*/m, "")
    .replace(/^name = .*$/m, 'name = "push-notification-us"')
    .replace(/^account_id = .*\n/m, "")
    .replace(/^required = .*$/m, "required = []");
}
