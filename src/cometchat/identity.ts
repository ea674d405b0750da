// Identity `cometchat`: opaque auth tokens that only CometChat can tell, by `GET /me` of its client API. An upstream that is
// down, slow or talks nonsense is our trouble, a 503, and logs nobody out. memory.ts keeps what it said.
import type { Context } from "hono";
import type { Verifier } from "../auth/verifier.ts";
import type { CometChatApp } from "../config/apps.ts";
import { TimeoutError, withTimeout } from "../durable/timeout.ts";
import type { AppEnv, Caller } from "../http/context.ts";
import { unavailable } from "../http/errors.ts";
import { SingleFlight } from "../http/single-flight.ts";
import {
  AUTH_TOKEN_LENGTH_MAX,
  ME_BYTES_MAX,
  RETRY_AFTER_SECONDS,
  VERIFICATION_TIMEOUT_MS,
  VERIFICATION_WAIT_MS,
} from "../limits.ts";
import { current, recordVerdict, sessionOf } from "./memory.ts";
import { limitUnverified } from "./unverified.ts";
import { ask, clientApiUrl, readJson, type Verdict, verdictOf } from "./upstream.ts";

/** Requests with the same unknown auth token share one question. */
const questions = new SingleFlight<Verdict>(VERIFICATION_WAIT_MS);

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
  const verdict = await questions.run(`${app.appId}:${session}`, async () => {
    if (found === undefined) await limitUnverified(c, app);
    return askAndRecord(c.env, app, session, authToken);
  });
  if (verdict.is === "alive") return verdict.uid;
  if (verdict.is === "dead") return null;
  // Anybody can make up an auth token that CometChat answers with nonsense.
  throw unavailable(RETRY_AFTER_SECONDS, new Error(`CometChat does not verify: ${verdict.why}`), "warn");
}

async function askAndRecord(env: Env, app: CometChatApp, session: string, authToken: string): Promise<Verdict> {
  const verdict = await withTimeout(askMe(app, authToken), VERIFICATION_TIMEOUT_MS).catch((error): Verdict => {
    return { is: "unclear", why: error instanceof TimeoutError ? error.message : "no answer" };
  });
  if (verdict.is === "alive" && (verdict.authToken ?? authToken) !== authToken) {
    return { is: "unclear", why: "the answer is of another auth token" };
  }
  await recordVerdict(env, app, session, authToken, verdict);
  return verdict;
}

async function askMe(app: CometChatApp, authToken: string): Promise<Verdict> {
  const headers = { appId: app.appId, authToken, Accept: "application/json" };
  const response = await ask(clientApiUrl(app, "/v3.0/me"), { headers }, VERIFICATION_TIMEOUT_MS);
  return verdictOf(response.status, await readJson(response.body, ME_BYTES_MAX));
}
