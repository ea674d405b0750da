// The server API, as any back end calls it. The key stands in this module's memory alone: it is gone with the tab. Who came by Cloudflare
// Access needs none: the same calls stand below /console/api.
import { say, unsay } from "./dom.js";

/** What every call says of who asks: `headers`, and whether Cloudflare Access vouches for the reader. */
const NOBODY = { headers: {}, isByAccess: false };
let reader = NOBODY;

export function isByAccess() {
  return reader.isByAccess;
}

/** The settings of the app and what the key may do (`GET /v3/app`); `null`: nobody has signed in. */
export let app = null;

export function mayChange() {
  return app?.key.scope === "fullAccess";
}

/** Throws, in words that say what to do, where the registry does not take the key. */
export function signIn(appId, apiKey) {
  return enter({ headers: { appId, apikey: apiKey }, isByAccess: false });
}

/**
 * Whether the reader may look by Cloudflare Access; `appId`: one of several apps. Throws where the deployment has that way and it does
 * not let the reader in.
 */
export async function enterByAccess(appId) {
  const person = { headers: appId === undefined ? {} : { appId }, isByAccess: true };
  if (appId === undefined && !(await send("GET", "/console/access", undefined, person)).open) return false;
  await enter(person);
  // The first of the list was meant; the list may change.
  reader = { ...person, headers: { appId: app.appId } };
  return true;
}

/** The reader and the app change at once, when the registry has answered: until then each call is one to the app that is shown. */
async function enter(wanted) {
  app = await call("GET", "/v3/app", undefined, wanted);
  reader = wanted;
}

export function signOut() {
  reader = NOBODY;
  app = null;
}

/** `data` of the reply. */
export function call(method, path, body, as = reader) {
  return send(method, as.isByAccess ? `/console/api${path}` : path, body, as);
}

const ASKING = "Asking the registry …";

async function send(method, path, body, as) {
  const init = { method, headers: { ...as.headers }, cache: "no-store", redirect: "manual" };
  // The cookie of Access counts there alone.
  init.credentials = as.isByAccess ? "same-origin" : "omit";
  if (body !== undefined) {
    init.headers["content-type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  say(ASKING);
  let reply;
  let text;
  try {
    reply = await fetch(path, init);
    text = await reply.text();
  } catch {
    throw new Error("The registry does not answer. Check your connection, then try again.");
  } finally {
    unsay(ASKING);
  }
  if (reply.type === "opaqueredirect")
    throw new Error("Your login at Cloudflare Access has ended. Reload this page to log in again.");
  const json = parsed(text);
  if (json?.data !== undefined) return json.data;
  throw new Error(`${json?.error?.message ?? `Status ${reply.status}.`}${adviceOn(reply)}`);
}

/** What does not come from the registry, but from something before it, is no JSON. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function adviceOn(reply) {
  const after = reply.headers.get("retry-after");
  if (reply.status === 429) return ` Wait ${after ?? "some"} seconds, then try again.`;
  if (reply.status >= 500)
    return ` Try again${after === null ? "" : ` in ${after} seconds`}. Request ${reply.headers.get("x-request-id") ?? reply.headers.get("cf-ray")}.`;
  if (reply.status === 401) return " Sign in with an app id and an API key of this registry.";
  return "";
}

/** The path of a user. */
export function userPath(uid, rest = "") {
  return `/v3/users/${encodeURIComponent(uid)}${rest}`;
}
