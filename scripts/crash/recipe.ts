// One kill in the middle of one thing: users whose sessions were ended with a 200 are erased, the server is killed within
// milliseconds, and the ended sessions try to register. Short, and so many more tries per hour than the whole crash test.
import { setTimeout as sleep } from "node:timers/promises";
import type { Login } from "../lib/load.ts";
import type { Progress } from "../lib/output.ts";
import { Run, type RunOptions } from "./run.ts";

const KILL_AFTER_MS_MIN = 1;
const KILL_AFTER_MS_MAX = 12;

export interface RecipeOptions extends RunOptions {
  rounds: number;
  /** Users that are erased at once in each round. */
  users: number;
  progress?: Progress;
}

export interface RecipeResult {
  rounds: number;
  /** Erasures that were answered with 200 before the kill, and that it cut off. */
  erasuresAcknowledged: number;
  erasuresCutOff: number;
  /** Sessions whose end had been acknowledged, and how many of them registered after the restart. */
  endedSessionsTried: number;
  endedSessionsBack: number;
  /** Rounds in which one did. */
  roundsBroken: number;
  violations: string[];
}

const ENDS = ["logout", "end of one session", "end of all sessions"] as const;

interface Victim {
  uid: string;
  how: (typeof ENDS)[number];
  ended: Login;
  isErased: boolean;
}

/** Runs the recipe on a server of its own. */
export async function erasureRecipe(options: RecipeOptions): Promise<RecipeResult> {
  const run = new Run(options);
  const result: RecipeResult = {
    rounds: 0,
    erasuresAcknowledged: 0,
    erasuresCutOff: 0,
    endedSessionsTried: 0,
    endedSessionsBack: 0,
    roundsBroken: 0,
    violations: run.violations,
  };
  try {
    await run.start();
    for (let round = 0; round < options.rounds; round += 1) {
      const names = Array.from({ length: options.users }, (_, i) => `erased-${round}-${i}`);
      const victims = await Promise.all(names.map((uid, i) => prepare(run, uid, ENDS[(round + i) % ENDS.length])));
      await eraseAndKill(run, victims);
      await run.start();
      await check(run, victims, result);
      options.progress?.at(result.rounds, `${result.endedSessionsBack} ended sessions are back`);
    }
  } finally {
    options.progress?.end();
    await run.stop();
  }
  return {
    ...result,
    erasuresAcknowledged: run.acknowledged.of("erasure"),
    erasuresCutOff: run.unanswered.of("erasure"),
  };
}

/** A user with a registration of a session that was ended with a 200, and is refused. */
async function prepare(run: Run, uid: string, how: Victim["how"] = "logout"): Promise<Victim> {
  const { calls } = run;
  const ended = await calls.login(uid);
  const register = () => calls.asClient(ended, "POST", "/v2/tokens", { fcmToken: run.newTokenValue() });
  const before = await register();
  if (before.status !== 200) throw new Error(`a registration was answered ${before.status}: ${before.text}`);
  const sid = JSON.parse(Buffer.from(ended.authToken.split(".")[1] ?? "", "base64url").toString()).sid;
  const end = {
    logout: () => calls.asClient(ended, "DELETE", "/v3.0/me"),
    "end of one session": () => calls.asServer("DELETE", `/v3/users/${uid}/sessions/${sid}`),
    "end of all sessions": () => calls.asServer("DELETE", `/v3/users/${uid}/sessions`),
  }[how];
  const reply = await end();
  const after = await register();
  if (reply.status !== 200 || after.status !== 401) {
    throw new Error(`${how} was answered ${reply.status}, and a registration after it ${after.status}`);
  }
  return { uid, how, ended, isErased: false };
}

async function eraseAndKill(run: Run, victims: readonly Victim[]): Promise<void> {
  const erasures = victims.map(async (victim) => {
    const erase = () => run.calls.asServer("DELETE", `/v3/users/${victim.uid}`);
    const { status } = await run.counted("erasure", erase);
    victim.isErased = status === 200;
  });
  const settled = Promise.allSettled(erasures);
  await sleep(KILL_AFTER_MS_MIN + run.random() * (KILL_AFTER_MS_MAX - KILL_AFTER_MS_MIN));
  await run.kill();
  await settled;
  run.disconnect();
}

async function check(run: Run, victims: readonly Victim[], result: RecipeResult): Promise<void> {
  const backBefore = result.endedSessionsBack;
  for (const { uid, how, ended, isErased } of victims) {
    const held = await run.calls.asServer("GET", `/v3/users/${uid}/push_tokens`);
    if (isErased && JSON.parse(held.text).data.pushTokens.length > 0) {
      run.violations.push(`${uid}, whose erasure was acknowledged, holds tokens`);
    }
    const { status } = await run.calls.asClient(ended, "POST", "/v2/tokens", { fcmToken: run.newTokenValue() });
    result.endedSessionsTried += 1;
    if (status === 401) continue;
    run.violations.push(`a session of ${uid}, ended with a 200 (${how}), was answered ${status} after the kill`);
    if (status === 200) result.endedSessionsBack += 1;
  }
  result.rounds += 1;
  if (result.endedSessionsBack > backBefore) result.roundsBroken += 1;
}
