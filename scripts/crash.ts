// `npm run crash`: kills workerd under load, again and again, and compares what it serves afterwards with what its clients were
// told. The load: phones that pass from user to user (crash/phones.ts), users whose sessions end and who are erased
// (crash/people.ts), and alarms that ring (crash/alarms.ts).
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { countRung, type MovedAlarm, moveAlarms } from "./crash/alarms.ts";
import { type CommitsResult, commitsRecipe } from "./crash/commits.ts";
import { problemsOnDisk } from "./crash/disk.ts";
import { inStep } from "./crash/in-step.ts";
import { Lookups } from "./crash/lookups.ts";
import { LAST_DEEDS, type LastDeed, People } from "./crash/people.ts";
import { Phones } from "./crash/phones.ts";
import { erasureRecipe, type RecipeResult } from "./crash/recipe.ts";
import { Run, type RunOptions } from "./crash/run.ts";
import { defineCommand, main } from "./lib/command.ts";
import { choice, number, text } from "./lib/options.ts";
import { type Output, type Progress, rounded } from "./lib/output.ts";
import { build } from "./lib/workerd.ts";

/** Users are replaced after this many rounds: 1,000 ended sessions of one user would end their other sessions too. */
const ROUNDS_PER_GENERATION = 10;
/** The kill comes at a random moment up to this long after the first reply of a round. */
const LOAD_MS_MAX = 900;
/** In one of so many rounds; in the others everybody does the same at once, and it comes up to so long after the first of them. */
const ROUNDS_PER_RANDOM_KILL = 4;
const LAST_DEED_MS_MAX = 15;
/** So many alarms ring in each round, at moments up to so long after the start: some before the kill, some after it. */
const ALARMS_PER_ROUND = 40;
const ALARMS_WITHIN_MS = 2500;
/** What the last answers left to the background ends within this time. */
const REST_MS = 1000;
const REST_TURNS_MAX = 4;

export interface CrashOptions extends RunOptions {
  rounds: number;
  progress?: Progress;
}

export interface CrashResult {
  rounds: number;
  /** Requests by operation: answered with 200, cut off by the kill, and answered with 500 or above. */
  acknowledged: Record<string, number>;
  unanswered: Record<string, number>;
  failures: Record<string, number>;
  /** Sessions whose end was acknowledged and that tried to register, and how many could. */
  endedSessionsTried: number;
  endedSessionsBack: number;
  alarmsRung: number;
  tokensChecked: number;
  /** Users whose tokens were compared in lookups; of them, those of whom something was shown that may not be, or was missing. */
  lookupsCompared: number;
  staleInLookups: number;
  missingInLookups: number;
  /** Users' files read after kills; of them, those whose last change the directory lacked, with a near alarm as it must be. */
  filesRead: number;
  directoryBehind: number;
  slowestStartMs: number;
  /** Promises that were broken; empty is the only good value. */
  violations: string[];
}

/** Runs the crash test on a server of its own. */
export async function crashTest(options: CrashOptions): Promise<CrashResult> {
  const run = new Run(options);
  const lookups = new Lookups(run);
  const [phones, people] = [new Phones(run, lookups), new People(run, lookups)];
  const files = new Files(run);
  const alarms = new Alarms(run);
  try {
    for (let round = 0; round < options.rounds; round += 1) {
      await run.start();
      if (round > 0) await check(phones, people);
      if (round % ROUNDS_PER_GENERATION === 0) {
        phones.renew(round / ROUNDS_PER_GENERATION);
        people.renew(round / ROUNDS_PER_GENERATION);
      }
      await loadAndKill(run, phones, people, lastDeedOf(round));
      await files.read(`kill ${round + 1}`);
      alarms.count();
      alarms.move();
      options.progress?.at(round + 1, `${run.violations.length} violations`);
    }
    await run.start();
    await check(phones, people);
    await run.stop();
    await rest(run, alarms);
    await files.read("at rest", { isAtRest: true });
    run.violations.push(...(await problemsOnDisk(run.data, run.app.appId, people.erased)));
  } finally {
    options.progress?.end();
    await run.stop();
  }
  return {
    rounds: options.rounds,
    acknowledged: run.acknowledged.toObject(),
    unanswered: run.unanswered.toObject(),
    failures: run.failures.toObject(),
    endedSessionsTried: phones.deadSessionsTried + people.endedSessionsTried,
    endedSessionsBack: people.endedSessionsBack,
    alarmsRung: alarms.rung,
    tokensChecked: phones.tokensChecked,
    lookupsCompared: lookups.compared,
    staleInLookups: lookups.stale,
    missingInLookups: lookups.missing,
    filesRead: files.count,
    directoryBehind: files.behind,
    slowestStartMs: Math.round(Math.max(...run.startsMs)),
    violations: run.violations,
  };
}

/** What everybody does before the kill of that round; `null`: anything. */
function lastDeedOf(round: number): LastDeed | null {
  const turn =
    Math.floor(round / ROUNDS_PER_RANDOM_KILL) * (ROUNDS_PER_RANDOM_KILL - 1) + (round % ROUNDS_PER_RANDOM_KILL);
  const isRandom = round % ROUNDS_PER_RANDOM_KILL === ROUNDS_PER_RANDOM_KILL - 1;
  return isRandom ? null : (LAST_DEEDS[turn % LAST_DEEDS.length] ?? null);
}

async function loadAndKill(run: Run, phones: Phones, people: People, lastDeed: LastDeed | null): Promise<void> {
  const before = run.acknowledged.total;
  const load = Promise.all([phones.live(), people.live()]);
  // The load ends only by the kill, or because the test itself is wrong: then nothing is waited for.
  await Promise.race([untilTheKill(run, people, before, lastDeed), load]);
  await run.kill();
  await load;
  run.disconnect();
}

async function untilTheKill(
  run: Run,
  people: People,
  acknowledgedBefore: number,
  lastDeed: LastDeed | null,
): Promise<void> {
  const loadMs = Math.floor(run.random() * LOAD_MS_MAX);
  await run.firstReply(acknowledgedBefore);
  await sleep(loadMs);
  if (lastDeed === null) return;
  await people.doLast(lastDeed);
  await sleep(1 + run.random() * (LAST_DEED_MS_MAX - 1));
}

/** Lets alarms ring until nobody's is near; workerd may need a start to find out when one that a kill cut off was to ring. */
async function rest(run: Run, alarms: Alarms): Promise<void> {
  for (let turn = 0; turn < REST_TURNS_MAX && (await inStep(run.data)).behind > 0; turn += 1) {
    alarms.moveAll();
    await run.start();
    await sleep(ALARMS_WITHIN_MS + REST_MS);
    await run.stop();
  }
}

async function check(phones: Phones, people: People): Promise<void> {
  await phones.check();
  await people.check();
}

/** The files of users' objects and of the directory, compared while the server is down. */
class Files {
  count = 0;
  behind = 0;
  readonly #run: Run;

  constructor(run: Run) {
    this.#run = run;
  }

  async read(when: string, options: { isAtRest?: boolean } = {}): Promise<void> {
    const { users, behind, problems } = await inStep(this.#run.data, options);
    this.count += users;
    this.behind += behind;
    this.#run.violations.push(...problems.map((problem) => `${when}: ${problem}`));
  }
}

/** Alarms that ring in the next round; both steps are taken while the server is down. */
class Alarms {
  rung = 0;
  readonly #run: Run;
  #moved: readonly MovedAlarm[] = [];

  constructor(run: Run) {
    this.#run = run;
  }

  /** Counts those of the last round that rang. */
  count(): void {
    this.rung += countRung(this.#run.data, "UserTokens", this.#moved);
  }

  move(count = ALARMS_PER_ROUND): void {
    const settings = { count, spreadMs: ALARMS_WITHIN_MS, random: this.#run.random };
    this.#moved = moveAlarms(this.#run.data, "UserTokens", settings);
  }

  moveAll(): void {
    this.move(Number.POSITIVE_INFINITY);
  }
}

const VIOLATIONS_SHOWN = 20;

export const command = defineCommand({
  name: "crash",
  summary:
    "Kills the server under load, again and again, and compares what it serves afterwards with what its clients were told: " +
    "registrations, removals, takeovers, logouts, mutes, ends of sessions, erasures, reconciliations, alarms and lookups.",
  options: {
    rounds: number({ help: "How many kills.", min: 1, default: 100 }),
    seed: number({ help: "The dice of the load.", min: 0, default: null, defaultSays: "by the clock" }),
    data: text({
      help: "Where the objects' files are kept. A kill loses nothing that the process has written, so a directory in memory is as good as a disk, and allows more requests.",
      placeholder: "DIRECTORY",
      default: null,
      defaultSays: "a temporary directory",
    }),
    only: choice({
      help:
        "One thing alone. erasure: users whose sessions were ended are erased, with the kill some milliseconds later. " +
        "commits: users write without a pause; the files must say of each change that the directory lacks that it does.",
      placeholder: "WHAT",
      choices: ["erasure", "commits"] as const,
      default: null,
    }),
    users: number({ help: "With --only: users that act at once per round.", min: 1, default: 8 }),
  },
  examples: ["--rounds 20 --seed 7", "--only erasure --rounds 400", "--only commits --rounds 400 --users 16"],
  notes:
    "Exit code 1: something acknowledged was lost, something removed came back, a session that had ended acted again, a token " +
    "had two holders, an unanswered request took effect by half, a lookup showed what was gone or not what was there, or the " +
    "directory was behind without an alarm that says so.",
  hasJson: true,
  async run({ rounds, seed: given, data, only, users }, { output }) {
    const seed = given ?? Date.now() % 1_000_000;
    const options = {
      rounds,
      seed,
      bundle: await output.during("building the Worker", build()),
      progress: output.progress("kills", rounds),
      ...(data === null ? {} : { data: await mkdtemp(join(data, "crash-")) }),
    };
    if (only === "erasure") {
      const result = await erasureRecipe({ ...options, users });
      output.result({ seed, ...result }, () => tellRecipe(seed, result, output));
      return result.violations.length === 0 ? 0 : 1;
    }
    if (only === "commits") {
      const result = await commitsRecipe({ ...options, users });
      output.result({ seed, ...result }, () => tellCommits(seed, result, output));
      return result.violations.length === 0 ? 0 : 1;
    }
    const result = await crashTest(options);
    output.result({ seed, ...result }, () => tell(seed, result, output));
    return result.violations.length === 0 ? 0 : 1;
  },
});

function list(counts: Record<string, number>): string {
  const all = Object.entries(counts).map(([name, count]) => `${name} ${rounded(count)}`);
  return all.length === 0 ? "none" : all.join(", ");
}

function tell(seed: number, result: CrashResult, output: Output): void {
  output.say(`seed ${seed}: ${rounded(result.rounds)} kills, slowest start ${rounded(result.slowestStartMs)} ms`);
  output.say(`acknowledged: ${list(result.acknowledged)}`);
  output.say(`cut off by a kill: ${list(result.unanswered)}`);
  output.say(`answered with 500 or above: ${list(result.failures)}`);
  output.say(`alarms that rang: ${rounded(result.alarmsRung)}; tokens compared: ${rounded(result.tokensChecked)}`);
  const { lookupsCompared, staleInLookups, missingInLookups, filesRead, directoryBehind } = result;
  output.say(
    `lookups: ${rounded(lookupsCompared)} users compared, ${staleInLookups} stale, ${missingInLookups} missing; ` +
      `users' files: ${rounded(filesRead)} read, of ${rounded(directoryBehind)} the directory was behind`,
  );
  output.say(`ended sessions: ${rounded(result.endedSessionsTried)} tried, ${result.endedSessionsBack} registered`);
  tellViolations(result.violations, output);
}

function tellRecipe(seed: number, result: RecipeResult, output: Output): void {
  const { rounds, erasuresAcknowledged, erasuresCutOff, endedSessionsTried, endedSessionsBack, roundsBroken } = result;
  output.say(`seed ${seed}: ${rounded(rounds)} kills during erasures`);
  output.say(`erasures: ${rounded(erasuresAcknowledged)} acknowledged, ${rounded(erasuresCutOff)} cut off by the kill`);
  output.say(
    `ended sessions: ${rounded(endedSessionsTried)} tried, ${endedSessionsBack} registered, in ${roundsBroken} of ${rounds} rounds`,
  );
  tellViolations(result.violations, output);
}

function tellCommits(seed: number, result: CommitsResult, output: Output): void {
  output.say(`seed ${seed}: ${rounded(result.rounds)} kills during writes`);
  output.say(`acknowledged: ${list(result.acknowledged)}`);
  output.say(`cut off by a kill: ${list(result.unanswered)}`);
  output.say(`users' files: ${rounded(result.filesRead)} read; of ${rounded(result.behind)} the directory was behind`);
  tellViolations(result.violations, output);
}

function tellViolations(violations: readonly string[], output: Output): void {
  output.say(`${violations.length} violations`);
  for (const violation of violations.slice(0, VIOLATIONS_SHOWN)) output.say(violation);
}

if (import.meta.main) await main(command);
