// `npm start`: the Worker on this machine, with a demo app and its data kept on disk between runs. Prints what to paste to see
// it work.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { defineCommand, main } from "./lib/command.ts";
import { number, text } from "./lib/options.ts";
import { PROJECT } from "./lib/workerd.ts";

const require = createRequire(import.meta.url);

const PORT_MAX = 65_535;

export const command = defineCommand({
  name: "start",
  summary:
    "Serves the registry on this machine, with a demo app, and prints calls to paste. Data is kept on disk for the next run.",
  options: {
    port: number({
      help: "Where it listens.",
      min: 0,
      max: PORT_MAX,
      default: null,
      defaultSays: "8787, or a free one",
    }),
    ip: text({ help: "The address it listens on.", placeholder: "ADDRESS", default: null, defaultSays: "localhost" }),
    "persist-to": text({
      help: "Where the data is kept.",
      placeholder: "DIRECTORY",
      default: null,
      defaultSays: ".wrangler/state",
    }),
  },
  operands: {
    placeholder: "-- WRANGLER-OPTIONS",
    help: "More options of `wrangler dev`, behind another `--`.",
    min: 0,
    max: Number.POSITIVE_INFINITY,
  },
  examples: ["", "--port 9000 --persist-to /tmp/registry", "--port 9000 -- --local-protocol https"],
  hasJson: false,
  async run({ port, ip, "persist-to": persistTo }, { operands }) {
    const options = [
      ...(port === null ? [] : ["--port", String(port)]),
      ...(ip === null ? [] : ["--ip", ip]),
      ...(persistTo === null ? [] : ["--persist-to", persistTo]),
    ];
    return await serveDemo([...options, ...operands]);
  },
});

/** Runs `wrangler dev` until it ends; answers its exit code. */
async function serveDemo(options: readonly string[]): Promise<number> {
  const script = join(dirname(require.resolve("wrangler/package.json")), "bin/wrangler.js");
  const demo = ["--env-file", "scripts/demo.env", "--var", "DEVELOPMENT:true", "--show-interactive-dev-session=false"];
  const wrangler = spawn(process.execPath, [script, "dev", ...demo, ...options], {
    cwd: PROJECT,
    // Nothing here needs the network: no metrics, no fetching of a sample `request.cf`.
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" },
    // Not detached: it stays in this process group, and a signal of the terminal reaches it too.
    stdio: ["ignore", "pipe", "inherit"],
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => wrangler.kill(signal));
  createInterface({ input: wrangler.stdout }).on("line", (line) => {
    console.log(line);
    const url = line.match(/Ready on (https?:\/\/\S+)/)?.[1];
    if (url !== undefined)
      welcome(url).catch((error) => console.error(`The demo could not be prepared: ${error.message}`));
  });
  const [code, signal] = await once(wrangler, "exit");
  return code ?? (signal === "SIGINT" || signal === "SIGTERM" ? 0 : 1);
}

async function welcome(url: string): Promise<void> {
  const response = await fetch(`${url}/v3/users/alice/auth_tokens`, {
    method: "POST",
    headers: { appId: "demo", apikey: "demo-auth-key" },
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  const { data } = (await response.json()) as { data: { authToken: string } };
  const client = `-H 'appId: demo' -H "authToken: $AUTH_TOKEN"`;
  console.log(`
The push token registry is at ${url}

A demo app is ready: appId demo, region us. Its API keys are demo-server-key (fullAccess), demo-sender-key (sender) and
demo-auth-key (authOnly). They work here only. A fresh auth token of the user alice:

  AUTH_TOKEN='${data.authToken}'

Register a push token as her phone does, list her tokens, and delete the token of this session:

  curl -X POST ${url}/v2/tokens ${client} -H 'Content-Type: application/json' -d '{"fcmToken":"demo-fcm-token"}'
  curl ${url}/v2/tokens ${client}
  curl -X DELETE ${url}/v2/tokens ${client} -H 'Content-Type: application/json' -d '{"all":false}'

What a sender sees, whatever device she uses:

  curl ${url}/v3/users/alice/push_tokens -H 'appId: demo' -H 'apikey: demo-sender-key'

Stop with Ctrl-C; data is kept for the next run.
`);
}

if (import.meta.main) await main(command);
