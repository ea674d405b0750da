// The server API, as any back end calls it. The key stands in this module's memory alone: it is gone with the tab. Who came by Cloudflare
// Access needs none: the same calls stand below /console/api.
import { say } from "./dom.js";

let credentials = null;

/** Whether Cloudflare Access vouches for the reader. */
export let isByAccess = false;

/** The settings of the app and what the key may do (`GET /v3/app`); `null`: nobody has signed in. */
export let app = null;

export function mayChange() {
  return app?.key.scope === "fullAccess";
}

/** Throws, in words that say what to do, where the registry does not take the key. */
export async function signIn(appId, apiKey) {
  isByAccess = false;
  credentials = { appId, apikey: apiKey };
  try {
    app = await call("GET", "/v3/app");
  } catch (error) {
    credentials = null;
    throw error;
  }
}

/**
 * Whether the reader may look by Cloudflare Access; `appId`: one of several apps. Throws where the deployment has that way and it does
 * not let the reader in.
 */
export async function enterByAccess(appId) {
  const before = credentials;
  isByAccess = true;
  try {
    if (appId === undefined && !(await send("GET", "/console/access")).open) {
      isByAccess = false;
      return false;
    }
    credentials = appId === undefined ? {} : { appId };
    app = await call("GET", "/v3/app");
    return true;
  } catch (error) {
    credentials = before;
    isByAccess = app !== null;
    throw error;
  }
}

export function signOut() {
  credentials = null;
  app = null;
}

/** `data` of the reply. */
export function call(method, path, body) {
  return send(method, isByAccess ? `/console/api${path}` : path, body);
}

async function send(method, path, body) {
  const init = { method, headers: { ...credentials }, cache: "no-store", redirect: "manual" };
  // The cookie of Access counts there alone.
  init.credentials = isByAccess ? "same-origin" : "omit";
  if (body !== undefined) {
    init.headers["content-type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  say("Asking the registry …");
  let reply;
  let json;
  try {
    reply = await fetch(path, init);
    json = reply.type === "opaqueredirect" ? null : await reply.json();
  } catch {
    throw new Error("The registry does not answer. Check your connection, then try again.");
  } finally {
    say();
  }
  if (json === null) throw new Error("Your login at Cloudflare Access has ended. Reload this page to log in again.");
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
