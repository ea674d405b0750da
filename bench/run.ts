// `npm run bench`: the registry beside the floor and beside what people build instead, in one run, in alternating rounds.
// Prints a table and JSON; with --write, BENCHMARKS.md too.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build, PROJECT } from "../scripts/lib/workerd.ts";
import { checkAlike } from "./lib/alike.ts";
import { countOperations } from "./lib/counts.ts";
import { measureGrowth } from "./lib/growth.ts";
import { type LoadRequest, type Measured, measure } from "./lib/load.ts";
import { OPERATIONS, type Operation } from "./lib/operations.ts";
import { median, writeReport } from "./lib/report.ts";
import { measureSizes } from "./lib/sizes.ts";
import { measureStartUp } from "./lib/start-up.ts";
import {
  type Subject,
  startD1,
  startFloor,
  startKv,
  startNodePostgres,
  startRegistry,
  startRegistryInMiniflare,
} from "./lib/subjects.ts";

const { values } = parseArgs({
  options: {
    users: { type: "string", default: "300" },
    seconds: { type: "string", default: "2" },
    rounds: { type: "string", default: "5" },
    connections: { type: "string", default: "16" },
    /** Only operations whose name contains this. */
    only: { type: "string", default: "" },
    /** Only the floor and the registry. */
    core: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    growth: { type: "boolean", default: false },
    /** Numbers of users, and of entries in one owner object, that --growth goes through. */
    "growth-users": { type: "string", default: "1000,10000,100000" },
    "growth-owners": { type: "string", default: "10,1000,100000,1000000" },
    json: { type: "string" },
  },
});
const users = Number(values.users);
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const connections = Number(values.connections);

/** What was measured, by operation and subject; a round each. */
export type Results = Record<string, Record<string, Measured[]>>;

const bundle = await build();
// First, for it takes seconds and what follows takes long.
const counted = values.write
  ? { counts: await countOperations(), sizes: await measureSizes(bundle), startUp: await measureStartUp() }
  : null;

const subjects: Subject[] = [];
const results: Results = {};
try {
  subjects.push(await startFloor(), await startRegistry());
  if (!values.core) {
    subjects.push(await startRegistryInMiniflare(), await startD1(), await startKv());
    const postgres = await startNodePostgres();
    if (postgres === null)
      console.warn("PostgreSQL is not installed (Debian: apt-get install postgresql): not compared");
    else subjects.push(postgres);
  }
  await checkAlike(subjects);
  for (const operation of OPERATIONS.filter(({ name }) => name.includes(values.only))) {
    const bySubject: Record<string, Measured[]> = {};
    results[operation.name] = bySubject;
    // The first round warms up: engines compile what runs often.
    for (let round = -1; round < rounds; round++) {
      for (const subject of turned(subjects, round).filter((each) => has(each, operation))) {
        const measured = await measureOnce(operation, subject);
        if (round >= 0) bySubject[subject.name] = [...(bySubject[subject.name] ?? []), measured];
      }
    }
    printOperation(operation.name, bySubject);
  }
} finally {
  await Promise.all(subjects.map((subject) => subject.stop()));
}
if (values.json !== undefined) {
  await writeFile(values.json, JSON.stringify({ users, seconds, rounds, connections, results }, null, 2));
} else console.log(JSON.stringify(results));

const sizes = (text: string) => text.split(",").map(Number);
const growth = values.growth
  ? await measureGrowth(bundle, sizes(values["growth-users"]), sizes(values["growth-owners"]))
  : null;
if (growth !== null) console.log(JSON.stringify(growth));
if (counted !== null) {
  await writeReport(join(PROJECT, "BENCHMARKS.md"), {
    ...{ users, seconds, rounds, connections, results, growth },
    ...counted,
  });
}

function has({ name }: Subject, { hasFloor, isRegistryOnly = false }: Operation): boolean {
  return name === "floor" ? hasFloor : name === "registry" || !isRegistryOnly;
}

async function measureOnce(operation: Operation, subject: Subject): Promise<Measured> {
  const prepare = operation.prepare(users);
  const { url, pids } = subject;
  const busy = { url, pids, connections: operation.connections ?? connections };
  await measure({ url, connections, amount: prepare.length, next: from(prepare.values()) });
  const amount = operation.isOnce ? users : operation.amount;
  return measure({
    ...busy,
    ...(amount === undefined ? { seconds } : { amount }),
    next: from(operation.requests(users)),
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
