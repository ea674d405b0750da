// What each operation costs in the units that Cloudflare bills, counted on the real Worker (subjects/counted).

import { build, type Server, serve } from "../../scripts/lib/workerd.ts";
import { tokenHash, tokenOwnersName } from "../../src/durable/names.ts";
import type { Counts } from "../subjects/counted/counted.ts";
import { clientHeaders, REGISTRY_BINDINGS, SERVER_HEADERS } from "./logins.ts";

export type Operation =
  | "first registration of a user"
  | "new token of a known user"
  | "rotation"
  | "unchanged registration"
  | "refresh"
  | "handover"
  | "list"
  | "sender read"
  | "lookup of 100"
  | "lookup of 500"
  | "logout"
  | "delete all"
  | "read of an unknown user"
  | "report of a dead token";

/** An app whose registrations are due for a refresh at every launch. */
const REFRESHING = {
  APP_REFRESHING: { ...REGISTRY_BINDINGS.APP_BENCH, appId: "refreshing", refreshWindowDays: 1e-9 },
  SECRETS_REFRESHING: REGISTRY_BINDINGS.SECRETS_BENCH,
};

/** Each operation once, on one object warm and alone; the counts of one call of it. */
export async function countOperations(): Promise<Record<Operation, Counts>> {
  const bundle = await build("bench/subjects/counted/wrangler.toml");
  const server = await serve({ bundle, bindings: { ...REGISTRY_BINDINGS, ...REFRESHING } });
  try {
    return await count(server);
  } finally {
    await server.stop();
  }
}

async function count(server: Server): Promise<Record<Operation, Counts>> {
  const send = async (method: string, path: string, headers: Record<string, string>, body?: object) => {
    const response = await fetch(server.url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (response.status !== 200) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  };
  /** What was counted since the last call. What a call leaves to `waitUntil` is waited for. */
  const taken = async (): Promise<Counts> => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    return (await (await fetch(`${server.url}/counts`)).json()) as Counts;
  };
  const counted = async (method: string, path: string, headers: Record<string, string>, body?: object) => {
    await taken();
    await send(method, path, headers, body);
    return taken();
  };
  const register = (headers: Record<string, string>, fcmToken: string) =>
    counted("POST", "/v2/tokens", headers, { fcmToken });
  const [anna, otherPhone, ben] = [
    clientHeaders("anna", "a1"),
    clientHeaders("anna", "a2"),
    clientHeaders("ben", "b1"),
  ];
  const uids = Array.from({ length: 600 }, (_, i) => `user-${i}`);

  // The tables of an owner object are made once per shard, not per user: every token below falls to one warm shard.
  const tokens = await tokensOfOneShard(5);
  const token = (i: number) => tokens.list[i] ?? "";
  await register(clientHeaders("warm-up", "w"), tokens.warmUp);
  // The same goes for directory objects: each of these users falls to one of them.
  for (const uid of uids) await send("POST", "/v2/tokens", clientHeaders(uid, uid), { fcmToken: `token-of-${uid}` });
  const first = await register(anna, token(0));
  const added = await register(otherPhone, token(1));
  const unchanged = await register(anna, token(0));
  const rotation = await register(anna, token(2));
  const list = await counted("GET", "/v2/tokens", anna);
  const senderRead = await counted("GET", "/v3/users/anna/push_tokens", SERVER_HEADERS);
  await register(ben, token(3));
  const handover = await register(ben, token(2));
  const lookup = (users: string[]) => counted("POST", "/v3/push_tokens/lookup", SERVER_HEADERS, { uids: users });
  // Each user once: whom a directory object has just read costs no row.
  const [lookupOf500, lookupOf100] = [await lookup(uids.slice(0, 500)), await lookup(uids.slice(500))];
  const unknown = await counted("GET", "/v2/tokens", clientHeaders("nobody", "n"));
  const logout = await counted("DELETE", "/v3.0/me", ben);
  const deleteAll = await counted("DELETE", "/v2/tokens", anna, { all: true });
  const carla = clientHeaders("carla", "c1", "refreshing");
  await register(carla, "token-of-carla");
  const refresh = await register(carla, "token-of-carla");
  // Within the window of its last registration: suspect.
  await register(clientHeaders("dora", "d1"), token(4));
  const items = [{ token: token(4), kind: "fcm", code: "UNREGISTERED" }];
  const report = await counted("POST", "/v3/push_tokens/feedback", SERVER_HEADERS, { items });
  return {
    "first registration of a user": first,
    "new token of a known user": added,
    rotation,
    "unchanged registration": unchanged,
    refresh,
    handover,
    list,
    "sender read": senderRead,
    "lookup of 100": lookupOf100,
    "lookup of 500": lookupOf500,
    logout,
    "delete all": deleteAll,
    "read of an unknown user": unknown,
    "report of a dead token": report,
  };
}

async function tokensOfOneShard(count: number): Promise<{ warmUp: string; list: string[] }> {
  const shardOf = async (token: string) => tokenOwnersName("bench", await tokenHash("fcm", token));
  const warmUp = "token-0";
  const shard = await shardOf(warmUp);
  const list: string[] = [];
  for (let i = 1; list.length < count; i++) if ((await shardOf(`token-${i}`)) === shard) list.push(`token-${i}`);
  return { warmUp, list };
}
