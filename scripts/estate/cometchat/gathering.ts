// All push tokens that CometChat holds for an app, into a file that its owner alone can read. An auth token becomes its session
// before anything is written. After a kill it goes on with the page of users that was not finished.
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { mapBounded } from "../../../src/durable/concurrency.ts";
import { UsageError } from "../../lib/options.ts";
import { openPrivate, writeAll } from "../../lib/private-file.ts";
import { type Checkpoint, newCheckpoint, type Reading, readReading, writeCheckpoint } from "../checkpoint.ts";
import { sessionOfAuthToken } from "../item.ts";
import type { CometChatApi } from "./api.ts";

const USERS_AT_ONCE = 16;

/**
 * Fills `file`, and answers what was found.
 * @throws {UsageError} where the file is there and is none that an earlier run began for the same app
 */
export async function gather(
  api: CometChatApi,
  { file, checkpointFile, of }: { file: string; checkpointFile: string; of: string },
  onPage: (reading: Reading) => void,
): Promise<Reading> {
  const before = await readReading(checkpointFile);
  if (before !== null && before.of !== idOf(of)) throw new UsageError(`${file} is of another app: name another file`);
  const handle = await fileOf(file, before);
  try {
    const reading = before ?? { of: idOf(of), page: 1, bytes: 0, users: 0, pushTokens: 0, readAt: Date.now() };
    // From now on the file is this run's, whatever ends it.
    if (before === null) await keep(checkpointFile, reading);
    await handle.truncate(reading.bytes);
    while (reading.page !== null) {
      const { items: users, isLast } = await api.users(reading.page);
      const rows = (await mapBounded(users, USERS_AT_ONCE, (uid) => rowsOf(api, uid))).flat();
      const text = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
      await writeAll(handle, text, reading.bytes);
      await handle.sync();
      reading.bytes += text.length;
      reading.users += users.length;
      reading.pushTokens += rows.length;
      reading.page = isLast ? null : reading.page + 1;
      reading.readAt = Date.now();
      await keep(checkpointFile, reading);
      onPage(reading);
    }
    return reading;
  } finally {
    await handle.close();
  }
}

function keep(checkpointFile: string, reading: Reading): Promise<void> {
  return writeCheckpoint(checkpointFile, newCheckpoint("", reading) satisfies Checkpoint);
}

async function fileOf(file: string, before: Reading | null): Promise<FileHandle> {
  // Made, if it is not there; what is there stays.
  if (before === null) await (await open(file, "a", 0o600)).close();
  const handle = await openPrivate(file, "r+").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (handle === null) throw new UsageError(`${file} is gone: delete its checkpoint too, and begin anew`);
  if (before !== null || (await handle.stat()).size === 0) return handle;
  await handle.close();
  throw new UsageError(`${file} is there already, and no run is unfinished: delete it, or name another file`);
}

/** The user's push tokens. Some auth tokens answer for others too: each is asked that nobody has answered for. */
async function rowsOf(api: CometChatApi, uid: string): Promise<object[]> {
  const answeredFor = new Set<string>();
  const rows = new Map<string, object>();
  for (const authToken of await api.authTokens(uid)) {
    if (answeredFor.has(authToken)) continue;
    answeredFor.add(authToken);
    for (const { authToken: of = authToken, ...row } of await api.pushTokens(authToken)) {
      if (typeof of === "string") answeredFor.add(of);
      // Whose it is would be a guess, and pushes would reach another's device.
      if (typeof row.uid === "string" && row.uid.toLowerCase() !== uid.toLowerCase()) {
        throw api.failure("CometChat answered for another user than the one whose auth token it was asked about.");
      }
      const { pushToken, platform, providerId, createdAt, updatedAt } = row;
      const session = await sessionOfAuthToken(of);
      const found = { uid, session, pushToken, platform, providerId, createdAt, updatedAt };
      rows.set(`${session} ${platform} ${pushToken}`, found);
    }
  }
  return [...rows.values()];
}

function idOf(url: string): string {
  return createHash("sha256").update(url).digest("base64url");
}
