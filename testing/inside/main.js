// What Miniflare runs: the registry as a deploy has it, byte for byte, with a clock that a test can move. Only here is there a
// way to move it.
import { env, WorkerEntrypoint } from "cloudflare:workers";
import * as registry from "./registry.js";
import { ahead, given, moveTo } from "./time.js";

/** @typedef {import("./time.js").Alarm} Alarm */

/** The alarms that are set, by object. @type {Map<string, Alarm>} */
const alarms = new Map();
for (const alarm of given.alarms) alarms.set(keyOf(alarm), alarm);

/** @param {Pick<Alarm, "objects" | "name">} of */
function keyOf({ objects, name }) {
  return `${objects} ${name}`;
}

/**
 * Puts the clock between an object and the platform's alarms, which go by real time.
 * @param {Alarm["objects"]} objects
 * @param {DurableObjectState} ctx
 */
function intoTime(objects, { id, storage }) {
  const { name } = id;
  if (name === undefined) throw new Error("objects are addressed by name");
  const key = keyOf({ objects, name });
  const real = {
    getAlarm: storage.getAlarm.bind(storage),
    setAlarm: storage.setAlarm.bind(storage),
    deleteAlarm: storage.deleteAlarm.bind(storage),
    deleteAll: storage.deleteAll.bind(storage),
  };
  storage.getAlarm = async (options) => {
    const known = alarms.get(key)?.at;
    const at = await real.getAlarm(options);
    return at === null ? null : (known ?? at + ahead());
  };
  storage.setAlarm = (at, options) => {
    alarms.set(key, { objects, name, at: Number(at) });
    return real.setAlarm(Number(at) - ahead(), options);
  };
  storage.deleteAlarm = (options) => {
    alarms.delete(key);
    return real.deleteAlarm(options);
  };
  storage.deleteAll = (options) => {
    alarms.delete(key);
    return real.deleteAll(options);
  };
  return { key, real };
}

export class UserTokens extends registry.UserTokens {
  #time;

  /** @param {DurableObjectState} ctx @param {Env} env */
  constructor(ctx, env) {
    const time = intoTime("USER_TOKENS", ctx);
    super(ctx, env);
    this.#time = time;
  }

  /** @override @param {AlarmInvocationInfo} [info] */
  async alarm(info) {
    await super.alarm(inTime(this.#time, info));
  }

  /** @param {number} at */
  async testRing(at) {
    if (await isStill(this.#time, at)) await super.alarm(ringing(at));
  }

  testArm() {
    return armAgain(this.#time);
  }
}

export class TokenOwners extends registry.TokenOwners {
  #time;

  /** @param {DurableObjectState} ctx @param {Env} env */
  constructor(ctx, env) {
    const time = intoTime("TOKEN_OWNERS", ctx);
    super(ctx, env);
    this.#time = time;
  }

  /** @override @param {AlarmInvocationInfo} [info] */
  async alarm(info) {
    inTime(this.#time, info);
    await super.alarm();
  }

  /** @param {number} at */
  async testRing(at) {
    if (await isStill(this.#time, at)) await super.alarm();
  }

  testArm() {
    return armAgain(this.#time);
  }
}

/** @typedef {ReturnType<typeof intoTime>} Time */

/**
 * The platform rings: what it says of that, in the clock's time.
 * @param {Time} time @param {AlarmInvocationInfo} [info]
 */
function inTime({ key }, info) {
  const known = alarms.get(key)?.at;
  alarms.delete(key);
  return info && { ...info, scheduledTime: known ?? info.scheduledTime + ahead() };
}

/** @param {number} at @returns {AlarmInvocationInfo} */
function ringing(at) {
  return { scheduledTime: at, isRetry: false, retryCount: 0 };
}

/**
 * Takes an alarm away in order to ring it; not if it was set anew meanwhile.
 * @param {Time} time @param {number} at
 */
async function isStill({ key, real }, at) {
  if (alarms.get(key)?.at !== at) return false;
  alarms.delete(key);
  await real.deleteAlarm();
  return true;
}

/** @param {Time} time */
async function armAgain({ key, real }) {
  const at = alarms.get(key)?.at;
  if (at !== undefined) await real.setAlarm(at - ahead());
}

/** @param {Alarm} alarm */
function objectOf({ objects, name }) {
  const namespace = /** @type {{ getByName(name: string): unknown }} */ (env[objects]);
  return /** @type {{ testRing(at: number): Promise<void>, testArm(): Promise<void> }} */ (namespace.getByName(name));
}

/** The hand on the clock. No address leads here but Miniflare's own. */
export class Clock extends WorkerEntrypoint {
  /** @override Body: by how many ms the clock moves on. Every alarm that is due by then rings at its time. @param {Request} request */
  async fetch(request) {
    const target = Date.now() + Number(await request.text());
    for (;;) {
      const [next] = [...alarms.values()].filter(({ at }) => at <= target).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      moveTo(next.at);
      await objectOf(next).testRing(next.at);
    }
    moveTo(target);
    await Promise.all([...alarms.values()].map((alarm) => objectOf(alarm).testArm()));
    return Response.json({ aheadMs: ahead() });
  }
}

export const { Directory, PushTokens } = registry;
export default registry.default;
