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
  /** Bytes that a user of three devices, each with 200 bytes of facts about it, takes in the directory. */
  directoryBytes: number;
}

/** Tables of the runtime itself; the local one keeps a page for each of its own (alarm, key-value) in the user's file. */
const SIMULATOR_TABLES = /^_cf_/;

export async function measureSizes(bundle: string): Promise<Sizes> {
  const script = await readFile(bundle);
  const userBytes: Record<string, number> = {};
  for (const devices of [1, 3, 10]) userBytes[String(devices)] = await sizeOfUser(bundle, devices);
  const gzipBytes = gzipSync(script, { level: 9 }).byteLength;
  return { bundleBytes: script.byteLength, gzipBytes, userBytes, directoryBytes: await sizeInDirectory(bundle) };
}

/** One user alone in a fresh store, each device with the tokens that it has: phones one, every third an iPhone with two. */
async function sizeOfUser(bundle: string, devices: number): Promise<number> {
  const data = await withDevices(bundle, ["user"], devices);
  return await bytesOf(join(data, "UserTokens"));
}

/** The mean of many users: they share pages. */
async function sizeInDirectory(bundle: string): Promise<number> {
  const uids = Array.from({ length: 200 }, (_, i) => `user-${i}`);
  const data = await withDevices(bundle, uids, 3, { directory: { objects: 1 } });
  return Math.round((await bytesOf(join(data, "Directory"))) / uids.length);
}

/** 200 bytes of JSON, as an app says them of a device. */
export const DEVICE = {
  id: "0e10ac93-eace-4e22-ba2e-2efa5ed66460",
  name: "Anna's phone",
  model: "Pixel 9 Pro",
  os: "Android 16",
  appVersion: "12.4.1",
  locale: "de-DE",
  environment: "production",
  bundleId: "com.example.chat",
};

/** Where the data are, of a registry that users registered these devices with. */
async function withDevices(bundle: string, uids: readonly string[], devices: number, settings = {}): Promise<string> {
  const app = { ...REGISTRY_BINDINGS.APP_BENCH, ...settings };
  const server = await serve({ bundle, bindings: { ...REGISTRY_BINDINGS, APP_BENCH: app } });
  try {
    for (const uid of uids) {
      for (let i = 0; i < devices; i++) {
        const name = `${"x".repeat(140 - uid.length)}${uid}${i}`;
        const tokens = i % 3 === 2 && uids.length === 1 ? { apnsToken: name, voipToken: name } : { fcmToken: name };
        const response = await fetch(`${server.url}/v2/tokens`, {
          method: "POST",
          headers: clientHeaders(uid, `0e10ac93-eace-4e22-ba2e-2efa5ed6646${i}`),
          body: JSON.stringify(uids.length > 1 ? { ...tokens, device: DEVICE } : tokens),
        });
        if (response.status !== 200) throw new Error(await response.text());
        await response.arrayBuffer();
      }
    }
  } finally {
    await server.stop();
  }
  return server.data;
}

async function bytesOf(directory: string): Promise<number> {
  const file = (await readdir(directory)).find((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  if (file === undefined) throw new Error("there is no database");
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
