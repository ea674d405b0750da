// What the crash test reads in the files themselves, once the server has ended.
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tokenHash, userHash } from "../../src/durable/names.ts";
import { rowsOf } from "../lib/sqlite.ts";
import type { Erased } from "./people.ts";

/** Held ⇒ owned on record, and owner and directory objects know nothing of who was erased; answers what is wrong. */
export async function problemsOnDisk(data: string, appId: string, erased: readonly Erased[]): Promise<string[]> {
  const copy = await mkdtemp(join(tmpdir(), "push-token-registry-crash-"));
  try {
    await cp(data, copy, { recursive: true });
    const owners = new Map<string, string[]>();
    for (const { hash, user } of await rowsOf(copy, "TokenOwners", "owners", "hash, user")) {
      owners.set(String(hash), [...(owners.get(String(hash)) ?? []), String(user)]);
    }
    const shown = new Set((await rowsOf(copy, "Directory", "users", "uid")).map(({ uid }) => String(uid)));
    const stillShown = erased.filter(({ uid }) => shown.has(uid)).map(({ uid }) => `${uid}, who was erased, is shown`);
    return [...(await unowned(copy, appId, owners)), ...(await leftOfErased(appId, erased, owners)), ...stillShown];
  } finally {
    await rm(copy, { recursive: true });
  }
}

async function unowned(copy: string, appId: string, owners: ReadonlyMap<string, string[]>): Promise<string[]> {
  const problems: string[] = [];
  const uid = "(SELECT value FROM facts WHERE fact = 'user') AS user";
  for (const { hash, user } of await rowsOf(copy, "UserTokens", "registrations", `hash, ${uid}`)) {
    const owner = await userHash(appId, String(user));
    const recorded = owners.get(String(hash)) ?? [];
    if (recorded.length === 1 && recorded[0] === owner) continue;
    problems.push(`a token is held, but ${recorded.length} owners are on record, not its holder alone`);
  }
  return problems;
}

async function leftOfErased(
  appId: string,
  erased: readonly Erased[],
  owners: ReadonlyMap<string, string[]>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { uid, uncertain } of erased) {
    const user = await userHash(appId, uid);
    const excused = new Set(await Promise.all([...uncertain].map((token) => tokenHash("fcm", token))));
    const left = [...owners].filter(([hash, users]) => users.includes(user) && !excused.has(hash));
    if (left.length > 0) problems.push(`${left.length} owner entries are left of ${uid}, who was erased`);
  }
  return problems;
}
