// The registry's clock in tests. This module stands before the registry's own, so that nothing there sees another `Date`.
import { env } from "cloudflare:workers";

const RealDate = Date;
/** What the start was told: `offsetMs`, and the alarms of an earlier run. */
export const given = /** @type {{ offsetMs: number, alarms: Alarm[] }} */ (Reflect.get(env, "TEST_CLOCK"));

/**
 * An alarm of an object, in the clock's own time.
 * @typedef {{ objects: "USER_TOKENS" | "TOKEN_OWNERS", name: string, at: number }} Alarm
 */

let offsetMs = given.offsetMs;

/** How far the clock is ahead of the real one, which is the one that the platform's alarms go by. */
export function ahead() {
  return offsetMs;
}

/**
 * The clock runs on from `time` (epoch ms), unless it is later already.
 * @param {number} time
 */
export function moveTo(time) {
  offsetMs += Math.max(0, time - Date.now());
}

const now = () => RealDate.now() + offsetMs;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: () => new RealDate(now()).toString(),
  get: (target, name, receiver) => (name === "now" ? now : Reflect.get(target, name, receiver)),
});
