// What is done with what was found in a file: sends what counts, and keeps how far it is.
import { IMPORT_CLAIMS_MAX } from "../../src/limits.ts";
import { freeMemory } from "../lib/memory.ts";
import type { Progress } from "../lib/output.ts";
import { type Checkpoint, writeCheckpoint } from "./checkpoint.ts";
import type { Rejects } from "./rejects.ts";
import type { Due, Scratch } from "./scratch.ts";
import type { Answer, Sender } from "./sending.ts";
import { count, type Survey, sum } from "./survey.ts";

/** Outcomes after which the registration is in the registry. */
const HERE = new Set(["imported", "already", "held_here"]);

export interface Going {
  sender: Sender;
  scratch: Scratch;
  rejects: Rejects;
  checkpoint: Checkpoint;
  /** `null`: this import cannot be resumed. */
  checkpointFile: string | null;
  /** Batches under way at once. */
  parallel: number;
  progress: Progress;
}

interface Open extends Due {
  /** A run that was killed may have brought it. */
  mayBeThere: boolean;
}

/** Entries that follow each other: the unit of what a kill can interrupt, so what became of them is counted when all of it is done. */
interface Window {
  /** To be sent. */
  open: Open[];
  outcomes: Record<string, number>;
}

/** Sends what counts behind the checkpoint, user by user. What became of every entry stands in it. */
export async function importEntries(survey: Survey, going: Going): Promise<void> {
  const { checkpoint, scratch, sender, parallel } = going;
  const sentBefore = checkpoint.sent;
  let end = checkpoint.done;
  let window: Window = { open: [], outcomes: {} };
  if (end === 0) window.outcomes = await notSent(survey, going);
  for (const due of scratch.due(end)) {
    window.open.push({ ...due, mayBeThere: end < sentBefore });
    end += 1;
    if (window.open.length < parallel * sender.size) continue;
    await finish(window, end, going);
    window = { open: [], outcomes: {} };
  }
  await finish(window, end, going);
}

/** What became of the entries that are not sent, by outcome. */
async function notSent(survey: Survey, { scratch, rejects }: Going): Promise<Record<string, number>> {
  let lines = 0;
  for (const { line, why } of scratch.rejected()) {
    rejects.add(line, why);
    lines += 1;
    if (lines % REJECTS_AT_ONCE === 0) await rejects.flush();
  }
  const { duplicates: duplicate, skipped, rejected } = survey;
  const outcomes = { duplicate, skipped: sum(skipped), rejected: sum(rejected) };
  return Object.fromEntries(Object.entries(outcomes).filter(([, n]) => n > 0));
}

const REJECTS_AT_ONCE = 10_000;

async function finish(window: Window, end: number, going: Going): Promise<void> {
  const { checkpoint, rejects, sender, progress } = going;
  const { open, outcomes } = window;
  checkpoint.sent = Math.max(checkpoint.sent, end);
  await save(going);
  const batches = batchesOf(open, sender.size);
  const answered = await Promise.all(batches.map((batch) => sender.send(batch.map(({ item }) => item))));
  for (const [b, answers] of answered.entries()) {
    for (const [i, answer] of answers.entries()) note(batches[b]?.[i], answer, outcomes, rejects);
  }
  await rejects.flush();
  for (const [outcome, n] of Object.entries(outcomes)) count(checkpoint.outcomes, outcome, n);
  checkpoint.rejectsBytes = rejects.bytes;
  checkpoint.done = end;
  await save(going);
  progress.at(end, `batches of ${sender.size}`);
  freeMemory();
}

/** Entries of one user stand together: a batch has no more of them than the registry takes from one call. */
function batchesOf(open: readonly Open[], size: number): Open[][] {
  const batches: Open[][] = [];
  let batch: Open[] = [];
  let ofUser = 0;
  for (const each of open) {
    ofUser = each.item.uid === batch.at(-1)?.item.uid ? ofUser + 1 : 1;
    if (batches.length === 0 || batch.length === size || ofUser > IMPORT_CLAIMS_MAX) {
      batch = [];
      batches.push(batch);
      ofUser = 1;
    }
    batch.push(each);
  }
  return batches;
}

function note(
  open: Open | undefined,
  { outcome, why }: Answer,
  outcomes: Record<string, number>,
  rejects: Rejects,
): void {
  if (open === undefined) return;
  count(outcomes, open.mayBeThere && outcome === "already" ? "imported" : outcome);
  if (!HERE.has(outcome)) rejects.add(open.line, why === undefined ? outcome : `${outcome}: ${why}`);
}

async function save({ checkpoint, checkpointFile }: Going): Promise<void> {
  if (checkpointFile !== null) await writeCheckpoint(checkpointFile, checkpoint);
}
