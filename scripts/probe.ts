// `npm run probe`: how fast a deployment is from here, measured with users of its own, who are erased in the end.
// docs/deploy.md says how to read it.
import { CommandError, defineCommand, main } from "./lib/command.ts";
import { flag, number, numbers, type Option, text, UsageError } from "./lib/options.ts";
import { type Output, rounded, withRoundedNumbers } from "./lib/output.ts";
import { OPTIONAL_REGISTRY_OPTIONS, type Registry, registryOf, targetOf } from "./lib/registry.ts";
import { CALL_TIMEOUT_MS, measure } from "./probe/measure.ts";
import { eraseAll, nameOf, newRun, type Run, runNamed } from "./probe/people.ts";
import { planOf, type Settings, tellPlan } from "./probe/plan.ts";
import type { Timing } from "./probe/timing.ts";

const LOOKUP_MAX = 1000;
const AT_ONCE_MAX = 64;

type Given = { url: string; "app-id": string; "api-key": string };

/**
 * Measures and erases, whatever happened between. `signal`: stop, and erase.
 * @throws {CommandError} where most calls of an operation fail, users cannot be erased, or it was stopped
 */
export async function probe(values: Given, settings: Settings, output: Output, signal: AbortSignal): Promise<Timing[]> {
  const backEnd = registryOf(values, undefined, CALL_TIMEOUT_MS);
  const { identity, key } = (await backEnd.call("GET", "/v3/app")) as { identity: string; key: { scope: string } };
  if (key.scope !== "fullAccess")
    throw new CommandError("the API key must have the scope fullAccess: users are erased");
  const mints = identity === "issued";
  const run = newRun(mints ? settings.calls : 0, Math.max(...settings.sizes));
  const plan = planOf(settings, mints);
  tellPlan(plan, values.url, run, output);
  output.note(`If it is killed, erase its users with --clean ${nameOf(run)}`);
  output.note(await placeOf(values.url));
  if (!mints)
    output.note(`The app's identity is ${identity}: nobody can log in from here, so only reads are measured.`);
  const progress = output.progress("Measurements", plan.measurements);
  try {
    return await measure({ ...settings, values, run, signal, progress });
  } catch (error) {
    if (signal.aborted) throw new CommandError("Stopped. Nothing is printed of a probe that did not end.");
    throw error;
  } finally {
    progress.end();
    await clean(backEnd, run, output);
  }
}

/** Cloudflare says in each reply which of its data centers took the request. */
async function placeOf(url: string): Promise<string> {
  const { headers } = await fetch(new URL("/health", url), { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
  const place = headers.get("cf-ray")?.split("-")[1];
  return place === undefined ? "It does not run at Cloudflare." : `Requests from here reach Cloudflare at ${place}.`;
}

async function clean(backEnd: Registry, run: Run, output: Output): Promise<void> {
  const progress = output.progress("Users erased", run.touched.size);
  const left = await eraseAll(backEnd, run, (done) => progress.at(done));
  progress.end();
  if (left.length === 0) output.note("All users of the probe are erased.");
  else throw new CommandError(`${left.length} users could not be erased. Do it later: --clean ${nameOf(run)}`);
}

/** A list of `numbers`, none above `max`. */
function bounded(option: Option<readonly number[]>, max: number): Option<readonly number[]> {
  return {
    ...option,
    parse: (given, name) => {
      const all = option.parse(given, name);
      if (all.some((each) => each > max)) throw new UsageError(`${name} must be a number from 1 to ${max}, each`);
      return all;
    },
  };
}

export const command = defineCommand({
  name: "probe",
  summary:
    "Measures a deployment from where it runs: a launch's calls with users of its own, and lookups. It says beforehand what it will " +
    "do and what that costs, and erases its users in the end, after Ctrl-C and a failure too.",
  operands: {
    placeholder: "HOST",
    help: "Where the registry is, in place of --url: a host means https.",
    min: 0,
    max: 1,
  },
  options: {
    calls: number({ help: "Calls of each operation, at most.", min: 1, max: 1000, default: 100 }),
    seconds: number({ help: "Seconds for each measurement, at most.", min: 1, max: 300, default: 15 }),
    sizes: bounded(
      numbers({ help: "Users of a lookup, each at most 1,000.", min: 1, default: [1, 10, 100, 500, 1000] }),
      LOOKUP_MAX,
    ),
    "at-once": bounded(
      numbers({ help: "How many calls run side by side, each at most 64.", min: 1, default: [4, 16] }),
      AT_ONCE_MAX,
    ),
    "dry-run": flag("Say what would be done, and what it costs."),
    clean: text({
      help: "Erase the users of a run that was killed, by the name that it printed.",
      placeholder: "NAME",
      default: null,
    }),
    ...OPTIONAL_REGISTRY_OPTIONS,
  },
  examples: [
    "push-notification-us.acme.workers.dev --app-id acme",
    "--url http://localhost:8787 --app-id demo --calls 20",
  ],
  notes:
    "The API key needs the scope fullAccess. Exit code 1: most calls of an operation failed, it was stopped, or a user could not be erased.",
  hasJson: true,
  async run(values, { output, operands: [host] }) {
    const target = targetOf({ ...values, url: host === undefined ? values.url : urlOf(host) });
    const given = { url: target.url, "app-id": target.appId, "api-key": target.apiKey };
    if (values.clean !== null) {
      await clean(registryOf(given, undefined, CALL_TIMEOUT_MS), runNamed(values.clean), output);
      return 0;
    }
    const { calls, sizes, seconds, "at-once": atOnce } = values;
    const settings = { calls, sizes, seconds, atOnce };
    if (values["dry-run"]) {
      tellPlan(planOf(settings, true), given.url, newRun(calls, Math.max(...sizes)), output);
      return 0;
    }
    const timings = await stoppable((signal) => probe(given, settings, output, signal));
    output.result(withRoundedNumbers(timings), () => tell(timings, output));
    return 0;
  },
});

function urlOf(host: string): string {
  const url = host.includes("://") ? host : `https://${host}`;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new UsageError("HOST must be a host or a URL");
  return url;
}

/** The first Ctrl-C stops the work; a second one ends the process, as ever. */
async function stoppable<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    return await work(stop.signal);
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

function tell(timings: readonly Timing[], output: Output): void {
  output.say("| operation | at once | calls | p50 ms | p99 ms | per second | failed |");
  output.say("| --- | --- | --- | --- | --- | --- | --- |");
  for (const { operation, atOnce, calls, p50, p99, perSecond, failures } of timings) {
    const figures = [atOnce, calls, p50, p99, perSecond, failures].map(rounded);
    output.say(`| ${[operation, ...figures].join(" | ")} |`);
  }
  const failed = timings.find(({ firstFailure }) => firstFailure !== undefined)?.firstFailure;
  if (failed !== undefined) output.say(`The first failure: ${failed}`);
}

if (import.meta.main) await main(command);
