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

const known = new Map<string, Known>();

/** The session id of an auth token: each login has a token of its own. */
export function sessionOf(authToken: string): Promise<string> {
  return sha256(authToken);
}

/** What is known of the auth token now. */
export function current(app: CometChatApp, session: string): Known | undefined {
  const found = known.get(key(app, session));
  return found !== undefined && found.until > Date.now() ? found : undefined;
}

/** Whether CometChat lately took the auth token for a good one: its calls are not counted against the client. */
export function isVouchedFor(app: CometChatApp, session: string): boolean {
  const found = current(app, session);
  return found?.is === "alive" || found?.is === "accepted";
}

/** Whether CometChat called the auth token dead in the last seconds. */
export function isKnownDead(app: CometChatApp, session: string): boolean {
  return current(app, session)?.is === "dead";
}

/** The uid that CometChat once gave for the auth token, be it still alive or not. */
export function knownUid(app: CometChatApp, session: string): string | null {
  return known.get(key(app, session))?.uid ?? null;
}

/**
 * Keeps what CometChat said of an auth token: a login's reply verifies as well as a question of ours. The session of a dead
 * one ends here.
 */
export async function recordVerdict(
  env: Env,
  app: CometChatApp,
  session: string,
  authToken: string,
  verdict: Verdict,
): Promise<void> {
  if (verdict.is === "alive") {
    // A reply to another auth token says nothing about this one.
    if ((verdict.authToken ?? authToken) !== authToken) return;
    remember(app, session, { is: "alive", uid: verdict.uid, until: Date.now() + app.cometchat.cacheSeconds * 1000 });
  } else if (verdict.is === "dead") {
    const hint = uidHint(authToken);
    // What anybody can make up says nothing; in an auth token that CometChat made, the uid is true.
    const uid = knownUid(app, session) ?? (verdict.wasAlive === true ? hint : null);
    remember(app, session, { is: "dead", uid, until: Date.now() + DEAD_CACHE_MS });
    const likely = uid ?? hint;
    if (likely === null) return;
    const ending = { session, uid: likely, certain: uid !== null, confirmed: true };
    // The auth token is dead whether or not our object answers; the session's slots can be emptied at its next call.
    await endSession(env, app, ending).catch((error) => log.error("a dead session was not ended", { error }));
  }
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

/** The one that was recorded longest ago gives way. */
function remember(app: CometChatApp, session: string, what: Known): void {
  known.delete(key(app, session));
  known.set(key(app, session), what);
  for (const oldest of known.keys()) {
    if (known.size <= VERIFIED_MAX) break;
    known.delete(oldest);
  }
}
