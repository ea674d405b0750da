// The measurements, one after the other: a launch's life for the users who log in, then what senders read.
import { CommandError } from "../lib/command.ts";
import type { Progress } from "../lib/output.ts";
import { type Registry, registryOf } from "../lib/registry.ts";
import { clientsOf, makeShown, type Run, shownOf, tokenOf } from "./people.ts";
import { lookupsOf, type Settings } from "./plan.ts";
import { type Timing, timed } from "./timing.ts";

export interface Given extends Settings {
  values: { url: string; "app-id": string; "api-key": string };
  run: Run;
  signal: AbortSignal;
  progress: Progress;
}

/** A call without an answer is given up after this; the registry's own limit is a fifth of it. */
export const CALL_TIMEOUT_MS = 60_000;

/** Users of the lookups that run side by side. */
const SIDE_BY_SIDE_SIZE = 100;

export async function measure(given: Given): Promise<Timing[]> {
  const { values, run, signal, calls, seconds, progress } = given;
  const backEnd = registryOf(values, undefined, CALL_TIMEOUT_MS);
  const timings: Timing[] = [];
  const record = async (operation: string, list: readonly (() => Promise<unknown>)[], atOnce = 1) => {
    // New connections are not what is measured.
    await Promise.all(Array.from({ length: atOnce }, () => backEnd.call("GET", "/health")));
    const bounds = { calls: list.length, ms: seconds * 1000 };
    timings.push(await timed(operation, list, { atOnce, bounds, signal }));
    progress.at(timings.length, operation);
  };
  if (run.clients > 0) await measureClients(given, backEnd, record);
  await makeShown({ url: values.url, appId: values["app-id"], apiKey: values["api-key"] }, run, signal);
  const uids = shownOf(run);
  const times = <T>(amount: number, call: (i: number) => T) => Array.from({ length: amount }, (_, i) => () => call(i));
  await record(
    "read by a sender",
    times(calls, (i) => backEnd.call("GET", `/v3/users/${uids[i % uids.length]}/push_tokens`)),
  );
  for (const size of given.sizes) {
    await record(
      `lookup of ${size.toLocaleString("en")}`,
      times(lookupsOf(size, calls), (i) => lookup(backEnd, uids, size, i)),
    );
  }
  const side = Math.min(SIDE_BY_SIDE_SIZE, uids.length);
  for (const atOnce of given.atOnce) {
    await record(
      `lookup of ${side}`,
      times(calls, (i) => lookup(backEnd, uids, side, i)),
      atOnce,
    );
  }
  return timings;
}

type Recorder = (operation: string, list: readonly (() => Promise<unknown>)[], atOnce?: number) => Promise<void>;

/** From login to logout, each step for all users before the next. */
async function measureClients({ values, run, atOnce }: Given, backEnd: Registry, record: Recorder): Promise<void> {
  const devices = new Map<string, Registry>();
  const uids = clientsOf(run);
  await record(
    "auth token",
    uids.map((uid) => async () => {
      const minted = await backEnd.call("POST", `/v3/users/${uid}/auth_tokens`, { lifetimeSeconds: 3600 });
      const as = { authToken: (minted as { authToken: string }).authToken, sdk: "android@4.0.10" };
      devices.set(uid, registryOf(values, as, CALL_TIMEOUT_MS));
    }),
  );
  // Where the time was up before all had logged in, the rest have no part in it.
  const loggedIn = [...devices];
  const register = (uid: string, device: Registry, of: string) => {
    run.touched.add(uid);
    return device.call("POST", "/v2/tokens", { fcmToken: tokenOf(uid, of), platform: "android" });
  };
  const each = (call: (uid: string, device: Registry) => Promise<unknown>) =>
    loggedIn.map(
      ([uid, device]) =>
        () =>
          call(uid, device),
    );
  const again = each((uid, device) => register(uid, device, "first"));
  await record("first registration of a user", again);
  await record("unchanged registration", again);
  for (const number of atOnce) await record("unchanged registration", again, number);
  await record(
    "list",
    each((_, device) => device.call("GET", "/v2/tokens")),
  );
  await record(
    "rotation",
    each((uid, device) => register(uid, device, "second")),
  );
  await record(
    "logout",
    each((_, device) => device.call("DELETE", "/v3.0/me")),
  );
}

/** Of users of the probe alone, beginning at another one each time. */
async function lookup(registry: Registry, uids: readonly string[], size: number, turn: number): Promise<void> {
  const asked = Array.from({ length: size }, (_, i) => uids[(turn + i) % uids.length] ?? "");
  const { users, errors } = (await registry.call("POST", "/v3/push_tokens/lookup", { uids: asked })) as {
    users: unknown[];
    errors: unknown[];
  };
  if (users.length !== size || errors.length > 0) {
    throw new CommandError(`a lookup of ${size} answered for ${users.length}, and ${errors.length} errors`);
  }
}
