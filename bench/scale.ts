// `npm run scale`: what one object of each kind has to do at a number of users, and which limit is met first. docs/scale.md is
// written by it.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineCommand, main } from "../scripts/lib/command.ts";
import { flag, number, UsageError } from "../scripts/lib/options.ts";
import { withRoundedNumbers } from "../scripts/lib/output.ts";
import { PROJECT } from "../scripts/lib/workerd.ts";
import { DIRECTORY_OBJECTS_MAX, LOOKUP_USERS_MAX } from "../src/limits.ts";
import { countOperations } from "./lib/counts.ts";
import { withParts } from "./lib/pages.ts";
import { breaksOf, scaleOf } from "./lib/scale.ts";
import { chartOf, DEFAULT_SETTINGS, givenOf, partsOf, SIZES } from "./lib/scale-page.ts";
import { keepServiceTimes, knownServiceTimes, measureServiceTimes } from "./lib/service-times.ts";

export const PAGE = join(PROJECT, "docs/scale.md");
export const CHART = join(PROJECT, "docs/scale.svg");

export const command = defineCommand({
  name: "scale",
  summary:
    "Prints what one object of each kind has to do in the busiest hour at a number of users, which of Cloudflare's limits is met " +
    "first, and what happens on bad days: from counted calls and measured times.",
  options: {
    users: number({
      help: "Monthly users of one app.",
      min: 1,
      default: null,
      defaultSays: "1, 10, 100 and 1,000 million",
    }),
    batch: number({
      help: "Users of a lookup, in the mean; 1: senders read user by user.",
      min: 1,
      max: LOOKUP_USERS_MAX,
      default: DEFAULT_SETTINGS.batch,
    }),
    devices: number({ help: "Devices per user.", min: 1, max: 100, default: DEFAULT_SETTINGS.devices }),
    "directory-objects": number({
      help: "The setting directory.objects.",
      min: 1,
      max: DIRECTORY_OBJECTS_MAX,
      default: DEFAULT_SETTINGS.directoryObjects,
    }),
    peak: number({
      help: "The busiest hour, in means.",
      min: 1,
      max: 24,
      fractions: true,
      default: DEFAULT_SETTINGS.peak,
      defaultSays: `${DEFAULT_SETTINGS.peak.toPrecision(3)}, by the day's curve`,
    }),
    measure: flag(
      "Measure first how long objects work on a call, on this machine, and keep it in bench/service-times.json.",
    ),
    write: flag("Write docs/scale.md and docs/scale.svg, with the defaults."),
  },
  examples: ["--users 50000000", "--users 1000000000 --batch 20 --directory-objects 256"],
  hasJson: true,
  async run({ users, batch, devices, "directory-objects": directoryObjects, peak, measure, write }, { output }) {
    const settings = { batch, devices, directoryObjects, peak };
    const isDefault =
      users === null &&
      Object.entries(DEFAULT_SETTINGS).every(([name, value]) => settings[name as keyof typeof settings] === value);
    if (write && !isDefault) throw new UsageError("--write takes the defaults alone");
    if (measure) await keepServiceTimes(await output.during("measuring how long objects work", measureServiceTimes()));
    const counts = await output.during("counting what each call costs", countOperations());
    const given = givenOf(counts, knownServiceTimes(), devices);
    const sizes = users === null ? SIZES : [users];
    const parts = partsOf(given, settings, sizes);
    if (write) {
      await writeFile(PAGE, withParts(await readFile(PAGE, "utf8"), parts));
      await writeFile(CHART, chartOf(given, settings));
    }
    const scales = sizes.map((each) => ({
      users: each,
      ...scaleOf(counts, given.times, given.sizes, { ...settings, users: each }),
    }));
    const first = scales.map((scale) => breaksOf(scale, scale.users)).at(0);
    output.result(
      withRoundedNumbers({ settings, times: given.times, sizes: given.sizes, scales, breaks: first }, 6),
      () => {
        for (const [name, part] of Object.entries(parts)) output.say(`${name}\n\n${part}\n`);
      },
    );
    return 0;
  },
});

if (import.meta.main) await main(command);
