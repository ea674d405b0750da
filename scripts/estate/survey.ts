// The first look at a file, before anything is written: what stands in it, and what will not be sent.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { Entry } from "./item.ts";
import type { Scratch } from "./scratch.ts";

export interface Survey {
  /** Whatever the file holds: rows, lines or objects. All that follows adds up to it. */
  entries: number;
  /** Registrations to send. */
  registrations: number;
  byKind: Record<string, number>;
  users: number;
  /** Of an installation that another entry has too: that one was seen later, or stands later. */
  duplicates: number;
  /** By reason. */
  skipped: Record<string, number>;
  /** By reason. */
  rejected: Record<string, number>;
  undated: number;
}

/** Reads all entries. Leaves in `scratch` which of them count, and which are rejected. */
export async function surveyOf(
  entries: AsyncIterable<Entry>,
  scratch: Scratch,
  onEntry: (entries: number) => void,
): Promise<Survey> {
  const survey: Survey = {
    entries: 0,
    registrations: 0,
    byKind: {},
    users: 0,
    duplicates: 0,
    skipped: {},
    rejected: {},
    undated: 0,
  };
  let items = 0;
  for await (const entry of entries) {
    const number = survey.entries;
    survey.entries += 1;
    onEntry(survey.entries);
    if (entry.is === "item") {
      items += 1;
      scratch.note(entry, number);
      count(survey.byKind, entry.item.kind);
      if (entry.item.refreshedAt === undefined && entry.item.registeredAt === undefined) survey.undated += 1;
    } else {
      count(survey[entry.is], entry.why);
      if (entry.is === "rejected") scratch.reject(entry.line, entry.why);
    }
  }
  const { installations, users } = scratch.complete();
  survey.registrations = installations;
  survey.users = users;
  survey.duplicates = items - survey.registrations;
  return survey;
}

/** Adds one under that name; beyond a number of names, under one name for all others. */
export function count(counts: Record<string, number>, name: string, more = 1): void {
  const known = name in counts || Object.keys(counts).length < REASONS_MAX ? name : "other reasons";
  counts[known] = (counts[known] ?? 0) + more;
}

const REASONS_MAX = 50;

export function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((all, each) => all + each, 0);
}

/** SHA-256 of a file's bytes: whether it is the file of the run before. */
export async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { start: 0 })) hash.update(chunk as Buffer);
  return hash.digest("base64url");
}
