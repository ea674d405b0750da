// `npm run model`: the long search for faults of the protocols (docs/ownership.md, docs/directory.md).
import type { Mutation } from "../test/model/mutations.ts";
import { MUTATIONS } from "../test/model/mutations.ts";
import { EXTRAS } from "../test/model/schedule.ts";
import { runner, search } from "../test/model/search.ts";
import { defineCommand, main } from "./lib/command.ts";
import { choice, number, text } from "./lib/options.ts";
import { rounded } from "./lib/output.ts";

const SEED_MAX = 0x7fffffff;

export const command = defineCommand({
  name: "model",
  summary:
    "Searches the protocols of ownership and of the directory for faults: random schedules of registrations, logouts, takeovers " +
    "and crashes, run on the real objects. A violation is shrunk and told event by event.",
  options: {
    runs: number({ help: "How many schedules to try.", min: 1, default: 100_000 }),
    seed: number({
      help: "Which schedules: the same seed gives the same ones.",
      min: 0,
      max: SEED_MAX,
      default: null,
      defaultSays: "by the clock",
    }),
    path: text({ help: "One schedule of the seed, as a failure names it.", placeholder: "PATH", default: null }),
    mutation: choice({
      help: "A rule to take out of the protocol, to see that the search finds it.",
      placeholder: "NAME",
      choices: Object.keys(MUTATIONS) as Mutation[],
      default: null,
    }),
    also: choice({
      help: "What is to happen besides, as further faults.",
      placeholder: "WHAT",
      choices: EXTRAS,
      default: null,
    }),
  },
  examples: [
    "--runs 20000 --seed 1",
    "--seed 1 --path 199:0:3",
    '--runs 20000 --also "two instances"',
    '--runs 20000 --seed 1 --mutation "a forget ignores versions"',
  ],
  notes: "Exit code 1: a promise was broken.",
  hasJson: true,
  async run({ runs, seed: given, path, mutation, also }, { output }) {
    const seed = given ?? Date.now() % SEED_MAX;
    const subject = await runner(mutation === null ? [] : MUTATIONS[mutation], also === null ? [] : [also]);
    const progress = output.progress("schedules", runs);
    const cpuBefore = process.cpuUsage().user;
    const found = await search(subject, {
      runs,
      seed,
      path: path ?? undefined,
      progress: (done) => progress.at(done),
    });
    progress.end();
    if (found !== null) {
      output.result({ seed, ...found }, () => {
        output.say(`seed ${seed}, schedule ${found.runs}: ${found.violation}\n\n${found.events.join("\n")}`);
        output.say(`\n${JSON.stringify(found.schedule)}\nAgain: npm run model -- --seed ${seed} --path ${found.path}`);
      });
      return 1;
    }
    // By the processor's time: other programs may run too.
    const perSecond = Math.round(runs / Math.max(0.001, (process.cpuUsage().user - cpuBefore) / 1e6));
    output.result({ seed, runs, perSecond, counts: subject.counts, violation: null }, () => {
      output.say(
        `seed ${seed}: ${rounded(runs)} schedules without a violation, ${rounded(perSecond)} per second of processor time`,
      );
      output.say(JSON.stringify(subject.counts));
    });
    return 0;
  },
});

if (import.meta.main) await main(command);
