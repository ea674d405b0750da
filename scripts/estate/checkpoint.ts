// How far an import is, beside its file: after kill -9 the same command goes on there. It holds counts, no token and no uid.
import { readFile, rename, rm, writeFile } from "node:fs/promises";

export interface Checkpoint {
  /** Of the file, its format and options, and the app: another import begins anew. */
  of: string;
  /** How many of those that count are done, in the order in which they are sent; what is not sent is done with the first of them. */
  done: number;
  /** How many were sent, or are being sent: those between `done` and this may be there already. */
  sent: number;
  /** How long the file of rejects is. */
  rejectsBytes: number;
  outcomes: Record<string, number>;
  startedAt: number;
  /** Where the file itself is read from another system. */
  reading?: Reading | undefined;
}

/** How far the file is. */
export interface Reading {
  /** A hash of where it is read. */
  of: string;
  /** The page of users that comes next; `null`: all is read. */
  page: number | null;
  /** How long the file is. */
  bytes: number;
  users: number;
  pushTokens: number;
  /** When the last page was read, epoch ms. */
  readAt: number;
}

/** The checkpoint of an import, by its file. */
export function checkpointOf(file: string): string {
  return `${file}.import-checkpoint.json`;
}

export function newCheckpoint(of: string, reading?: Reading): Checkpoint {
  return { of, done: 0, sent: 0, rejectsBytes: 0, outcomes: {}, startedAt: Date.now(), reading };
}

export async function readReading(file: string): Promise<Reading | null> {
  return (await readJson<Checkpoint>(file))?.reading ?? null;
}

export async function readCheckpoint(file: string, of: string): Promise<Checkpoint | null> {
  const found = await readJson<Checkpoint>(file);
  return found?.of === of ? found : null;
}

/** `null`: there is no such file, or a crash of the machine left it broken. */
export async function readJson<T>(file: string): Promise<T | null> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as T;
  } catch {
    return null;
  }
}

/** Either all of it is there afterwards, or what was there before. */
export async function writeCheckpoint(file: string, checkpoint: Checkpoint): Promise<void> {
  const beside = `${file}.new`;
  await writeFile(beside, JSON.stringify(checkpoint), { mode: 0o600, flush: true });
  await rename(beside, file);
}

export async function removeCheckpoint(file: string): Promise<void> {
  await rm(file, { force: true });
}
