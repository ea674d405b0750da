// `npm run model -- --runs N --seed S [--path P] [--mutation NAME]`: the long search for faults of the ownership protocol.
// A path is a schedule of the seed, as a failure names it; a mutation is a rule that is taken out of the protocol.
import { parseArgs } from "node:util";
import { MUTATIONS, type Mutation } from "../test/model/mutations.ts";
import { runner, search } from "../test/model/search.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "100000" },
    seed: { type: "string" },
    path: { type: "string" },
    mutation: { type: "string" },
  },
});

const runs = Number(values.runs);
const seed = values.seed === undefined ? Date.now() % 0x7fffffff : Number(values.seed);
if (values.mutation !== undefined && !(values.mutation in MUTATIONS)) {
  throw new Error(`--mutation is one of:\n${Object.keys(MUTATIONS).join("\n")}`);
}
const subject = await runner(MUTATIONS[values.mutation as Mutation]);
/** By the processor's time: other programs may run too. */
const perSecond = (n: number) => Math.round(n / (process.cpuUsage().user / 1e6));
const found = await search(subject, {
  runs,
  seed,
  path: values.path,
  progress: (n) => {
    if (n % 10_000 === 0) console.log(`${n} schedules, ${perSecond(n)} a second of processor time`);
  },
});

if (found === null) {
  console.log(`seed ${seed}: ${runs} schedules without a violation, ${perSecond(runs)} a second of processor time`);
  console.log(JSON.stringify(subject.counts));
} else {
  console.log(`seed ${seed}, schedule ${found.runs}: ${found.violation}\n`);
  console.log(found.events.join("\n"));
  console.log(`\n${JSON.stringify(found.schedule)}\nAgain: npm run model -- --seed ${seed} --path ${found.path}`);
  process.exitCode = 1;
}
