// `npm start`: the app's own back end. It serves the pages, and logs users in. The defaults are those of the registry's own
// `npm start`.
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";

const {
  PORT = "3000",
  REGISTRY_URL = "http://localhost:8787",
  REGISTRY_APP_ID = "demo",
  REGISTRY_API_KEY = "demo-auth-key",
  FIREBASE_CONFIG = "null",
  FIREBASE_VAPID_KEY = "",
} = process.env;

const PAGES = join(import.meta.dirname, "public");
const TYPES: Readonly<Record<string, string>> = { ".html": "text/html; charset=utf-8", ".js": "text/javascript" };

/** What the pages need to know. No key is among it. */
const CONFIG = {
  registry: REGISTRY_URL,
  appId: REGISTRY_APP_ID,
  firebase: JSON.parse(FIREBASE_CONFIG),
  vapidKey: FIREBASE_VAPID_KEY,
};

/** The registry's client. An app with a bundler has this file among its sources. */
async function readClient(): Promise<string> {
  const response = await fetch(`${REGISTRY_URL}/client.js`).catch(() => null);
  if (response?.ok !== true) throw new Error(`The registry at ${REGISTRY_URL} does not answer: start it first.`);
  return await response.text();
}

/** An auth token of a new session. The key that mints it never leaves this back end. */
async function mint(uid: string): Promise<Response> {
  return await fetch(`${REGISTRY_URL}/v3/users/${encodeURIComponent(uid)}/auth_tokens`, {
    method: "POST",
    headers: { appId: REGISTRY_APP_ID, apikey: REGISTRY_API_KEY, "Content-Type": "application/json" },
    body: "{}",
  });
}

async function logIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { uid } = JSON.parse(body);
  // Your app checks a password here.
  const reply = await mint(String(uid));
  const { data, error } = (await reply.json()) as { data?: { authToken: string }; error?: { message: string } };
  response.writeHead(reply.status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(data === undefined ? { message: error?.message } : { uid, authToken: data.authToken }));
}

async function page(path: string): Promise<{ type: string; body: string | Buffer }> {
  const type = TYPES[extname(path)] ?? "text/html; charset=utf-8";
  if (path === "/client.js") return { type, body: client };
  if (path === "/config.js") return { type, body: `export default ${JSON.stringify(CONFIG)};` };
  const name = path === "/" ? "index.html" : path.slice(1);
  if (!/^[\w-]+\.(html|js)$/.test(name)) throw new Error("no such page");
  return { type, body: await readFile(join(PAGES, name)) };
}

const client = await readClient();
const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  try {
    if (request.method === "POST" && pathname === "/login") return await logIn(request, response);
    const { type, body } = await page(pathname);
    response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-cache" }).end(body);
  } catch {
    response.writeHead(pathname === "/login" ? 502 : 404, { "Content-Type": "application/json" }).end("{}");
  }
});
server.listen(Number(PORT), "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  const fcm = CONFIG.firebase === null ? "a fake of FCM" : "FCM";
  console.log(`The app is at http://localhost:${port}, with ${fcm}. Its registry is at ${REGISTRY_URL}.`);
});
