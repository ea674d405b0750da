// What CometChat said of auth tokens, kept in this isolate: "alive" and "accepted" for the app's cache time, "dead" for
// seconds, anything else not at all. Keyed by app and hash of the auth token. The uid of an auth token never changes.
import type { CometChatApp } from "../config/apps.ts";
import { sha256 } from "../durable/names.ts";
import { DEAD_CACHE_MS, VERIFIED_MAX } from "../limits.ts";
import { log } from "../log.ts";
import { endSession, uidHint } from "./sessions.ts";
import type { Verdict } from "./upstream.ts";

/** What CometChat said of an auth token. `uid` stays true after `until`; it is known of a live one, and may be of others. */
interface Known {
  /** `accepted`: CometChat served a call with it. That vouches for it, and says nothing of its user. */
  is: "alive" | "accepted" | "dead";
  uid: string | null;
  /** Epoch ms. */
  until: number;
}

/** Of good auth tokens and of dead ones: anybody can make dead ones up, and they must not push out the good. */
const alive = new Map<string, Known>();
const dead = new Map<string, Known>();

/** The session id of an auth token: each login has a token of its own. */
export function sessionOf(authToken: string): Promise<string> {
  return sha256(authToken);
}

/** What is known of the auth token now. */
export function current(app: CometChatApp, session: string): Known | undefined {
  const known = found(app, session);
  return known !== undefined && known.until > Date.now() ? known : undefined;
}

/** Whether CometChat lately took the auth token for a good one: its calls are not counted against the client. */
export function isVouchedFor(app: CometChatApp, session: string): boolean {
  const known = current(app, session);
  return known?.is === "alive" || known?.is === "accepted";
}

/** Whether CometChat called the auth token dead in the last seconds. */
export function isKnownDead(app: CometChatApp, session: string): boolean {
  return current(app, session)?.is === "dead";
}

/** The uid that CometChat once gave for the auth token, be it still alive or not. */
export function knownUid(app: CometChatApp, session: string): string | null {
  return found(app, session)?.uid ?? null;
}

/**
 * Keeps what CometChat said of an auth token: a login's reply verifies as well as a question of ours. The session of a dead
 * one ends here; answers whether it was known here.
 */
export async function recordVerdict(
  env: Env,
  app: CometChatApp,
  session: string,
  authToken: string,
  verdict: Verdict,
): Promise<boolean> {
  if (verdict.is === "alive") {
    // A reply to another auth token says nothing about this one.
    if ((verdict.authToken ?? authToken) !== authToken) return false;
    remember(app, session, { is: "alive", uid: verdict.uid, until: Date.now() + app.cometchat.cacheSeconds * 1000 });
  }
  if (verdict.is !== "dead") return false;
  const uid = knownUid(app, session);
  remember(app, session, { is: "dead", uid, until: Date.now() + DEAD_CACHE_MS });
  // Anybody can make up an auth token, and CometChat may accept the logout of one that it does not know. Without its word on
  // whose this one is, only what is known here ends.
  const likely = uid ?? uidHint(authToken);
  if (likely === null) return false;
  const ending = { session, uid: likely, certain: uid !== null, confirmed: true, isLogout: verdict.wasAlive === true };
  // The auth token is dead whether or not our object answers; the session's slots can be emptied at its next call.
  return endSession(env, app, ending).catch((error) => {
    log.warn("a dead session was not ended", { error });
    return false;
  });
}

/** Keeps that CometChat served a call with the auth token. */
export function recordAccepted(app: CometChatApp, session: string): void {
  if (current(app, session) !== undefined) return;
  const until = Date.now() + app.cometchat.cacheSeconds * 1000;
  remember(app, session, { is: "accepted", uid: knownUid(app, session), until });
}

function key(app: CometChatApp, session: string): string {
  return `${app.appId}:${session}`;
}

function found(app: CometChatApp, session: string): Known | undefined {
  return alive.get(key(app, session)) ?? dead.get(key(app, session));
}

/** Beyond VERIFIED_MAX the dead ones go first, and of them those that were recorded longest ago. */
function remember(app: CometChatApp, session: string, what: Known): void {
  for (const each of [alive, dead]) each.delete(key(app, session));
  (what.is === "dead" ? dead : alive).set(key(app, session), what);
  for (const each of [dead, alive]) {
    for (const oldest of each.keys()) {
      if (alive.size + dead.size <= VERIFIED_MAX) return;
      each.delete(oldest);
    }
  }
}
