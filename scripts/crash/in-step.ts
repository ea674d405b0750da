// Whether the directory is in step with the users' objects, read in the files themselves while the server is down. Where it is
// behind, the user's object must say so: by a near alarm, in its own file and in workerd's list of alarms.
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { objectFiles } from "../lib/sqlite.ts";
import { alarmsIn, withDatabase } from "./alarms.ts";

export interface Step {
  /** Users' objects that have, or had, something to show. */
  users: number;
  /** Of them, those whose last change the directory lacks. */
  behind: number;
  problems: string[];
}

/** What a user's file says. */
interface UserFile {
  uid: string;
  /** 0: the user was never shown. */
  version: number;
  tokens: string;
  /** Nanoseconds. */
  alarm: bigint | null;
}

interface DirectoryRow {
  version: number;
  tokens: string;
}

const NS_PER_MINUTE = 60_000_000_000n;

/** `isAtRest`: every alarm that was near has rung, so nobody may be behind. */
export async function inStep(data: string, { isAtRest = false } = {}): Promise<Step> {
  const directory = await directoryRows(data);
  const scheduled = schedule(data, "UserTokens");
  const step: Step = { users: 0, behind: 0, problems: directory.problems };
  for (const path of await objectFiles(data, "UserTokens")) {
    const user = withDatabase(path, userFile);
    if (user === null) continue;
    step.users += 1;
    const row = directory.rows.get(user.uid);
    directory.rows.delete(user.uid);
    const wrong = contradiction(user, row);
    if (wrong !== null) step.problems.push(`${user.uid}: ${wrong}`);
    if (!isBehind(user, row)) continue;
    step.behind += 1;
    if (isAtRest) step.problems.push(`${user.uid}: the directory is behind at rest`);
    const unmarked = missingMark(user, scheduled.get(basename(path, ".sqlite")));
    if (unmarked !== null) step.problems.push(`${user.uid}: the directory is behind, and ${unmarked}`);
  }
  for (const uid of directory.rows.keys()) step.problems.push(`${uid} is shown, and has no object`);
  return step;
}

/** Tokens that the directory shows for two users. The files may be a copy. */
export async function shownTwice(data: string): Promise<string[]> {
  return (await directoryRows(data)).problems;
}

async function directoryRows(data: string): Promise<{ rows: Map<string, DirectoryRow>; problems: string[] }> {
  const rows = new Map<string, DirectoryRow>();
  const holders = new Map<string, string>();
  const problems: string[] = [];
  if (!existsSync(join(data, "Directory"))) return { rows, problems };
  for (const path of await objectFiles(data, "Directory")) {
    for (const { uid, version, tokens } of withDatabase(path, usersIn)) {
      if (rows.has(uid)) problems.push(`${uid} has a row in two directory objects`);
      const listed = JSON.parse(tokens) as ShownToken[];
      rows.set(uid, { version, tokens: textOf(listed) });
      for (const { token } of listed) {
        const other = holders.get(token);
        if (other !== undefined) problems.push(`${token} is shown for ${other} and for ${uid}`);
        holders.set(token, uid);
      }
    }
  }
  return { rows, problems };
}

function usersIn(database: DatabaseSync): { uid: string; version: number; tokens: string }[] {
  if (!hasTable(database, "users")) return [];
  return database
    .prepare("SELECT uid, version, tokens FROM users")
    .all()
    .map((row) => ({ uid: String(row.uid), version: Number(row.version), tokens: String(row.tokens) }));
}

/** `null`: nothing of this user was ever shown. */
function userFile(database: DatabaseSync): UserFile | null {
  if (!hasTable(database, "facts")) return null;
  const fact = (name: string) => {
    const found = database.prepare("SELECT value FROM facts WHERE fact = ?").get(name);
    return found === undefined ? null : String(found.value);
  };
  const [uid, record] = [fact("user"), fact("changes")];
  if (uid === null) return null;
  const rows = database.prepare("SELECT token, session, kind, muted, suspect_at, shown_at FROM registrations").all();
  const tokens = rows.map((row) => ({
    token: String(row.token),
    sessionId: String(row.session),
    kind: String(row.kind),
    refreshedAt: Number(row.shown_at),
    suspect: row.suspect_at !== null,
    muted: row.muted === 1,
  }));
  const select = database.prepare("SELECT value FROM _cf_METADATA WHERE key = 1");
  select.setReadBigInts(true);
  const alarm = hasTable(database, "_cf_METADATA") ? select.get()?.value : undefined;
  const version = record === null ? 0 : Number(JSON.parse(record)[0]?.[0] ?? 0);
  return { uid, version, tokens: textOf(tokens), alarm: typeof alarm === "bigint" ? alarm : null };
}

interface ShownToken {
  token: string;
  sessionId: string;
  kind: string;
  refreshedAt: number;
  suspect: boolean;
  muted?: boolean;
}

function textOf(tokens: readonly ShownToken[]): string {
  const each = tokens.map(({ token, sessionId, kind, refreshedAt, suspect, muted = false }) =>
    [token, sessionId, kind, refreshedAt, suspect, muted].join(" "),
  );
  return each.sort().join("\n");
}

/** What no moment can explain. */
function contradiction(user: UserFile, row: DirectoryRow | undefined): string | null {
  if (user.version === 0 && user.tokens !== "") return "holds something without a version";
  if (row === undefined) return null;
  if (row.version > user.version) return "the directory has a version that its object lacks";
  if (row.version === user.version && row.tokens !== user.tokens) return "two contents of one version";
  return null;
}

/** A user without a row is taken for one who holds nothing. */
function isBehind({ version, tokens }: UserFile, row: DirectoryRow | undefined): boolean {
  return row === undefined ? tokens !== "" : row.version < version;
}

function missingMark({ alarm }: UserFile, scheduled: bigint | undefined): string | null {
  if (alarm === null) return "no alarm is set";
  if (alarm % NS_PER_MINUTE === 0n) return "its alarm is a far one";
  if (scheduled === undefined || scheduled > alarm) return "workerd does not know of its alarm";
  return null;
}

function schedule(data: string, className: string): Map<string, bigint> {
  const all = withDatabase(join(data, className, "metadata.sqlite"), alarmsIn);
  return new Map(all.map(({ object, at }) => [object, at]));
}

function hasTable(database: DatabaseSync, name: string): boolean {
  return database.prepare("SELECT 1 FROM sqlite_master WHERE name = ?").get(name) !== undefined;
}
