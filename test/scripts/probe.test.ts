// `npm run probe`: it measures, and leaves nobody behind, however it ends.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, inject, it, onTestFinished } from "vitest";
import { Connections, LoadClient, loadApp } from "../../scripts/lib/load.ts";
import { Output } from "../../scripts/lib/output.ts";
import { PROJECT, serve } from "../../scripts/lib/workerd.ts";
import { nameOf, runNamed } from "../../scripts/probe/people.ts";
import { planOf } from "../../scripts/probe/plan.ts";
import { probe } from "../../scripts/probe.ts";
import { serveFetch } from "../support/node/fetch-server.ts";

const SETTINGS = { calls: 5, sizes: [1, 20], atOnce: [2], seconds: 60 };

async function startRegistry(settings = {}) {
  const app = loadApp(settings);
  const server = await serve({ bundle: inject("bundle"), bindings: app.bindings });
  const connections = new Connections(server.port);
  onTestFinished(async () => {
    connections.close();
    await server.stop();
  });
  const client = new LoadClient(app, connections);
  const users = async () =>
    JSON.parse((await client.asServer("GET", "/v3/push_tokens/counts")).text).data.users as number;
  const values = { url: server.url, "app-id": app.appId, "api-key": app.keys.fullAccess };
  return { values, client, users, keys: app.keys };
}

/** What it said on the way. */
function silent(): { output: Output; said: () => string } {
  let said = "";
  const sink = { write: (line: string) => (said += line) };
  return { output: new Output(true, { out: sink, progress: sink }), said: () => said };
}

const going = () => new AbortController().signal;

describe("npm run probe", () => {
  it("measures each operation, says beforehand what it does, and erases its users", async ({ expect }) => {
    const { values, client, users } = await startRegistry();
    const { output, said } = silent();
    const timings = await probe(values, SETTINGS, output, going());
    expect(timings.map(({ operation, atOnce, calls, failures }) => [operation, atOnce, calls, failures])).toEqual([
      ["auth token", 1, 5, 0],
      ["first registration of a user", 1, 5, 0],
      ["unchanged registration", 1, 5, 0],
      ["unchanged registration", 2, 5, 0],
      ["list", 1, 5, 0],
      ["rotation", 1, 5, 0],
      ["logout", 1, 5, 0],
      ["read by a sender", 1, 5, 0],
      ["lookup of 1", 1, 5, 0],
      ["lookup of 20", 1, 5, 0],
      ["lookup of 20", 2, 5, 0],
    ]);
    expect(timings.every(({ p50, p99, perSecond }) => p50 > 0 && p99 >= p50 && perSecond > 0)).toBe(true);
    expect(timings).toHaveLength(planOf(SETTINGS, true).measurements);
    expect(said()).toMatch(
      /a probe makes 25 users, of whom 5 log in[\s\S]*At most \d+ requests, [\s\S]*--clean \w{8}-5-20/,
    );
    expect(await users()).toBe(0);
    const [, run = ""] = /--clean (\S+)/.exec(said()) ?? [];
    const { id } = runNamed(run);
    for (const uid of [`registry-probe-${id}-c0`, `registry-probe-${id}-s0`]) {
      const { registrations } = JSON.parse((await client.asServer("GET", `/v3/users/${uid}/export`)).text).data;
      expect(registrations).toEqual([]);
    }
  });

  /** A way to the registry, until the end of the test: lookups are answered by `lookup`. Its address. */
  async function throughWay(url: string, lookup: () => Promise<Response>, onImport = async () => {}): Promise<string> {
    const way = await serveFetch(async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/v3/push_tokens/lookup") return lookup();
      const body = request.method === "GET" ? {} : { body: await request.text() };
      const reply = await fetch(url + pathname, { method: request.method, headers: request.headers, ...body });
      if (pathname === "/v3/push_tokens/import") await onImport();
      return new Response(await reply.text(), { status: reply.status });
    });
    onTestFinished(() => way.stop());
    return `http://${way.address}`;
  }

  const failed = async () => Response.json({ error: { code: "ERR" } }, { status: 503 });

  it("erases its users when most calls fail, and says so", async ({ expect }) => {
    const { values, users } = await startRegistry();
    let imported = 0;
    const url = await throughWay(values.url, failed, async () => {
      imported = await users();
    });
    const { output } = silent();
    const probed = probe({ ...values, url }, SETTINGS, output, going());
    await expect(probed).rejects.toThrow(
      "lookup of 1: most calls fail. The first: POST /v3/push_tokens/lookup was answered 503",
    );
    expect(imported).toBe(20);
    expect(await users()).toBe(0);
  });

  it("erases its users after Ctrl-C", async ({ expect }) => {
    const { values, users } = await startRegistry();
    // It comes no further than to its first lookup.
    const held = Promise.withResolvers<void>();
    let lookups = 0;
    const url = await throughWay(values.url, () => {
      lookups += 1;
      return held.promise.then(failed);
    });
    const args = [url, "--app-id", values["app-id"], "--calls", "5", "--sizes", "20"];
    const child = spawn(process.execPath, [join(PROJECT, "scripts/probe.ts"), ...args], {
      env: { ...process.env, REGISTRY_API_KEY: values["api-key"] },
    });
    let errors = "";
    child.stderr.on("data", (chunk) => {
      errors += chunk;
    });
    const ended = once(child, "close");
    while (lookups === 0) await sleep(20);
    expect(await users()).toBeGreaterThan(0);
    child.kill("SIGINT");
    held.resolve();
    expect((await ended)[0]).toBe(1);
    expect(errors).toContain("All users of the probe are erased.\nStopped.");
    expect(await users()).toBe(0);
  });

  it("erases the users of a run that was killed, by its name", async ({ expect }) => {
    const { values, client, users } = await startRegistry();
    const run = { id: "0123abcd", clients: 1, shown: 1 };
    for (const uid of ["registry-probe-0123abcd-c0", "registry-probe-0123abcd-s0", "somebody"]) {
      await client.asClient(await client.login(uid), "POST", "/v2/tokens", { fcmToken: `token-of-${uid}` });
    }
    const args = ["--clean", nameOf(run), "--url", values.url, "--app-id", values["app-id"]];
    const child = spawn(process.execPath, [join(PROJECT, "scripts/probe.ts"), ...args], {
      env: { ...process.env, REGISTRY_API_KEY: values["api-key"] },
    });
    expect((await once(child, "close"))[0]).toBe(0);
    expect(await users()).toBe(1);
    expect(() => runNamed("0123abcd-99999-99999")).toThrow("--clean must be the name");
    expect(() => runNamed("anna")).toThrow("--clean must be the name");
  });

  it("makes nobody with a key that may not erase, and only reads where nobody can log in", async ({ expect }) => {
    const { values, keys, users } = await startRegistry();
    const { output } = silent();
    const refused = probe({ ...values, "api-key": keys.sender }, SETTINGS, output, going());
    await expect(refused).rejects.toThrow("the API key must have the scope fullAccess");
    expect(await users()).toBe(0);

    const jwt = {
      algorithms: ["RS256"],
      issuer: "https://login.acme.example",
      audience: "push-registry",
      jwksUrl: "https://login.acme.example/jwks.json",
      sessionClaim: "sid",
      maximumSessionDays: 90,
    };
    const elsewhere = await startRegistry({ identity: "jwt", jwt });
    const timings = await probe(elsewhere.values, SETTINGS, output, going());
    expect(timings[0]?.operation).toBe("read by a sender");
    expect(timings).toHaveLength(planOf(SETTINGS, false).measurements);
    expect(await elsewhere.users()).toBe(0);
  });
});
