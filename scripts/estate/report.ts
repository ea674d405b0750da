// What an import says to people.
import { type Output, rounded } from "../lib/output.ts";
import type { Survey } from "./survey.ts";

export interface Imported {
  survey: Survey;
  /** What became of each entry, by outcome; the sum is `survey.entries`. `null`: a dry run. */
  outcomes: Record<string, number> | null;
  /** Where the rejects are; `null`: there are none. */
  rejects: string | null;
  seconds: number;
}

export function saySurvey(survey: Survey, output: Output): void {
  const kinds = Object.entries(survey.byKind).map(([kind, n]) => `${rounded(n)} ${kind}`);
  output.say(
    `${rounded(survey.entries)} entries: ${rounded(survey.registrations)} registrations of ${rounded(survey.users)} users`,
  );
  const isMore = survey.duplicates > 0 ? ", with duplicates" : "";
  if (kinds.length > 0) output.say(`  tokens: ${kinds.join(", ")}${isMore}`);
  if (survey.undated > 0)
    output.say(`  without a time: ${rounded(survey.undated)}; they count as half expired, or say --seen`);
  if (survey.duplicates > 0) {
    output.say(`  duplicates: ${rounded(survey.duplicates)}; of each installation the entry counts that was seen last`);
  }
  for (const [why, n] of Object.entries(survey.skipped)) output.say(`  skipped: ${rounded(n)}, ${why}`);
  for (const [why, n] of Object.entries(survey.rejected)) output.say(`  rejected: ${rounded(n)}, ${why}`);
}

/** What the outcomes mean, in the order in which they are said. */
const MEANINGS: Readonly<Record<string, string>> = {
  imported: "imported",
  already: "were there, from this import or a later one",
  held_here: "were there: a device registered it, or another holds its slot",
  duplicate: "duplicates, of which another entry counts",
  skipped: "skipped, see above",
  newer_here: "not brought back: it went here after it was seen there",
  ended: "not brought back: its session has ended here",
  erased: "not brought back: the user was erased here",
  expired: "too old: its retention is over",
  full: "too many for one user",
  invalid: "refused by the registry",
  rejected: "rejected, see above",
  unavailable: "not taken: something did not answer; import the same file again",
};

export function sayResult({ survey, outcomes, rejects, seconds }: Imported, output: Output): void {
  if (outcomes === null) {
    output.say("A dry run: nothing was written.");
    return;
  }
  output.say(`Done in ${rounded(seconds)} s: ${rounded(survey.entries)} entries, of which`);
  const names = [...Object.keys(MEANINGS), ...Object.keys(outcomes).filter((name) => !(name in MEANINGS))];
  for (const name of names) {
    if (outcomes[name] !== undefined) output.say(`  ${rounded(outcomes[name])} ${MEANINGS[name] ?? name}`);
  }
  if (rejects !== null) output.say(`Lines and reasons of what was not taken: ${rejects}`);
}
