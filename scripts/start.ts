// `npm start`: the Worker on this machine, with a demo app and its data kept on disk between runs. Prints what to paste to see
// it work.
import { rm } from "node:fs/promises";
import { isIP } from "node:net";
import { dirname, join, resolve } from "node:path";
import { type Local, localBindings } from "./demo.ts";
import { defineCommand, execute } from "./lib/command.ts";
import { type Certificate, localCertificate } from "./lib/local-certificate.ts";
import { choice, flag, number, text } from "./lib/options.ts";
import { lockStore } from "./lib/store-lock.ts";
import { build, PROJECT, serve } from "./lib/workerd.ts";
import { readWranglerConfig, shortPath } from "./lib/wrangler-config.ts";
import { mustBeWritable } from "./lib/writable.ts";
import { StandIn } from "./start/stand-in.ts";
import { welcome } from "./start/welcome.ts";

const PORT_MAX = 65_535;
const DEFAULT_PORT = 8787;
const PARENT_EVERY_MS = 500;
/** CometChat's. */
const REGIONS = ["us", "eu", "in"];

export const command = defineCommand({
  name: "start",
  summary:
    "Serves the registry on this machine, by http and https, with a demo app and with the apps of wrangler.toml, and prints calls " +
    "to paste. Data is kept on disk for the next run.",
  options: {
    port: number({
      help: "Where it listens. https is at the next port. With 0, both are free ones.",
      min: 0,
      max: PORT_MAX - 1,
      default: DEFAULT_PORT,
    }),
    ip: text({ help: "The address it listens on.", placeholder: "ADDRESS", default: "127.0.0.1" }),
    "persist-to": text({
      help: "Where the data is kept.",
      placeholder: "DIRECTORY",
      default: null,
      defaultSays: ".wrangler/state",
    }),
    "local-protocol": choice({
      help: "What is spoken at --port; the other one is spoken at the next port.",
      placeholder: "PROTOCOL",
      choices: ["http", "https"] as const,
      default: "http",
    }),
    cometchat: flag(
      "The demo app's users log in at CometChat, and a stand-in of CometChat answers: no account is needed.",
    ),
  },
  examples: ["", "--port 9000 --persist-to /tmp/registry", "--local-protocol https", "--cometchat"],
  notes: "Exit code 1: a port or the data is already in use, or a directory cannot be written.",
  hasJson: false,
  async run({ port, ip, "persist-to": persistTo, "local-protocol": protocol, cometchat }) {
    const data = persistTo === null ? join(PROJECT, ".wrangler/state") : resolve(persistTo);
    const next = port === 0 ? 0 : port + 1;
    const ports = protocol === "http" ? { http: port, https: next } : { http: next, https: port };
    return await serveUntilEnded({ ports, ip: ip === "localhost" ? "127.0.0.1" : ip, data, cometchat });
  },
});

interface Where {
  ports: { http: number; https: number };
  ip: string;
  data: string;
  cometchat: boolean;
}

/** Answers the exit code. */
async function serveUntilEnded({ ports, ip, data, cometchat }: Where): Promise<number> {
  await mustBeWritable(PROJECT);
  // Before the Worker is built: whoever is refused waits for nothing.
  const lock = lockStore(data, "--persist-to");
  const standIn = cometchat ? await StandIn.start() : null;
  const local = localBindings((await readWranglerConfig()).vars, cometchat ? "cometchat" : "issued");
  const bundle = await build();
  const certificate = await certificateFor(data, ip, local);
  const log = { isOpen: false };
  const signal = asked();
  const server = await serve({
    bundle,
    bindings: local.bindings,
    data,
    lock,
    ip,
    port: ports.http,
    tls: { ...certificate, port: ports.https },
    ...(standIn === null ? { fetchesPrivate: true } : { outbound: standIn.address }),
    hasAssets: true,
    onLog: (line) => {
      if (log.isOpen) console.log(line);
    },
  }).finally(() => rm(dirname(bundle), { recursive: true }));
  try {
    const paths = { data: shortPath(data), certificate: shortPath(certificate.path) };
    console.log(await welcome(server, { ip, ...paths, local, cometchatToken: standIn?.logIn("alice") }));
    log.isOpen = true;
    return await Promise.race([signal, server.ended.then(() => 1)]);
  } finally {
    await server.stop();
    await standIn?.stop();
  }
}

/** Resolves to the exit code when somebody asks this process to end, or npm, which runs it. */
function asked(): Promise<number> {
  const { promise, resolve: end } = Promise.withResolvers<number>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => end(0));
  if (process.env.npm_lifecycle_event !== undefined) {
    // npm may end without a word: between it and this process there may be a shell that hands no signal on.
    const { ppid } = process;
    setInterval(() => process.ppid !== ppid && end(0), PARENT_EVERY_MS).unref();
  }
  return promise;
}

/** For the names that SDKs build for this machine, in every region that an app has. */
function certificateFor(data: string, ip: string, { apps }: Local): Promise<Certificate> {
  const regions = new Set([...REGIONS, ...apps.map(({ region }) => region)]);
  const names = [...regions].map((region) => `push-notification-${region}.localhost`);
  const addresses = new Set(["127.0.0.1", "::1", ...(isIP(ip) === 0 ? [] : [ip])]);
  return localCertificate(join(data, "https"), ["localhost", ...names, ...addresses]);
}

// npm takes only the first `--` of `npm start -- -- --port 9000` away.
if (import.meta.main) {
  process.exitCode = await execute(
    command,
    process.argv.slice(2).filter((arg) => arg !== "--"),
    process.env,
  );
}
