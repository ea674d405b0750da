// The second look at a file: sends what counts, and keeps how far it is.
import { freeMemory } from "../lib/memory.ts";
import type { Progress } from "../lib/output.ts";
import { type Checkpoint, writeCheckpoint } from "./checkpoint.ts";
import type { Entry, EstateItem } from "./item.ts";
import type { Rejects } from "./rejects.ts";
import type { Scratch } from "./scratch.ts";
import type { Answer, Sender } from "./sending.ts";
import { count } from "./survey.ts";

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

interface Open {
  line: number;
  item: EstateItem;
  /** A run that was killed may have brought it. */
  mayBeThere: boolean;
}

/** A run of entries: the unit of what a kill can interrupt, so what became of them is counted when all of it is done. */
interface Window {
  /** To be sent. */
  open: Open[];
  outcomes: Record<string, number>;
}

/** Sends what counts of the entries behind the checkpoint. What became of them stands in it. */
export async function importEntries(entries: AsyncIterable<Entry>, going: Going): Promise<void> {
  const { checkpoint, scratch, rejects, sender, parallel } = going;
  const sentBefore = checkpoint.sent;
  let number = 0;
  let window: Window = { open: [], outcomes: {} };
  for await (const entry of entries) {
    const mine = number;
    number += 1;
    if (mine < checkpoint.done) continue;
    if (entry.is === "item" && scratch.counts(entry.item, mine)) {
      window.open.push({ line: entry.line, item: entry.item, mayBeThere: mine < sentBefore });
    } else {
      count(window.outcomes, entry.is === "item" ? "duplicate" : entry.is);
    }
    if (entry.is === "rejected") rejects.add(entry.line, entry.why);
    if (window.open.length < parallel * sender.size) continue;
    await finish(window, number, going);
    window = { open: [], outcomes: {} };
  }
  await finish(window, number, going);
}

async function finish(window: Window, end: number, going: Going): Promise<void> {
  const { checkpoint, rejects, sender, progress } = going;
  const { open, outcomes } = window;
  checkpoint.sent = Math.max(checkpoint.sent, end);
  await save(going);
  const batches: Open[][] = [];
  for (let from = 0; from < open.length; from += sender.size) batches.push(open.slice(from, from + sender.size));
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
