// How long objects work on a call, on this machine: what `npm run scale -- --measure` keeps in service-times.json.
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { build, PROJECT, type Server, serve } from "../../scripts/lib/workerd.ts";
import { type LoadRequest, measure } from "./load.ts";
import { clientHeaders, REGISTRY_BINDINGS, SERVER_HEADERS } from "./logins.ts";
import { median } from "./ratios.ts";
import type { ServiceTimes } from "./scale.ts";

const FILE = join(PROJECT, "bench/service-times.json");
const USERS = 1000;
const ROUNDS = 5;
const SECONDS = 1;

export function knownServiceTimes(): ServiceTimes {
  return JSON.parse(readFileSync(FILE, "utf8")) as ServiceTimes;
}

/**
 * CPU time of the whole server for a request that calls an object, less that of one which calls none. So it counts the Worker's
 * share of the call as well: what the object itself needs is less.
 */
export async function measureServiceTimes(): Promise<ServiceTimes> {
  const app = { ...REGISTRY_BINDINGS.APP_BENCH, directory: { objects: 1 } };
  const server = await serve({ bundle: await build(), bindings: { ...REGISTRY_BINDINGS, APP_BENCH: app } });
  try {
    return await measured(server);
  } finally {
    await server.stop();
  }
}

async function measured(server: Server): Promise<ServiceTimes> {
  const uids = Array.from({ length: USERS }, (_, i) => `user-${i}`);
  for (const uid of uids) {
    const body = JSON.stringify({ fcmToken: `token-of-${uid}`.padEnd(142, "x") });
    const response = await fetch(`${server.url}/v2/tokens`, { method: "POST", headers: clientHeaders(uid, uid), body });
    if (response.status !== 200) throw new Error(await response.text());
    await response.arrayBuffer();
  }
  const lookup = (size: number): LoadRequest => ({
    method: "POST",
    path: "/v3/push_tokens/lookup",
    headers: SERVER_HEADERS,
    body: JSON.stringify({ uids: uids.slice(0, size) }),
  });
  const get = (path: string): LoadRequest => ({ method: "GET", path, headers: SERVER_HEADERS });
  const kinds: Record<"none" | "one" | "all" | "read", () => LoadRequest> = {
    none: () => get("/v3/app"),
    one: () => lookup(1),
    all: () => lookup(USERS),
    read: () => get("/v3/users/user-1/push_tokens"),
  };
  const cpu: { name: string; micros: number }[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, next] of Object.entries(kinds)) {
      const { cpuPerRequest } = await measure({
        url: server.url,
        pids: [server.pid],
        connections: 4,
        seconds: SECONDS,
        next,
      });
      // The first round warms up.
      if (round > 0) cpu.push({ name, micros: cpuPerRequest ?? Number.NaN });
    }
  }
  const of = (name: keyof typeof kinds) => median(cpu.filter((each) => each.name === name).map(({ micros }) => micros));
  const perRow = (of("all") - of("one")) / (USERS - 1);
  return {
    measured: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim()}`,
    directoryCall: Math.round(of("one") - of("none") - perRow),
    directoryRow: Math.round(perRow * 10) / 10,
    userRead: Math.round(of("read") - of("none")),
  };
}

export async function keepServiceTimes(times: ServiceTimes): Promise<void> {
  await writeFile(FILE, `${JSON.stringify(times, null, 2)}\n`);
}
