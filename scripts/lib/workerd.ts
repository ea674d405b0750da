// Builds the Worker as a deploy does, and serves it on workerd itself with its data on disk: what the conformance suite,
// the fault tests and the benchmarks run against. (`wrangler dev` puts two proxies before the Worker.)
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, extname, join, relative } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { CommandError } from "./command.ts";
import { lockStore, type StoreLock } from "./store-lock.ts";
import { runWrangler } from "./wrangler.ts";
import { mustBeWritable } from "./writable.ts";

export const PROJECT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const require = createRequire(import.meta.url);

/**
 * Runs the bundler of `wrangler deploy` without uploading anything; answers the path of the bundle.
 * `config`: the wrangler.toml of another Worker of this repository.
 */
export async function build(config = "wrangler.toml", project = PROJECT): Promise<string> {
  await mustBeWritable(project);
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
  const { code, out, errors } = await runWrangler(args, { project });
  if (code !== 0) throw new CommandError(`wrangler ${args[0]} failed:\n${out}${errors}`);
  return out + errors;
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
  /** The lock of that directory, if it was taken before; the server takes it over. */
  lock?: StoreLock;
  /** The address it listens on; 127.0.0.1 by default. */
  ip?: string;
  /** 0, the default: any free port. */
  port?: number;
  /** PEM texts; with them the server speaks HTTPS. With a `port` of its own, it speaks HTTP too. */
  tls?: { key: string; cert: string; port?: number };
  /** `host:port` of an HTTP server that answers whatever the Worker fetches. */
  outbound?: string;
  /** Whether the Worker may fetch from this machine and its neighbours; only the public network by default. */
  fetchesPrivate?: boolean;
  /** Whether the static files of public/ are served, as on Cloudflare. */
  hasAssets?: boolean;
  /** The script of a Worker with an entrypoint `TestPush`, which is bound as `SENDER`. */
  sender?: string;
  /** Gets each line of the log. Only the last ones are then kept. */
  onLog?: (line: string) => void;
}

export interface Server {
  /** `http://127.0.0.1:<port>`, or https. */
  url: string;
  port: number;
  /** Where it speaks HTTPS beside HTTP. */
  httpsPort: number | undefined;
  pid: number;
  data: string;
  /** What the Worker wrote to its log, a line each. */
  logs: string[];
  /** Resolves when the process is gone. */
  ended: Promise<void>;
  /** Ends the process, with SIGTERM unless another signal is given, and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Bindings of the registry's Durable Object namespaces, and their classes. */
const OBJECTS = { USER_TOKENS: "UserTokens", TOKEN_OWNERS: "TokenOwners", DIRECTORY: "Directory" };

/** What is shown of the log of a server that ended unasked. */
const LOG_LINES_SHOWN = 20;

/**
 * Serves a bundle; answers when it listens.
 * @throws {CommandError} if another server uses the same data, if a port is taken, or if the data cannot be written
 */
export async function serve(options: ServeOptions): Promise<Server> {
  const directory = await mkdtemp(join(tmpdir(), "push-token-registry-serve-"));
  const data = options.data ?? join(directory, "data");
  const lock = options.lock ?? lockStore(data);
  const logs: string[] = [];
  let child: ChildProcess;
  try {
    await writeConfiguration(directory, options, data);
    child = spawn(workerdBinary(), ["serve", "config.capnp", "--experimental", "--control-fd=3"], {
      cwd: directory,
      // The last one is not read or written: whoever has it open holds the lock.
      stdio: ["ignore", "pipe", "pipe", "pipe", lock.fd],
    });
    lock.name(child.pid ?? -1);
  } finally {
    lock.close();
  }
  const onLine = (line: string) => {
    logs.push(line);
    if (options.onLog === undefined) return;
    options.onLog(line);
    logs.splice(0, logs.length - LOG_LINES_SHOWN);
  };
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on("line", onLine);
  }
  const ended = once(child, "exit").then(() => undefined);
  const { port, tls } = await listening(child, options, logs);
  let isStopping = false;
  child.once("exit", (code, signal) => {
    if (!isStopping)
      console.error(`workerd ended by itself (${signal ?? code}):\n${logs.slice(-LOG_LINES_SHOWN).join("\n")}`);
  });
  return {
    url:
      options.tls !== undefined && options.tls.port === undefined
        ? `https://127.0.0.1:${port}`
        : `http://127.0.0.1:${port}`,
    port,
    httpsPort: tls,
    pid: child.pid ?? -1,
    data,
    logs,
    ended,
    stop: async (signal = "SIGTERM") => {
      isStopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await ended;
    },
  };
}

type Ports = Partial<Record<"port" | "tls", number>>;

/** workerd says on the control descriptor where it listens: `{"event":"listen","socket":"port","port":…}`. */
async function listening(
  child: ChildProcess,
  options: ServeOptions,
  logs: string[],
): Promise<Ports & { port: number }> {
  const closed = once(child, "close");
  const ports: Ports = {};
  const awaited = options.tls?.port === undefined ? 1 : 2;
  for await (const line of createInterface({ input: child.stdio[3] as Readable })) {
    const message = JSON.parse(line);
    if (message.event === "listen") ports[message.socket as keyof Ports] = message.port;
    const { port } = ports;
    if (port !== undefined && Object.keys(ports).length === awaited) return { ...ports, port };
  }
  await closed;
  throw new CommandError(refusedPort(logs, options) ?? `workerd ended before it listened:\n${logs.join("\n")}`);
}

/** What workerd says of a port that it does not get. */
function refusedPort(logs: readonly string[], { port, tls }: ServeOptions): string | undefined {
  for (const line of logs) {
    const [, socket, why] = line.match(/Socket "(port|tls)": bind\(\): (.+?)(?: \(os error \d+\))?$/) ?? [];
    if (why === undefined) continue;
    const number = socket === "tls" ? tls?.port : port;
    if (why === "Address already in use") return `Port ${number} is already in use: choose another with --port.`;
    return `Port ${number} cannot be listened on (${why}): choose another with --port or --ip.`;
  }
  return undefined;
}

function workerdBinary(): string {
  const name = `@cloudflare/workerd-${process.platform}-${process.arch === "x64" ? "64" : process.arch}`;
  return join(dirname(require.resolve(`${name}/package.json`)), "bin", "workerd");
}

/** Types of the static files, as Cloudflare's assets answer them. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

/** Writes what workerd reads, and what it embeds, into a directory of its own. */
async function writeConfiguration(directory: string, options: ServeOptions, data: string): Promise<void> {
  await copyFile(options.bundle, join(directory, "index.js"));
  const assets = options.hasAssets === true ? await writeAssets(directory) : "";
  if (options.sender !== undefined) await writeFile(join(directory, "sender.js"), options.sender);
  await writeFile(join(directory, "config.capnp"), await configuration(options, data, assets));
}

/** Copies the static files, and writes the Worker that serves them; answers its service. */
async function writeAssets(directory: string): Promise<string> {
  const entries = await readdir(join(PROJECT, "public"), { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => ({ path: join(entry.parentPath, entry.name), type: CONTENT_TYPES[extname(entry.name)] ?? "" }));
  for (const [i, { path }] of files.entries()) await copyFile(path, join(directory, `asset${i}`));
  const served = files.map(({ path, type }, i) => {
    const name = relative(join(PROJECT, "public"), path).replaceAll("\\", "/");
    return `${quote(`/${name}`)}: [asset${i}, ${quote(type)}]`;
  });
  const script = `${files.map((_, i) => `import asset${i} from "asset${i}";`).join("\n")}
const files = { ${served.join(", ")} };
export default {
  fetch({ url }) {
    const [text, type] = files[new URL(url).pathname] ?? [];
    return text === undefined ? new Response(null, { status: 404 }) : new Response(text, { headers: { "content-type": type } });
  },
};`;
  await writeFile(join(directory, "assets.js"), script);
  const modules = files.map((_, i) => `(name = "asset${i}", text = embed "asset${i}")`);
  modules.unshift('(name = "assets.js", esModule = embed "assets.js")');
  return `(name = "assets", worker = (compatibilityDate = "2026-09-30", modules = [${modules.join(", ")}])),`;
}

const SENDER_SERVICE =
  '(name = "sender", worker = (compatibilityDate = "2026-09-30", modules = [(name = "sender.js", esModule = embed "sender.js")])),';

async function configuration(options: ServeOptions, data: string, assets: string): Promise<string> {
  const wrangler = await readFile(join(PROJECT, "wrangler.toml"), "utf8");
  const compatibilityDate = wrangler.match(/^compatibility_date = "(.+)"$/m)?.[1];
  if (compatibilityDate === undefined) throw new Error("wrangler.toml has no compatibility_date");
  const bindings = Object.entries(options.bindings).map(([name, value]) =>
    typeof value === "string"
      ? `(name = ${quote(name)}, text = ${quote(value)})`
      : `(name = ${quote(name)}, json = ${quote(JSON.stringify(value))})`,
  );
  const objects = Object.entries(options.objects ?? OBJECTS);
  const namespaces = objects.map(
    ([, className]) => `(className = ${quote(className)}, uniqueKey = ${quote(className)}, enableSql = true)`,
  );
  bindings.push(
    ...objects.map(([name, className]) => `(name = ${quote(name)}, durableObjectNamespace = ${quote(className)})`),
  );
  if (assets !== "") bindings.push('(name = "ASSETS", service = "assets")');
  if (options.sender !== undefined) {
    bindings.push('(name = "SENDER", service = (name = "sender", entrypoint = "TestPush"))');
  }
  return `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    ${internet(options)}
    ${assets}
    ${options.sender === undefined ? "" : SENDER_SERVICE}
    (name = "disk", disk = (path = ${quote(data)}, writable = true)),
  ],
  sockets = [${sockets(options).join(", ")}],
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

/** Where the Worker's own fetches go. */
function internet({ outbound, fetchesPrivate = false }: ServeOptions): string {
  if (outbound !== undefined) return `(name = "internet", external = (address = ${quote(outbound)}, http = ())),`;
  if (!fetchesPrivate) return "";
  return '(name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),';
}

function sockets({ ip = "127.0.0.1", port = 0, tls }: ServeOptions): string[] {
  const address = (of: number) => quote(`${ip.includes(":") ? `[${ip}]` : ip}:${of}`);
  const http = `(name = "port", address = ${address(port)}, http = (), service = "main")`;
  if (tls === undefined) return [http];
  const pair = `(tlsOptions = (keypair = (privateKey = ${quote(tls.key)}, certificateChain = ${quote(tls.cert)})))`;
  const https = (name: string, of: number) =>
    `(name = "${name}", address = ${address(of)}, https = ${pair}, service = "main")`;
  return tls.port === undefined ? [https("port", port)] : [http, https("tls", tls.port)];
}

/** Cap'n Proto's text literals have JSON's escapes. */
function quote(value: string): string {
  return JSON.stringify(value);
}
