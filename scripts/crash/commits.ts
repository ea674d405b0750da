// One kill after another in the middle of writes: is what a change needs to be shown in the same commit as the change? That is the
// version, and the alarm that says that the directory may not have it (docs/directory.md). Short rounds, so many tries per hour.
import { setTimeout as sleep } from "node:timers/promises";
import type { Login } from "../lib/load.ts";
import type { Progress } from "../lib/output.ts";
import { inStep } from "./in-step.ts";
import { Run, type RunOptions } from "./run.ts";

/** The kill comes after at most so many replies per user, and at most as long again as they took. */
const REPLIES_MAX = 2;

export interface CommitsOptions extends RunOptions {
  rounds: number;
  users: number;
  progress?: Progress;
}

export interface CommitsResult {
  rounds: number;
  acknowledged: Record<string, number>;
  unanswered: Record<string, number>;
  /** Users' files that were read, and of them those whose last change the kill kept from the directory. */
  filesRead: number;
  behind: number;
  violations: string[];
}

/** Runs the recipe on a server of its own. */
export async function commitsRecipe(options: CommitsOptions): Promise<CommitsResult> {
  const run = new Run(options);
  let [filesRead, behind] = [0, 0];
  try {
    await run.start();
    const logins = await Promise.all(Array.from({ length: options.users }, (_, i) => run.calls.login(`writer-${i}`)));
    for (let round = 0; round < options.rounds; round += 1) {
      if (round > 0) await run.start();
      await writeAndKill(run, logins);
      const step = await inStep(run.data);
      filesRead += step.users;
      behind += step.behind;
      run.violations.push(...step.problems.map((problem) => `kill ${round + 1}: ${problem}`));
      options.progress?.at(round + 1, `${run.violations.length} violations`);
    }
  } finally {
    options.progress?.end();
    await run.stop();
  }
  return {
    rounds: options.rounds,
    acknowledged: run.acknowledged.toObject(),
    unanswered: run.unanswered.toObject(),
    filesRead,
    behind,
    violations: run.violations,
  };
}

async function writeAndKill(run: Run, logins: readonly Login[]): Promise<void> {
  const before = run.acknowledged.total;
  const startedAt = performance.now();
  const load = Promise.all(logins.map((login) => run.untilKilled(() => write(run, login))));
  await Promise.race([run.firstReply(before + Math.floor(run.random() * REPLIES_MAX * logins.length)), load]);
  await sleep(run.random() * (performance.now() - startedAt));
  await run.kill();
  await load;
  run.disconnect();
}

/** Mostly rotations of one installation's token: changes for which no owner object is asked. */
async function write(run: Run, login: Login): Promise<void> {
  const { calls } = run;
  const isRemoval = run.random() < 0.2;
  const { status, text } = isRemoval
    ? await run.counted("removal", () => calls.asClient(login, "DELETE", "/v2/tokens", { all: false }))
    : await run.counted("registration", () =>
        calls.asClient(login, "POST", "/v2/tokens", { fcmToken: `${installationOf(login)}:${run.newTokenValue()}` }),
      );
  if (status !== 200)
    run.violations.push(`${isRemoval ? "a removal" : "a registration"} was answered ${status}: ${text}`);
}

/** A Firebase Installation ID. */
function installationOf({ uid }: Login): string {
  return `c${uid.padEnd(21, "_")}`;
}
