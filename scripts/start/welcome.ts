// What `npm start` prints once it serves: where, as whom, and what to paste.
import { DEMO_APP, DEMO_KEYS, type Local } from "../demo.ts";
import type { Server } from "../lib/workerd.ts";

export interface Surroundings {
  /** The address that it listens on. */
  ip: string;
  /** Paths, as people type them. */
  data: string;
  certificate: string;
  local: Local;
  /** An auth token of alice's, where users log in at CometChat. */
  cometchatToken?: string | undefined;
}

/** The text, with an auth token of alice that was minted for it. */
export async function welcome(server: Server, surroundings: Surroundings): Promise<string> {
  const { ip, data, certificate, local, cometchatToken } = surroundings;
  const url = `http://${nameOf(ip)}:${server.port}`;
  const sdkHost = `push-notification-${DEMO_APP.region}.localhost:${server.httpsPort}`;
  const sdk = sdkLines(sdkHost, cometchatToken);
  return `
The push token registry serves ${url} and https://${nameOf(ip)}:${server.httpsPort}
Reference of the API: ${url}/reference
Console: ${url}/console/, app ${DEMO_APP.appId}, key ${DEMO_KEYS.fullAccess}; npm run demo-data makes users to look at.
Data: ${data}. Stop with Ctrl-C.

App ${DEMO_APP.appId}, region ${DEMO_APP.region}. Its API keys work here only:
${Object.entries(DEMO_KEYS)
  .map(([scope, key]) => `  ${key.padEnd(16)} ${scope}`)
  .join("\n")}
${ownApps(local)}
Paste: alice's phone registers, a sender sees it, she lists her tokens, and deletes this login's.

${calls(url, cometchatToken ?? (await authToken(server, ip)))}

The JavaScript SDK in a page. Open https://${sdkHost}/health in that browser once, and accept
the certificate:

${sdk}

The same in Node:

${nodeLines(sdk, certificate)}
`;
}

/** A host that stands for this machine where the server listens on all addresses. */
function nameOf(ip: string): string {
  if (["127.0.0.1", "0.0.0.0", "::", "::1"].includes(ip)) return "localhost";
  return ip.includes(":") ? `[${ip}]` : ip;
}

/** Where this very process reaches the server. */
function reachable(ip: string): string {
  if (ip === "0.0.0.0") return "127.0.0.1";
  if (ip === "::") return "[::1]";
  return ip.includes(":") ? `[${ip}]` : ip;
}

function ownApps({ apps, problems }: Local): string {
  const lines = apps.map(({ name, appId }) => `App ${appId}, of [vars.${name}], with the same API keys.`);
  const wrong = problems.map((problem) => `WRONG in wrangler.toml: ${problem}`);
  const all = [...lines, ...wrong].map((line) => `${line}\n`).join("");
  return all === "" ? "" : `\n${all}`;
}

async function authToken(server: Server, ip: string): Promise<string> {
  const response = await fetch(`http://${reachable(ip)}:${server.port}/v3/users/alice/auth_tokens`, {
    method: "POST",
    headers: { appId: DEMO_APP.appId, apikey: DEMO_KEYS.authOnly },
  });
  if (!response.ok) throw new Error(`the demo app answers ${response.status} ${await response.text()}`);
  const { data } = (await response.json()) as { data: { authToken: string } };
  return data.authToken;
}

function calls(url: string, token: string): string {
  const alice = `-H 'appId: ${DEMO_APP.appId}' -H "authToken: $AUTH_TOKEN"`;
  const sender = `-H 'appId: ${DEMO_APP.appId}' -H 'apikey: ${DEMO_KEYS.sender}'`;
  return `  URL=${url}
  AUTH_TOKEN=${token}
  curl -X POST $URL/v2/tokens ${alice} -d '{"fcmToken":"demo-fcm-token"}'
  curl $URL/v3/users/alice/push_tokens ${sender}
  curl $URL/v2/tokens ${alice}
  curl -X DELETE $URL/v2/tokens ${alice}`;
}

/** They register, list, and log out, which takes the token away. With CometChat's auth token, one host is overridden. */
function sdkLines(host: string, cometchatToken: string | undefined): string {
  const admin = cometchatToken === undefined ? '.overrideAdminHost(HOST + "/v3.0")' : "";
  const login = cometchatToken === undefined ? `"alice", "${DEMO_KEYS.authOnly}"` : `"${cometchatToken}"`;
  return `  const HOST = "${host}";
  await CometChat.init("${DEMO_APP.appId}", new CometChat.AppSettingsBuilder().setRegion("${DEMO_APP.region}")
    .overrideClientHost(HOST + "/v3.0")${admin}
    .autoEstablishSocketConnection(false).build());
  await CometChat.login(${login});
  await CometChat.callExtension("push-notification", "POST", "v2/tokens", { fcmToken: "demo-web-token" });
  console.log(await CometChat.callExtension("push-notification", "GET", "v2/tokens", null));
  await CometChat.logout();`;
}

/** Not indented: a shell looks for the last line as it stands. */
function nodeLines(lines: string, certificate: string): string {
  return `NODE_EXTRA_CA_CERTS=${certificate} npx node --import ./examples/sdk-in-node.mjs --input-type=module <<'END'
  import sdk from "@cometchat/chat-sdk-javascript";
  const { CometChat } = sdk;
${lines}
  process.exit();
END`;
}
