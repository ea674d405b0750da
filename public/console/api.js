// The server API, as any back end calls it. The key stands in this module's memory alone: it is gone with the tab.
import { say } from "./dom.js";

let credentials = null;

/** The settings of the app and what the key may do (`GET /v3/app`); `null`: nobody has signed in. */
export let app = null;

export function mayChange() {
  return app?.key.scope === "fullAccess";
}

/** Throws, in words that say what to do, where the registry does not take the key. */
export async function signIn(appId, apiKey) {
  credentials = { appId, apikey: apiKey };
  try {
    app = await call("GET", "/v3/app");
  } catch (error) {
    credentials = null;
    throw error;
  }
}

export function signOut() {
  credentials = null;
  app = null;
}

/** `data` of the reply. */
export async function call(method, path, body) {
  const init = { method, headers: { ...credentials }, cache: "no-store", credentials: "omit" };
  if (body !== undefined) {
    init.headers["content-type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  say("Asking the registry …");
  let reply;
  let json;
  try {
    reply = await fetch(path, init);
    json = await reply.json();
  } catch {
    throw new Error("The registry does not answer. Check your connection, then try again.");
  } finally {
    say();
  }
  if (json.data !== undefined) return json.data;
  throw new Error(`${json.error?.message ?? `Status ${reply.status}.`}${adviceOn(reply)}`);
}

function adviceOn(reply) {
  const after = reply.headers.get("retry-after");
  if (reply.status === 429) return ` Wait ${after ?? "some"} seconds, then try again.`;
  if (reply.status >= 500)
    return ` Try again${after === null ? "" : ` in ${after} seconds`}. Request ${reply.headers.get("x-request-id")}.`;
  if (reply.status === 401) return " Sign in with an app id and an API key of this registry.";
  return "";
}

/** The path of a user. */
export function userPath(uid, rest = "") {
  return `/v3/users/${encodeURIComponent(uid)}${rest}`;
}
