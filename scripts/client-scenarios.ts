// `npm run client-scenarios`: random lives of an app with public/client.js, against a registry for tests.
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runScenarios } from "../test/support/node/client-scenarios.ts";
import { startWith } from "../testing/registry.ts";
import { defineCommand, main } from "./lib/command.ts";
import { number } from "./lib/options.ts";
import { rounded } from "./lib/output.ts";
import { build, PROJECT } from "./lib/workerd.ts";

export const command = defineCommand({
  name: "client-scenarios",
  summary:
    "Plays random lives of an app with public/client.js against a server: logins, logouts, rotations and tabs, while the network, " +
    "the registry and the clock misbehave. At rest the registry must hold what the app last wanted.",
  options: {
    scenarios: number({ help: "How many.", min: 1, default: 10_000 }),
    seed: number({
      help: "Which: the same seed gives the same ones.",
      min: 0,
      default: null,
      defaultSays: "by the clock",
    }),
  },
  examples: ["--scenarios 200 --seed 7"],
  notes: "Exit code 1: one went wrong; the shortest story that does is printed.",
  hasJson: true,
  async run({ scenarios, seed: given }, { output }) {
    const seed = given ?? Date.now() % 1_000_000;
    const bundle = await output.during("building the Worker", build());
    const app = { appId: "test", takeovers: { perUserAndHour: 1_000_000 } };
    const registry = await startWith({ bundle, statics: join(PROJECT, "public") }, { app });
    const progress = output.progress("scenarios", scenarios);
    try {
      const result = await runScenarios({ scenarios, seed, registry, progress: (played) => progress.at(played, "") });
      progress.end();
      output.result({ seed, ...result }, () => {
        output.say(`seed ${seed}: ${rounded(result.scenarios)} scenarios, ${rounded(result.requests)} requests`);
        output.say(result.finding ?? "at the end of each, the registry held what the app last wanted");
      });
      return result.finding === null ? 0 : 1;
    } finally {
      await registry.stop();
      await rm(dirname(bundle), { recursive: true });
    }
  },
});

if (import.meta.main) await main(command);
