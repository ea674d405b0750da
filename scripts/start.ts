// `npm start`: the Worker on this machine, with a demo app and its data kept on disk between runs. Arguments are those of
// `wrangler dev` (`npm start -- --port 9000 --persist-to DIR`). Prints what to paste to see it work.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { PROJECT } from "./lib/workerd.ts";

const require = createRequire(import.meta.url);
const wrangler = spawn(
  process.execPath,
  [
    join(dirname(require.resolve("wrangler/package.json")), "bin/wrangler.js"),
    "dev",
    "--env-file",
    "scripts/demo.env",
    "--var",
    "DEVELOPMENT:true",
    "--show-interactive-dev-session=false",
    ...process.argv.slice(2),
  ],
  {
    cwd: PROJECT,
    // Nothing here needs the network: no metrics, no fetching of a sample `request.cf`.
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" },
    // Not detached: it stays in this process group, and a signal of the terminal reaches it too.
    stdio: ["ignore", "pipe", "inherit"],
  },
);

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => wrangler.kill(signal));
wrangler.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" || signal === "SIGTERM" ? 0 : 1)));

createInterface({ input: wrangler.stdout }).on("line", (line) => {
  console.log(line);
  const url = line.match(/Ready on (https?:\/\/\S+)/)?.[1];
  if (url !== undefined)
    welcome(url).catch((error) => console.error(`The demo could not be prepared: ${error.message}`));
});

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
