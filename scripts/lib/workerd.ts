// Builds the Worker as a deploy does, and serves it on workerd itself with its data on disk: what the conformance suite,
// the fault tests and the benchmarks run against. (`wrangler dev` puts two proxies before the Worker.)
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

export const PROJECT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const require = createRequire(import.meta.url);

/**
 * Runs the bundler of `wrangler deploy` without uploading anything; answers the path of the bundle.
 * `config`: the wrangler.toml of another Worker of this repository.
 */
export async function build(config = "wrangler.toml", project = PROJECT): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "push-token-registry-build-"));
  await wranglerIn(project, "deploy", "--dry-run", "--config", config, "--outdir", directory);
  const script = (await readdir(directory)).find((file) => file.endsWith(".js"));
  if (script === undefined) throw new Error(`the build wrote no script into ${directory}`);
  return join(directory, script);
}

/** Runs a command of wrangler in this project; answers what it printed. */
export function wrangler(...args: string[]): Promise<string> {
  return wranglerIn(PROJECT, ...args);
}

async function wranglerIn(project: string, ...args: string[]): Promise<string> {
  const script = join(dirname(require.resolve("wrangler/package.json")), "bin/wrangler.js");
  const child = spawn(process.execPath, [script, ...args], {
    cwd: project,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await once(child, "exit");
  const printed = (await output).join("");
  if (code !== 0) throw new Error(`wrangler ${args[0]} failed:\n${printed}`);
  return printed;
}

async function text(stream: Readable): Promise<string> {
  let all = "";
  for await (const chunk of stream) all += chunk;
  return all;
}

export interface ServeOptions {
  /** What {@link build} answered. */
  bundle: string;
  /** Vars and secrets; objects become JSON bindings, as tables of wrangler.toml do. */
  bindings: Record<string, string | object>;
  /** Bindings of Durable Object namespaces, by the name of the binding; those of the registry by default. */
  objects?: Record<string, string>;
  /** Where the objects' SQLite files are kept; a new temporary directory by default. */
  data?: string;
  /** 0, the default: any free port. */
  port?: number;
  /** PEM texts; with them the server speaks HTTPS. */
  tls?: { key: string; cert: string };
  /** `host:port` of an HTTP server that answers whatever the Worker fetches; by default it may fetch nothing private. */
  outbound?: string;
}

export interface Server {
  /** `http://127.0.0.1:<port>`, or https. */
  url: string;
  port: number;
  pid: number;
  data: string;
  /** What the Worker wrote to its log, a line each. */
  logs: string[];
  /** Ends the process, with SIGTERM unless another signal is given, and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** What is shown of the log of a server that ended unasked. */
const LOG_LINES_SHOWN = 20;

/** Serves a bundle; answers when it listens. */
export async function serve(options: ServeOptions): Promise<Server> {
  const directory = await mkdtemp(join(tmpdir(), "push-token-registry-serve-"));
  const data = options.data ?? join(directory, "data");
  await mkdir(data, { recursive: true });
  await copyFile(options.bundle, join(directory, "index.js"));
  await writeFile(join(directory, "config.capnp"), await configuration(options, data));

  const child = spawn(workerdBinary(), ["serve", "config.capnp", "--experimental", "--control-fd=3"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const logs: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on("line", (line) => logs.push(line));
  }
  const port = await listening(child, logs);
  let isStopping = false;
  child.once("exit", (code, signal) => {
    if (!isStopping)
      console.error(`workerd ended by itself (${signal ?? code}):\n${logs.slice(-LOG_LINES_SHOWN).join("\n")}`);
  });
  return {
    url: `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    port,
    pid: child.pid ?? -1,
    data,
    logs,
    stop: async (signal = "SIGTERM") => {
      isStopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill(signal);
      await exited;
    },
  };
}

/** workerd says on the control descriptor where it listens: `{"event":"listen","socket":"http","port":…}`. */
async function listening(child: ChildProcess, logs: string[]): Promise<number> {
  const control = createInterface({ input: child.stdio[3] as Readable });
  for await (const line of control) {
    const message = JSON.parse(line);
    if (message.event === "listen") return message.port;
  }
  throw new Error(`workerd ended before it listened:\n${logs.join("\n")}`);
}

function workerdBinary(): string {
  const name = `@cloudflare/workerd-${process.platform}-${process.arch === "x64" ? "64" : process.arch}`;
  return join(dirname(require.resolve(`${name}/package.json`)), "bin", "workerd");
}

async function configuration(options: ServeOptions, data: string): Promise<string> {
  const wrangler = await readFile(join(PROJECT, "wrangler.toml"), "utf8");
  const compatibilityDate = wrangler.match(/^compatibility_date = "(.+)"$/m)?.[1];
  if (compatibilityDate === undefined) throw new Error("wrangler.toml has no compatibility_date");
  const bindings = Object.entries(options.bindings).map(([name, value]) =>
    typeof value === "string"
      ? `(name = ${quote(name)}, text = ${quote(value)})`
      : `(name = ${quote(name)}, json = ${quote(JSON.stringify(value))})`,
  );
  const objects = Object.entries(options.objects ?? { USER_TOKENS: "UserTokens", TOKEN_OWNERS: "TokenOwners" });
  const namespaces = objects.map(
    ([, className]) => `(className = ${quote(className)}, uniqueKey = ${quote(className)}, enableSql = true)`,
  );
  bindings.push(
    ...objects.map(([name, className]) => `(name = ${quote(name)}, durableObjectNamespace = ${quote(className)})`),
  );
  const address = quote(`127.0.0.1:${options.port ?? 0}`);
  const { tls, outbound } = options;
  const socket =
    tls === undefined
      ? "http = ()"
      : `https = (tlsOptions = (keypair = (privateKey = ${quote(tls.key)}, certificateChain = ${quote(tls.cert)})))`;
  const outboundService =
    outbound === undefined ? "" : `(name = "internet", external = (address = ${quote(outbound)}, http = ())),`;
  return `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    ${outboundService}
    (name = "disk", disk = (path = ${quote(data)}, writable = true)),
  ],
  sockets = [(name = "http", address = ${address}, ${socket}, service = "main")],
);
const worker :Workerd.Worker = (
  compatibilityDate = ${quote(compatibilityDate)},
  modules = [(name = "index.js", esModule = embed "index.js")],
  durableObjectNamespaces = [
    ${namespaces.join(",\n    ")}
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    ${bindings.join(",\n    ")}
  ],
);
`;
}

/** Cap'n Proto's text literals have JSON's escapes. */
function quote(value: string): string {
  return JSON.stringify(value);
}
