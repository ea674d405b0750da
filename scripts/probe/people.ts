// The users of a probe: their names say of which run they are, so that a run that was killed can be cleaned up after.
import { createHash, randomBytes } from "node:crypto";
import { mapBounded } from "../../src/durable/concurrency.ts";
import { type Answer, Sender, type Target } from "../estate/sending.ts";
import { CommandError } from "../lib/command.ts";
import { UsageError } from "../lib/options.ts";
import { patient, type Registry } from "../lib/registry.ts";

/** Of a run: when it was, how many users log in, and how many only stand in lookups. */
export interface Run {
  id: string;
  clients: number;
  shown: number;
  /** Who may hold something. Erasing another user would leave a mark where nothing was. */
  touched: Set<string>;
}

export function newRun(clients: number, shown: number): Run {
  return { id: randomBytes(4).toString("hex"), clients, shown, touched: new Set() };
}

/** What `--clean` takes. */
export function nameOf({ id, clients, shown }: Pick<Run, "id" | "clients" | "shown">): string {
  return `${id}-${clients}-${shown}`;
}

/** More than a probe ever makes: a wrong name must not erase for hours. */
const USERS_MAX = 20_000;

/**
 * A run of which nobody knows how far it came.
 * @throws {UsageError} if it is no name of a run
 */
export function runNamed(given: string): Run {
  const [, id, clients = "", shown = ""] = /^([0-9a-f]{8})-(\d{1,5})-(\d{1,5})$/.exec(given) ?? [];
  if (id === undefined || Number(clients) + Number(shown) > USERS_MAX) {
    throw new UsageError("--clean must be the name that a run of the probe printed");
  }
  const run = { id, clients: Number(clients), shown: Number(shown), touched: new Set<string>() };
  run.touched = new Set([...clientsOf(run), ...shownOf(run)]);
  return run;
}

export function clientsOf({ id, clients }: Pick<Run, "id" | "clients">): string[] {
  return Array.from({ length: clients }, (_, i) => `registry-probe-${id}-c${i}`);
}

export function shownOf({ id, shown }: Pick<Run, "id" | "shown">): string[] {
  return Array.from({ length: shown }, (_, i) => `registry-probe-${id}-s${i}`);
}

/** A token as long as those of FCM, which no provider knows. */
export function tokenOf(uid: string, of = ""): string {
  return `registry-probe-${createHash("sha256").update(uid).update(of).digest("hex")}`.padEnd(142, "-of-nobody");
}

/** Users per call: small enough that Ctrl-C is heard soon. */
const IMPORTED_AT_ONCE = 100;

/** Users with a registration each, by import: two calls of three objects each, where a login and a launch would be more. */
export async function makeShown(target: Target, run: Run, signal: AbortSignal): Promise<void> {
  const sender = new Sender(target, { repeats: 5, waitMs: 500 }, () => {}, IMPORTED_AT_ONCE);
  const uids = shownOf(run);
  for (let from = 0; from < uids.length; from += IMPORTED_AT_ONCE) {
    signal.throwIfAborted();
    const some = uids.slice(from, from + IMPORTED_AT_ONCE);
    for (const uid of some) run.touched.add(uid);
    const items = some.map((uid) => ({ uid, kind: "fcm" as const, token: tokenOf(uid), platform: "android" as const }));
    const answers: Answer[] = await sender.send(items);
    const wrong = answers.find(({ outcome }) => outcome !== "imported" && outcome !== "already");
    if (wrong !== undefined) throw new CommandError(`a user of the probe could not be made: ${wrong.outcome}`);
  }
}

const ERASED_AT_ONCE = 16;

/** Erases the users of a run. Answers whom it could not erase. */
export async function eraseAll(registry: Registry, run: Run, onErased: (done: number) => void): Promise<string[]> {
  const erasing = patient(registry, 5, 500);
  const left: string[] = [];
  let done = 0;
  await mapBounded([...run.touched], ERASED_AT_ONCE, async (uid) => {
    try {
      await erasing.call("DELETE", `/v3/users/${uid}`);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      left.push(uid);
    }
    done += 1;
    onErased(done);
  });
  return left;
}
