// The search for faults: many schedules, each a run of the real objects, from one seed. A schedule that breaks a promise is
// shrunk and told event by event.
import fc from "fast-check";
import { type Edit, loadProtocol } from "./native.ts";
import { type Extra, Runner, type Schedule, schedules } from "./schedule.ts";
import { Violation } from "./world.ts";

export interface Found {
  /** How many schedules ran before it, this one included. */
  runs: number;
  violation: string;
  schedule: Schedule;
  /** The events, one a line; the violation at the end. */
  events: readonly string[];
  /** fast-check's name of the schedule, for `--path`. */
  path: string;
}

/** A release that writes another format in the directory. */
const NEXT_RELEASE: readonly Edit[] = [
  { file: "durable/snapshots.ts", find: "SNAPSHOT_FORMAT = 1;", replace: "SNAPSHOT_FORMAT = 2;" },
  { file: "user-tokens/publication.ts", find: "tokens: JSON.stringify(", replace: 'tokens: " " + JSON.stringify(' },
];

/** @param extras what happens besides */
export async function runner(edits: readonly Edit[] = [], extras: readonly Extra[] = []): Promise<Runner> {
  const next = extras.includes("two releases") ? { next: await loadProtocol([...edits, ...NEXT_RELEASE]) } : {};
  return Runner.create(await loadProtocol(edits), { extras, ...next });
}

/** Runs up to `runs` schedules; the first that breaks a promise, or `null`. */
export async function search(
  subject: Runner,
  options: {
    runs: number;
    seed: number;
    path?: string | undefined;
    shrink?: boolean;
    progress?: (runs: number) => void;
  },
): Promise<Found | null> {
  let runs = 0;
  const property = fc.asyncProperty(schedules, async (schedule) => {
    await subject.run(schedule);
    // A schedule leaves the event loop to nobody else.
    await new Promise((resolve) => setImmediate(resolve));
    runs += 1;
    options.progress?.(runs);
  });
  const result = await fc.check(property, {
    numRuns: options.runs,
    seed: options.seed,
    ...(options.path === undefined ? {} : { path: options.path }),
    endOnFailure: options.shrink === false,
  });
  if (!result.failed || result.counterexample === null) return null;
  const [schedule] = result.counterexample;
  const { message, told } = await violationOf(subject, schedule);
  return { runs: result.numRuns, violation: message, schedule, events: told, path: result.counterexamplePath ?? "" };
}

async function violationOf(subject: Runner, schedule: Schedule): Promise<{ message: string; told: readonly string[] }> {
  try {
    await subject.run(schedule, true);
  } catch (error) {
    if (error instanceof Violation) return { message: error.message, told: error.told ?? [] };
    throw error;
  }
  throw new Error("the schedule failed in the search, but not when it was told");
}
