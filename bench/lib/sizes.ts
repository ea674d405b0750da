// Sizes: of what is deployed, and of what one user takes on disk.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gzipSync } from "node:zlib";
import { serve } from "../../scripts/lib/workerd.ts";
import { clientHeaders, REGISTRY_BINDINGS } from "./logins.ts";

export interface Sizes {
  bundleBytes: number;
  gzipBytes: number;
  /** Bytes of a user's database by number of devices. */
  userBytes: Record<string, number>;
}

/** Tables of the runtime itself; the local one keeps a page for each of its own (alarm, key-value) in the user's file. */
const SIMULATOR_TABLES = /^_cf_/;

export async function measureSizes(bundle: string): Promise<Sizes> {
  const script = await readFile(bundle);
  const userBytes: Record<string, number> = {};
  for (const devices of [1, 3, 10]) userBytes[String(devices)] = await sizeOfUser(bundle, devices);
  return { bundleBytes: script.byteLength, gzipBytes: gzipSync(script, { level: 9 }).byteLength, userBytes };
}

/** One user alone in a fresh store, each device with the tokens that it has: phones one, every third an iPhone with two. */
async function sizeOfUser(bundle: string, devices: number): Promise<number> {
  const server = await serve({ bundle, bindings: REGISTRY_BINDINGS });
  try {
    for (let i = 0; i < devices; i++) {
      const name = `${"x".repeat(140)}${i}`;
      const tokens = i % 3 === 2 ? { apnsToken: name, voipToken: name } : { fcmToken: name };
      const response = await fetch(`${server.url}/v2/tokens`, {
        method: "POST",
        headers: clientHeaders("user", `0e10ac93-eace-4e22-ba2e-2efa5ed6646${i}`),
        body: JSON.stringify(tokens),
      });
      if (response.status !== 200) throw new Error(await response.text());
      await response.arrayBuffer();
    }
  } finally {
    await server.stop();
  }
  const directory = join(server.data, "UserTokens");
  const file = (await readdir(directory)).find((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  if (file === undefined) throw new Error("the user has no database");
  const database = new DatabaseSync(join(directory, file));
  try {
    const pragma = (name: string) => Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE rootpage > 0").all();
    const simulators = tables.filter(({ name }) => SIMULATOR_TABLES.test(String(name))).length;
    return (pragma("page_count") - simulators) * pragma("page_size");
  } finally {
    database.close();
  }
}
