// The directory behind the Worker: its objects, and rows in them that no user's object wrote.
import { env } from "cloudflare:workers";
import { createApp } from "../../src/app.ts";
import { directoryName, directoryShard } from "../../src/durable/names.ts";
import { entryOn, SNAPSHOT_FORMAT, type Snapshot } from "../../src/durable/snapshots.ts";
import { DIRECTORY_OBJECTS } from "../../src/limits.ts";
import { API_KEYS } from "./apps.ts";
import type { CallOptions, Reply } from "./client.ts";
import { type Fault, withFault } from "./faults.ts";

/** The default of every app of the tests. */
const SETTINGS = { objects: DIRECTORY_OBJECTS, epoch: 1 };

/** The name of the directory object that knows the user. */
export function directoryOf(app: string, uid: string): string {
  return directoryName(app, SETTINGS, directoryShard(SETTINGS, uid));
}

/** Makes the directory show this of the user, whatever it showed before. */
export async function show(app: string, uid: string, shown: Partial<Snapshot>): Promise<void> {
  const row = {
    version: Date.now() + 1e9,
    format: SNAPSHOT_FORMAT,
    registrations: 1,
    muted: 0,
    shownSince: Date.now(),
  };
  const put = { uid, tokens: "[]", ...row, ...shown };
  const outcome = await env.DIRECTORY.getByName(directoryOf(app, uid)).put(put);
  if (!outcome.ok) throw new Error(`the directory has version ${outcome.version}`);
}

/** What the directory holds of the user. */
export async function shownOf(app: string, uid: string) {
  return entryOn(await env.DIRECTORY.getByName(directoryOf(app, uid)).lines([uid], 1e6));
}

/** The namespace with `fault` before the objects of these names, and which calls were made of which. */
export function faultyFor<N extends object>(namespace: N, names: (name: string) => boolean, fault: Fault) {
  const calls: { name: string; method: string }[] = [];
  const noted = (name: string, then: Fault) =>
    withFault(namespace, (call, method, args) => {
      calls.push({ name, method });
      return then(call, method, args);
    }).namespace as unknown as DurableObjectNamespace;
  const faulty = new Proxy(namespace, {
    get(target, property) {
      if (property !== "getByName") return Reflect.get(target, property);
      return (name: string) => noted(name, names(name) ? fault : (call) => call()).getByName(name);
    },
  });
  return { namespace: faulty, calls };
}

/** A call of a back end at a Worker whose bindings are partly replaced. */
export async function serverCallWith(
  bindings: object,
  method: string,
  path: string,
  { headers, body }: CallOptions = {},
): Promise<Reply> {
  const init: RequestInit = { method, headers: { appId: "test", apikey: API_KEYS.sender, ...headers } };
  if (body !== undefined) init.body = JSON.stringify(body);
  const response = await createApp().request(`https://registry.test${path}`, init, { ...env, ...bindings });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
}
