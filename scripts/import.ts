// `npm run import`: brings the registrations of another system's file into a running registry. docs/moving.md has the way from each
// system.
import { createHash } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { LOCATION_HINTS } from "../src/config/values.ts";
import type { IdentityRules } from "../src/domain/token.ts";
import {
  type Checkpoint,
  checkpointOf,
  newCheckpoint,
  readCheckpoint,
  readReading,
  removeCheckpoint,
} from "./estate/checkpoint.ts";
import { COMETCHAT_API, COMETCHAT_OPTIONS, cometChatFile } from "./estate/cometchat/options.ts";
import { copyOf } from "./estate/copy.ts";
import { entriesOf, FORMAT_NAMES, FORMATS, type FormatName, type Hints } from "./estate/formats.ts";
import { hintsOf } from "./estate/hints.ts";
import { importEntries } from "./estate/importing.ts";
import { Rejects } from "./estate/rejects.ts";
import { type Imported, sayResult, saySurvey } from "./estate/report.ts";
import { Scratch } from "./estate/scratch.ts";
import { Sender, type Target } from "./estate/sending.ts";
import { digestOf, type Survey, sum, surveyOf } from "./estate/survey.ts";
import { ask } from "./lib/ask.ts";
import { CommandError, defineCommand, main } from "./lib/command.ts";
import { freeMemory } from "./lib/memory.ts";
import { choice, flag, number, text, UsageError, type Values } from "./lib/options.ts";
import { type Output, rounded } from "./lib/output.ts";
import { OPTIONAL_REGISTRY_OPTIONS, patient, registryOf, targetOf } from "./lib/registry.ts";

const STANDARD_INPUT = "-";

export const command = defineCommand({
  name: "import",
  summary:
    "Brings the push tokens of another system into the registry, from its file, or from CometChat itself. First it reads the whole file and says what it " +
    "found; then it asks, and writes. What devices registered here stays as it is, and the same file twice brings nothing twice.",
  operands: {
    placeholder: "FILE",
    help:
      `What the other system exported, also as gzip; ${STANDARD_INPUT} is the standard input (needs --yes, cannot be resumed). ` +
      `${COMETCHAT_API}: where what CometChat says is kept until it is here.`,
    min: 0,
    max: 1,
  },
  options: {
    from: choice({
      help:
        `What the file is: ${FORMAT_NAMES.map((name) => `${name} (${FORMATS[name].help})`).join("; ")}. ` +
        `Or ${COMETCHAT_API}: CometChat itself is asked; COMETCHAT_API_KEY in the environment is its key (fullAccess).`,
      placeholder: "FORMAT",
      choices: [...FORMAT_NAMES, COMETCHAT_API] as const,
      default: null,
    }),
    "dry-run": flag("Say what the file holds, and write nothing."),
    yes: flag("Do not ask before writing."),
    columns: text({
      help: "csv: the columns of our fields, such as uid=user_id,token=push_token,refreshedAt=last_seen.",
      placeholder: "FIELD=COLUMN,…",
      default: null,
      defaultSays: "the fields' own names",
    }),
    kind: choice({
      help: "The kind of tokens where the file does not say it.",
      placeholder: "KIND",
      choices: ["fcm", "apns", "voip"] as const,
      default: null,
    }),
    "uid-field": text({
      help: "parse, firestore: where the uid stands, as a dotted path.",
      placeholder: "PATH",
      default: null,
      defaultSays: "user.objectId, id",
    }),
    "token-field": text({
      help: "firestore: where the token stands, or a list of tokens.",
      placeholder: "PATH",
      default: null,
      defaultSays: "fcmToken",
    }),
    "seen-field": text({
      help: "firestore: where the time of the last use stands.",
      placeholder: "PATH",
      default: null,
    }),
    "uid-from": text({
      help: "sns: where the uid stands in CustomUserData; azure: in the tags. json:PATH, or regex:EXPRESSION with one group.",
      placeholder: "HOW",
      default: null,
      defaultSays: "the whole text",
    }),
    seen: text({
      help: "When devices were last seen, where the file does not say it: a date. The same for each run with the same file.",
      placeholder: "DATE",
      default: null,
      defaultSays: "half the retention ago",
    }),
    "location-hint": choice({
      help: "Where Cloudflare makes the objects of new users: where these users are. Without it, as the app says, or near you.",
      placeholder: "WHERE",
      choices: LOCATION_HINTS,
      default: null,
    }),
    rejects: text({
      help: "Where entries are written that were not taken: line and reason, no token.",
      placeholder: "FILE",
      default: null,
      defaultSays: "FILE.rejects.ndjson",
    }),
    batch: number({ help: "Items in one call, at most.", min: 1, max: 500, default: 500 }),
    parallel: number({ help: "Calls at once.", min: 1, max: 32, default: 4 }),
    repeats: number({ help: "How often a call or an item is repeated that fails.", min: 0, max: 100, default: 10 }),
    ...COMETCHAT_OPTIONS,
    ...OPTIONAL_REGISTRY_OPTIONS,
  },
  examples: [
    "--from onesignal players.csv.gz --dry-run",
    "--from onesignal players.csv.gz --url https://push.example.com --app-id acme",
    "--from csv devices.csv --columns uid=owner_id,kind=platform --yes",
    "--from sns endpoints.json --uid-from json:user.id --seen 2026-10-01",
  ],
  notes:
    "After a kill, run the same command again: it goes on where it was. Exit code 0: each entry is accounted for, also those that " +
    "were skipped or rejected. 1: the registry does not answer, or refuses.",
  hasJson: true,
  async run(values, { output, operands: [given] }) {
    const { from } = values;
    if (from === null) throw new UsageError(`--from is needed: one of ${[...FORMAT_NAMES, COMETCHAT_API].join(", ")}`);
    const target = values["dry-run"] ? null : { ...targetOf(values), locationHint: values["location-hint"] };
    const format = from === COMETCHAT_API ? "cometchat" : from;
    const hints = hintsOf(values, format);
    if (given !== undefined && given !== STANDARD_INPUT && from !== COMETCHAT_API) await checkFile(given);
    if (given !== undefined && values.rejects !== null) await checkRejects(values.rejects, given);
    // Whoever named another address or key is told before a long file is read.
    const rules = target === null ? DEFAULT_RULES : await rulesOf(target);
    const source = await sourceOf(values, from, given, output);
    try {
      const { file } = source;
      const what = { from: format, file, hints, rules };
      const rejects = values.rejects ?? (source.isResumable ? `${file}.rejects.ndjson` : "rejects.ndjson");
      const { batch, parallel, repeats } = values;
      const pace = { batch, parallel, repeats, waitMs: 1_000 };
      const how = { rejects, isResumable: source.isResumable, isAsked: !values.yes, pace };
      const imported = await importFile(what, target, how, output);
      if (imported === null) {
        output.note("Nothing was written.");
        return 1;
      }
      output.result(imported, () => sayResult(imported, output));
      await source.imported(imported, output);
      return 0;
    } finally {
      await source.remove();
    }
  },
});

interface Source {
  file: string;
  isResumable: boolean;
  /** Once all of it is accounted for, or a dry run ended. */
  imported(result: Imported, output: Output): Promise<void>;
  /** In any case, at the end. */
  remove(): Promise<void>;
}

async function sourceOf(
  values: Values<typeof COMETCHAT_OPTIONS> & { repeats: number; yes: boolean; "dry-run": boolean },
  from: FormatName | typeof COMETCHAT_API,
  given: string | undefined,
  output: Output,
): Promise<Source> {
  const nothing = async () => {};
  if (from === COMETCHAT_API) {
    const file = await cometChatFile(values, given, output);
    return { file, isResumable: true, imported: (result) => endedWith(file, result, output), remove: nothing };
  }
  if (given === undefined) throw new UsageError("FILE is missing");
  if (given === STANDARD_INPUT) {
    if (!values["dry-run"] && !values.yes) throw new UsageError("standard input needs --yes, or --dry-run");
    return { ...(await copyOf(process.stdin)), isResumable: false, imported: nothing };
  }
  return { file: given, isResumable: true, imported: nothing, remove: nothing };
}

/** What CometChat said is not needed any more, unless the file of rejects names its lines. */
async function endedWith(file: string, { outcomes, rejects }: Imported, output: Output): Promise<void> {
  if (outcomes !== null && rejects === null) return await rm(file);
  const next =
    outcomes === null
      ? "the same command without --dry-run goes on with it. Delete it afterwards."
      : `the lines are those of it. --from cometchat ${file} sends what is left. ` +
        `Delete it before the next --from ${COMETCHAT_API}.`;
  output.say(`${file} has the push tokens that CometChat holds: ${next}`);
}

interface What {
  from: FormatName;
  file: string;
  hints: Hints;
  /** By which the app tells installations apart. */
  rules: IdentityRules;
}

/** Those of an app that says nothing, in a dry run. */
const DEFAULT_RULES: IdentityRules = { fcmInstallations: true };

/** A registry that is busy for a moment ends no import before it began; one that is not there is soon said. */
const SETTINGS_REPEATS = 3;

/** @throws {CommandError} if the registry is not there, or the key is not one that may import */
async function rulesOf({ url, appId, apiKey }: Target): Promise<IdentityRules> {
  const registry = patient(registryOf({ url, "app-id": appId, "api-key": apiKey }), SETTINGS_REPEATS, 300);
  const { key, ...app } = (await registry.call("GET", "/v3/app")) as Partial<IdentityRules> & {
    key?: { scope: string };
  };
  if (key !== undefined && key.scope !== "fullAccess") {
    throw new CommandError(`The scope of this API key is ${key.scope}: an import needs one of scope fullAccess.`);
  }
  return { ...DEFAULT_RULES, ...app };
}

interface How {
  rejects: string;
  isResumable: boolean;
  /** Whether a person is asked first. */
  isAsked: boolean;
  pace: { batch: number; parallel: number; repeats: number; waitMs: number };
}

/** `target`: `null` for a dry run. Answers `null` if the person who was asked did not want it. */
export async function importFile(
  { from, file, hints, rules }: What,
  target: Target | null,
  how: How,
  output: Output,
): Promise<Imported | null> {
  const startedAt = performance.now();
  const seconds = () => Math.round((performance.now() - startedAt) / 100) / 10;
  const scratch = new Scratch(rules);
  try {
    const survey = await surveyed({ from, file, hints }, scratch, output);
    saySurvey(survey, output);
    if (target === null) return { survey, outcomes: null, rejects: null, seconds: seconds() };
    if (how.isAsked && !(await isWanted(survey, target))) return null;
    const checkpointFile = how.isResumable ? checkpointOf(file) : null;
    const of = await runOf({ from, file, hints }, survey, target, how.rejects);
    const before = checkpointFile === null ? null : await readCheckpoint(checkpointFile, of);
    const reading = checkpointFile === null ? null : await readReading(checkpointFile);
    const checkpoint: Checkpoint = before ?? newCheckpoint(of, reading ?? undefined);
    if (checkpoint.done === 0) Object.assign(checkpoint, { outcomes: {}, rejectsBytes: 0 });
    else output.say(`Going on where an earlier run ended: ${rounded(checkpoint.done)} registrations were sent.`);
    const rejects = await Rejects.at(how.rejects, checkpoint.rejectsBytes);
    const { batch, parallel, repeats, waitMs } = how.pace;
    const sender = new Sender(target, { repeats, waitMs }, (line) => output.note(line), batch);
    const progress = output.progress("Registrations sent", survey.registrations);
    const going = { sender, scratch, rejects, checkpoint, checkpointFile, parallel, progress };
    try {
      await importEntries(survey, going);
    } finally {
      progress.end();
      await rejects.close();
    }
    if (checkpointFile !== null) await removeCheckpoint(checkpointFile);
    const { outcomes } = checkpoint;
    if (sum(outcomes) !== survey.entries) {
      throw new CommandError(`${sum(outcomes)} of ${survey.entries} entries are accounted for: did the file change?`);
    }
    return { survey, outcomes, rejects: rejects.bytes === 0 ? null : how.rejects, seconds: seconds() };
  } finally {
    scratch.close();
  }
}

async function surveyed({ from, file, hints }: Omit<What, "rules">, scratch: Scratch, output: Output): Promise<Survey> {
  const { size } = await stat(file);
  const progress = output.progress("Entries read (of about)", Math.ceil(size / BYTES_PER_ENTRY));
  const survey = await surveyOf(entriesOf(file, from, hints), scratch, (entries) => {
    if (entries % ENTRIES_PER_REPORT !== 0) return;
    progress.at(entries);
    freeMemory();
  });
  progress.end();
  return survey;
}

/** Only for the progress of the first look. */
const BYTES_PER_ENTRY = 300;
const ENTRIES_PER_REPORT = 2_000;

/** What an import is: another file, app or option makes it another one, and so does a release that reads the file otherwise. */
async function runOf(
  { from, file, hints }: Omit<What, "rules">,
  survey: Survey,
  { url, appId }: Target,
  rejects: string,
): Promise<string> {
  const parts = [await digestOf(file), from, hints, survey, url, appId, rejects];
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
}

async function isWanted(survey: Survey, { url, appId }: Target): Promise<boolean> {
  if (process.stdin.isTTY !== true) throw new UsageError("nobody can be asked here: say --yes, or --dry-run");
  const question = `Import ${rounded(survey.registrations)} registrations into the app ${appId} at ${url}? [y/N] `;
  const answer = await ask(question, { input: process.stdin, output: process.stderr });
  return /^y(es)?$/i.test(answer.trim());
}

async function checkFile(file: string): Promise<void> {
  const found = await stat(file).catch(() => null);
  if (found === null) throw new UsageError(`there is no file ${file}`);
  if (found.isDirectory()) throw new UsageError(`${file} is a directory, not a file`);
  if (!found.isFile())
    throw new UsageError(`${file} cannot be read twice: give it as the standard input, ${STANDARD_INPUT}`);
}

async function checkRejects(rejects: string, read: string): Promise<void> {
  const [a, b] = await Promise.all([rejects, read].map((file) => stat(file).catch(() => null)));
  if (resolve(rejects) === resolve(read) || (a != null && b != null && a.ino === b.ino && a.dev === b.dev)) {
    throw new UsageError("--rejects names the file that is read");
  }
}

if (import.meta.main) await main(command);
