// Identity `cometchat`: opaque auth tokens that only CometChat can tell, by `GET /me` of its client API. Its answer is kept
// in this isolate: "alive" for the app's cache time, "dead" for seconds, anything else not at all: an upstream that is down,
// slow or talks nonsense is our trouble, a 503, and logs nobody out.
//
// What is kept is keyed by app and hash of the auth token, and its uid is for good: an auth token never changes its user.
// Requests with the same unknown auth token share one question. Each has its own I/O context, and a promise of another's
// may never settle (that request may be gone), so followers wait for a limited time and then ask themselves.
import { waitUntil } from "cloudflare:workers";
import type { Context } from "hono";
import type { Verifier } from "../auth/verifier.ts";
import type { CometChatApp } from "../config/apps.ts";
import { sha256 } from "../durable/names.ts";
import { TimeoutError, withTimeout } from "../durable/timeout.ts";
import type { AppEnv, Caller } from "../http/context.ts";
import { unavailable } from "../http/errors.ts";
import {
  AUTH_TOKEN_LENGTH_MAX,
  DEAD_CACHE_MS,
  ME_BYTES_MAX,
  RETRY_AFTER_SECONDS,
  VERIFICATION_TIMEOUT_MS,
  VERIFICATION_WAIT_MS,
  VERIFIED_MAX,
} from "../limits.ts";
import { log } from "../log.ts";
import { endSession, uidHint } from "./sessions.ts";
import { limitUnverified } from "./unverified.ts";
import { ask, clientApiUrl, readJson, type Verdict, verdictOf } from "./upstream.ts";

/** What CometChat said of an auth token. `uid` stays true when `until` is over; it may be unknown but of a live one. */
interface Known {
  /** `accepted`: CometChat served a call with it. That vouches for it, and says nothing of its user. */
  is: "alive" | "accepted" | "dead";
  uid: string | null;
  /** Epoch ms. */
  until: number;
}

const known = new Map<string, Known>();
const inFlight = new Map<string, Promise<Verdict>>();

/** Who the auth token names; `null` if CometChat calls it dead. */
export const verifyCometChat: Verifier<CometChatApp> = async (app, authToken, c) => {
  if (authToken.length > AUTH_TOKEN_LENGTH_MAX) return null;
  const session = await sessionOf(authToken);
  const uid = await verify(c, app, session, authToken);
  return uid === null ? null : callerOf(uid, session, authToken);
};

function callerOf(uid: string, session: string, authToken: string): Caller {
  // CometChat's auth tokens do not expire and carry no time that can be trusted.
  return { uid, session: { id: session, issuedAt: null, usableUntil: null }, expired: false, authToken };
}

/** The session id of an auth token: each login has a token of its own. */
export function sessionOf(authToken: string): Promise<string> {
  return sha256(authToken);
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
 * The uid of a live auth token, `null` of a dead one; its session has ended here then.
 * @throws {ApiError} 503 if CometChat cannot tell now, 429 for a client that presents too many unknown auth tokens
 */
export async function verify(
  c: Context<AppEnv>,
  app: CometChatApp,
  session: string,
  authToken: string,
): Promise<string | null> {
  const found = current(app, session);
  if (found?.is === "alive") return found.uid;
  if (found?.is === "dead") return null;
  const verdict = await singleFlight(key(app, session), async () => {
    if (found === undefined) await limitUnverified(c, app);
    return question(c.env, app, session, authToken);
  });
  if (verdict.is === "alive") return verdict.uid;
  if (verdict.is === "dead") return null;
  throw unavailable(RETRY_AFTER_SECONDS, new Error(`CometChat does not verify: ${verdict.why}`));
}

/** Keeps what CometChat said elsewhere: a login's reply verifies as well as a question of ours. */
export async function note(
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

/** CometChat served a call with the auth token. */
export function noteAccepted(app: CometChatApp, session: string): void {
  if (current(app, session) !== undefined) return;
  const until = Date.now() + app.cometchat.cacheSeconds * 1000;
  remember(app, session, { is: "accepted", uid: knownUid(app, session), until });
}

function key(app: CometChatApp, session: string): string {
  return `${app.appId}:${session}`;
}

function current(app: CometChatApp, session: string): Known | undefined {
  const found = known.get(key(app, session));
  return found !== undefined && found.until > Date.now() ? found : undefined;
}

/** The one that was noted longest ago gives way. */
function remember(app: CometChatApp, session: string, what: Known): void {
  known.delete(key(app, session));
  known.set(key(app, session), what);
  for (const oldest of known.keys()) {
    if (known.size <= VERIFIED_MAX) break;
    known.delete(oldest);
  }
}

async function question(env: Env, app: CometChatApp, session: string, authToken: string): Promise<Verdict> {
  const verdict = await withTimeout(askMe(app, authToken), VERIFICATION_TIMEOUT_MS).catch((error): Verdict => {
    return { is: "unclear", why: error instanceof TimeoutError ? error.message : "no answer" };
  });
  if (verdict.is === "alive" && (verdict.authToken ?? authToken) !== authToken) {
    return { is: "unclear", why: "the answer is of another auth token" };
  }
  await note(env, app, session, authToken, verdict);
  return verdict;
}

async function askMe(app: CometChatApp, authToken: string): Promise<Verdict> {
  const headers = { appId: app.appId, authToken, Accept: "application/json" };
  const response = await ask(clientApiUrl(app, "/v3.0/me"), { headers }, VERIFICATION_TIMEOUT_MS);
  return verdictOf(response.status, await readJson(response.body, ME_BYTES_MAX));
}

/** Runs `work` once for all requests of this isolate that want it now. */
async function singleFlight(name: string, work: () => Promise<Verdict>): Promise<Verdict> {
  for (;;) {
    const other = inFlight.get(name);
    if (other === undefined) {
      const mine = work();
      inFlight.set(name, mine);
      const done = mine.then(
        () => undefined,
        () => undefined,
      );
      // Whoever asks for others too must not stop because its own client hung up.
      waitUntil(
        done.then(() => {
          if (inFlight.get(name) === mine) inFlight.delete(name);
        }),
      );
      return mine;
    }
    try {
      return await withTimeout(other, VERIFICATION_WAIT_MS);
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      if (inFlight.get(name) === other) inFlight.delete(name);
    }
  }
}
