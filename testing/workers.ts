// The Workers as Miniflare takes them: the registry, the hand on its clock, and those beside it.
import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative } from "node:path";
import { type MiniflareOptions, Response } from "miniflare";
import type { Clock } from "./data.ts";
import type { WorkerBeside } from "./types.ts";

/** As in wrangler.toml. */
export const COMPATIBILITY_DATE = "2026-09-30";

export const REGISTRY = { worker: "registry", clock: "registry-clock" } as const;

export interface Files {
  /** The bundle that a deploy uploads. */
  bundle: string;
  /** The directory of the static files. */
  statics: string;
}

export interface Served {
  app: { appId: string };
  secrets: object;
  workers: Readonly<Record<string, WorkerBeside>>;
  onLog(line: string): void;
}

export interface Start {
  port: number;
  /** Where the data is. */
  directory: string;
  clock: Clock;
}

type Binding = { type: string; [field: string]: unknown };

const OBJECTS = { USER_TOKENS: "UserTokens", TOKEN_OWNERS: "TokenOwners", DIRECTORY: "Directory" };

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

const CLOCK_WORKER = "export default { fetch: (request, env) => env.CLOCK.fetch(request) };";

/** What is the same at every start of these Workers; then the options of one. */
export async function optionsOf(files: Files, { app, secrets, workers, onLog }: Served) {
  const modules = {
    "main.js": await inside("main.js"),
    "time.js": await inside("time.js"),
    "registry.js": await readFile(files.bundle, "utf8"),
  };
  const assets = await staticsOf(files.statics);
  const sender = Object.entries(workers).find(([, { testPush }]) => testPush !== undefined);
  const beside = Object.entries(workers).map(([name, worker]) => besideOf(name, worker, app.appId));
  return ({ port, directory, clock }: Start): MiniflareOptions =>
    ({
      host: "127.0.0.1",
      port,
      cf: false,
      telemetry: { enabled: false },
      resourcePersistencePath: directory,
      handleStructuredLogs: ({ message }: { message: string }) => onLog(message),
      workers: [
        {
          config: {
            name: REGISTRY.worker,
            compatibilityDate: COMPATIBILITY_DATE,
            manifest: esModules(modules),
            exports: Object.fromEntries(
              Object.values(OBJECTS).map((name) => [name, { type: "durable-object", storage: "sqlite" }]),
            ),
            env: {
              ...bindingsOf({ DEVELOPMENT: "true", APP_TESTING: app, SECRETS_TESTING: secrets, TEST_CLOCK: clock }),
              ...objectBindings(),
              ASSETS: { type: "fetcher", handler: assets },
              ...(sender === undefined ? {} : { SENDER: senderOf(sender, app.appId) }),
            },
          },
        },
        {
          config: {
            name: REGISTRY.clock,
            compatibilityDate: COMPATIBILITY_DATE,
            manifest: esModules({ "main.js": CLOCK_WORKER }),
            env: { CLOCK: { type: "worker", worker: REGISTRY.worker, exportName: "Clock" } },
          },
        },
        ...beside,
      ],
    }) as MiniflareOptions;
}

function besideOf(name: string, { script, bindings = {}, pushTokens }: WorkerBeside, appId: string) {
  const binding = { type: "worker", worker: REGISTRY.worker, exportName: "PushTokens", props: { appId } };
  return {
    config: {
      name,
      compatibilityDate: COMPATIBILITY_DATE,
      manifest: esModules({ "main.js": script }),
      env: { ...bindingsOf(bindings), ...(pushTokens === undefined ? {} : { [pushTokens]: binding }) },
    },
  };
}

function senderOf([worker, { testPush }]: [string, WorkerBeside], appId: string): Binding {
  return { type: "worker", worker, exportName: testPush, props: { appId } };
}

function esModules(sources: Record<string, string>) {
  const modules = Object.entries(sources).map(([name, contents]) => [name, { type: "esm", contents }]);
  return { mainModule: "main.js", modules: Object.fromEntries(modules) };
}

function bindingsOf(values: Readonly<Record<string, string | object>>): Record<string, Binding> {
  const typed = Object.entries(values).map(([name, value]): [string, Binding] => [
    name,
    { type: typeof value === "string" ? "text" : "json", value },
  ]);
  return Object.fromEntries(typed);
}

function objectBindings(): Record<string, Binding> {
  const typed = Object.entries(OBJECTS).map(([name, exportName]): [string, Binding] => [
    name,
    { type: "durable-object", worker: REGISTRY.worker, exportName },
  ]);
  return Object.fromEntries(typed);
}

/** What stands in this module's folder for workerd. */
function inside(name: string): Promise<string> {
  return readFile(join(import.meta.dirname, "inside", name), "utf8");
}

/** The static files, as Cloudflare's assets answer them. */
async function staticsOf(directory: string): Promise<(request: { url: string }) => Promise<Response>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files = new Map(paths.map((path) => [`/${relative(directory, path).replaceAll("\\", "/")}`, path]));
  return async ({ url }) => {
    const file = files.get(new URL(url).pathname);
    if (file === undefined) return new Response(null, { status: 404 });
    return new Response(await readFile(file), { headers: { "Content-Type": TYPES[extname(file)] ?? "" } });
  };
}
