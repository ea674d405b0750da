// `npm run bench`: the registry beside the floor and beside what people build instead, in one run, in alternating rounds.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { defineCommand, main } from "../scripts/lib/command.ts";
import { flag, number, numbers, text, UsageError } from "../scripts/lib/options.ts";
import { type Output, withRoundedNumbers } from "../scripts/lib/output.ts";
import { build, PROJECT } from "../scripts/lib/workerd.ts";
import { checkAlike } from "./lib/alike.ts";
import { ask } from "./lib/api.ts";
import { countOperations } from "./lib/counts.ts";
import { measureGrowth } from "./lib/growth.ts";
import { type LoadRequest, type Measured, measure } from "./lib/load.ts";
import { OPERATIONS, type Operation } from "./lib/operations.ts";
import { installParseServer, startParseServer } from "./lib/parse-server.ts";
import { postgresVersion } from "./lib/postgres.ts";
import { median } from "./lib/ratios.ts";
import { writeReport } from "./lib/report.ts";
import { measureSizes } from "./lib/sizes.ts";
import { measureStartUp } from "./lib/start-up.ts";
import {
  type Subject,
  startD1,
  startFloor,
  startKv,
  startNodePostgres,
  startOther,
  startRegistry,
  startRegistryInMiniflare,
} from "./lib/subjects.ts";

/** What was measured, by operation and subject; one entry per round. */
export type Results = Record<string, Record<string, Measured[]>>;

interface Load {
  users: number;
  seconds: number;
  rounds: number;
  connections: number;
}

export const command = defineCommand({
  name: "bench",
  summary:
    "Measures the registry beside the floor (a bare route that verifies the same JWT and runs one statement) and beside what " +
    "people build instead, in alternating rounds.",
  options: {
    users: number({ help: "Users that the calls are spread over.", min: 1, default: 300 }),
    seconds: number({ help: "How long an operation is measured per round.", min: 0.1, fractions: true, default: 2 }),
    rounds: number({ help: "Rounds; one more before them warms up.", min: 1, default: 5 }),
    connections: number({ help: "Connections at once.", min: 1, default: 16 }),
    only: text({ help: "Only operations whose name contains this.", placeholder: "NAME", default: null }),
    core: flag("Only the floor and the registry."),
    against: text({
      help: "Only the floor, the registry and those of the others whose name contains this.",
      placeholder: "NAME",
      default: null,
    }),
    beside: text({
      help: "Another checkout of this project, with its dependencies installed: its registry is measured too, as `other`.",
      placeholder: "DIR",
      default: null,
    }),
    growth: flag("Measure too how more users, and more entries in one owner object, change the figures."),
    "growth-users": numbers({ help: "Numbers of users for --growth.", min: 1, default: [1000, 10_000, 100_000] }),
    "growth-owners": numbers({
      help: "Numbers of entries in one owner object for --growth.",
      min: 1,
      default: [10, 1000, 100_000, 1_000_000],
    }),
    write: flag("Write BENCHMARKS.md; counts, sizes and start-up are measured for it too."),
  },
  examples: [
    "--core --rounds 3",
    "--core --beside ../before",
    "--only lookup --against Parse --json",
    "--write --growth",
  ],
  hasJson: true,
  run: bench,
});

async function bench(
  values: Load & {
    only: string | null;
    core: boolean;
    against: string | null;
    beside: string | null;
    growth: boolean;
    "growth-users": readonly number[];
    "growth-owners": readonly number[];
    write: boolean;
  },
  { output }: { output: Output },
): Promise<number> {
  refuseUnknown(values);
  const { users, seconds, rounds, connections } = values;
  const load = { users, seconds, rounds, connections };
  const bundle = await output.during("building the Worker", build());
  // First, because it takes seconds and what follows takes long.
  const counted = values.write
    ? { counts: await countOperations(), sizes: await measureSizes(bundle), startUp: await measureStartUp() }
    : null;
  const { core, beside } = values;
  const against = (name: string) => !core && name.includes(values.against ?? "");
  const results = await compare(load, { against, beside, only: values.only ?? "" }, output);
  const growth = values.growth
    ? await output.during(
        "measuring growth",
        measureGrowth(bundle, [...values["growth-users"]], [...values["growth-owners"]]),
      )
    : null;
  if (counted !== null) await writeReport(join(PROJECT, "BENCHMARKS.md"), { ...load, results, growth, ...counted });
  output.result(withRoundedNumbers({ ...load, results, growth }), () => {
    if (growth !== null) output.say(JSON.stringify(withRoundedNumbers(growth)));
  });
  return 0;
}

/** What would only be noticed after minutes. */
function refuseUnknown({ only, beside }: { only: string | null; beside: string | null }): void {
  const names = OPERATIONS.map(({ name }) => name);
  if (only !== null && !names.some((name) => name.includes(only))) {
    throw new UsageError(`--only must be part of one of ${names.join(", ")}; not ${only}`);
  }
  if (beside !== null && !existsSync(join(beside, "node_modules"))) {
    throw new UsageError(`--beside: ${beside} is no checkout with its dependencies installed`);
  }
}

/** Whether a subject of this name is compared. */
type Wanted = (name: string) => boolean;

/** All operations on all subjects. */
async function compare(
  load: Load,
  { against, beside, only }: { against: Wanted; beside: string | null; only: string },
  output: Output,
): Promise<Results> {
  const subjects: Subject[] = [];
  const results: Results = {};
  const operations = OPERATIONS.filter(({ name }) => name.includes(only));
  try {
    await output.during("starting the subjects", startAll(subjects, against, beside));
    const progress = output.progress("rounds", operations.length * (load.rounds + 1));
    for (const [i, operation] of operations.entries()) {
      const bySubject = await measureRounds(operation, subjects, load, (round) =>
        progress.at(i * (load.rounds + 1) + round, operation.name),
      );
      results[operation.name] = bySubject;
      progress.end();
      if (!output.isJson) printOperation(operation.name, bySubject);
    }
  } finally {
    await Promise.all(subjects.map((subject) => subject.stop()));
  }
  return results;
}

/** Into `subjects` one by one, so that whoever waits can stop those that started. */
async function startAll(subjects: Subject[], against: Wanted, beside: string | null): Promise<void> {
  subjects.push(await startFloor());
  subjects.push(await startRegistry());
  const [d1, kv] = [against("D1 (Miniflare)"), against("KV (Miniflare)")];
  // What runs in the simulator is compared with the registry in the simulator.
  if (d1 || kv) subjects.push(await startRegistryInMiniflare());
  if (d1) subjects.push(await startD1());
  if (kv) subjects.push(await startKv());
  await startThoseOnPostgres(subjects, against);
  await checkAlike(subjects);
  // Another state of the registry may answer otherwise.
  if (beside !== null) subjects.push(await startOther(resolve(beside)));
}

async function startThoseOnPostgres(subjects: Subject[], against: Wanted): Promise<void> {
  const version = postgresVersion();
  const [node, parse] = [against(`Node + PostgreSQL ${version}`), against(`Parse Server + PostgreSQL ${version}`)];
  if (!node && !parse) return;
  if (version === null) {
    console.warn("PostgreSQL is not installed (Debian: apt-get install postgresql): what stands on it is not compared");
    return;
  }
  if (node) subjects.push(await startNodePostgres(version));
  if (!parse) return;
  try {
    await installParseServer();
  } catch (error) {
    console.warn(`Parse Server is not compared: ${(error as Error).message}`);
    return;
  }
  subjects.push(await startParseServer(version));
}

async function measureRounds(
  operation: Operation,
  subjects: Subject[],
  load: Load,
  begun: (round: number) => void,
): Promise<Record<string, Measured[]>> {
  const bySubject: Record<string, Measured[]> = {};
  const able: Subject[] = [];
  for (const subject of subjects) if (await has(subject, operation)) able.push(subject);
  // The first round warms up: engines compile what runs often.
  for (let round = -1; round < load.rounds; round++) {
    begun(round + 1);
    for (const subject of turned(able, round)) {
      const measured = await measureOnce(operation, subject, load);
      if (round >= 0) bySubject[subject.name] = [...(bySubject[subject.name] ?? []), measured];
    }
  }
  return bySubject;
}

async function has({ name, api, url }: Subject, operation: Operation): Promise<boolean> {
  const { hasFloor, isRegistryOnly = false, probe } = operation;
  if (name === "floor") return hasFloor;
  if (isRegistryOnly) return name === "registry" || name === "other";
  if (api.lacks.includes(operation.name)) return false;
  if (probe === undefined) return true;
  const { status } = await ask(url, probe(api));
  const isThere = status !== 400 && status !== 404;
  if (!isThere) console.warn(`${operation.name}: not of ${name}, which answers ${status}`);
  return isThere;
}

async function measureOnce(operation: Operation, subject: Subject, load: Load): Promise<Measured> {
  const { users, seconds, connections } = load;
  const { api, url, pids } = subject;
  const { logins, before, measured } = operation.begin(api, users);
  await subject.logIn?.(logins);
  const busy = { url, pids, connections: operation.connections ?? connections };
  await measure({ url, connections, amount: before.length, next: from(before.values()) });
  const amount = operation.isOnce ? users : operation.amount;
  return measure({
    ...busy,
    ...(amount === undefined ? { seconds } : { amount }),
    next: from(await measured(url)),
  });
}

/** Each round begins with another subject: what one leaves behind does not always meet the same next one. */
function turned<T>(items: T[], by: number): T[] {
  const start = (by + items.length) % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

function from(iterator: Iterator<LoadRequest>): () => LoadRequest {
  return () => {
    const { value, done } = iterator.next();
    if (done === true) throw new Error("there are no more requests to make: take more --users or fewer --seconds");
    return value;
  };
}

function printOperation(name: string, bySubject: Record<string, Measured[]>): void {
  console.log(`\n${name}`);
  console.table(
    Object.fromEntries(
      Object.entries(bySubject).map(([subject, measured]) => [
        subject,
        {
          "per second": Math.round(median(measured.map((m) => m.perSecond))),
          "p50 ms": median(measured.map((m) => m.p50)),
          "p99 ms": median(measured.map((m) => m.p99)),
          "CPU µs": Math.round(median(measured.map((m) => m.cpuPerRequest ?? Number.NaN))),
        },
      ]),
    ),
  );
}

if (import.meta.main) await main(command);
