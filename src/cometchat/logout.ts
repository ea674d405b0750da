// `DELETE /me`, CometChat's logout: the session ends here, and then there.

import { limitAddress } from "../auth/middleware.ts";
import { unavailable } from "../http/errors.ts";
import { ERROR_BYTES_MAX, PROXY_TIMEOUT_MS } from "../limits.ts";
import { log } from "../log.ts";
import { type Call, forward } from "./forward.ts";
import { replyHeaders } from "./headers.ts";
import { verify } from "./identity.ts";
import { isKnownDead, isVouchedFor, knownUid, recordVerdict } from "./memory.ts";
import { endSession, uidHint } from "./sessions.ts";
import { limitUnverified } from "./unverified.ts";
import { ask, clientApiUrl, isDead, isObject, readJson, type Verdict } from "./upstream.ts";

/**
 * `DELETE /me`. The SDK forgets its auth token whatever we answer, and never asks again: so the session ends here before
 * anything can fail, and once more if our own object or CometChat did not answer at first. A logout is not acknowledged
 * while the session may come back: 503 if we cannot tell whose it is, or cannot end it.
 */
export async function logout(call: Call): Promise<Response> {
  const { c, app, session, authToken } = call;
  if (!isVouchedFor(app, session)) {
    await limitAddress(c, app);
    await limitUnverified(c, app);
  }
  const ended = await endHere(call).catch((error) => {
    log.warn("a session did not end at once", { requestId: c.var.requestId, app: app.appId, error });
    return null;
  });
  // CometChat's reply must be about this auth token, and about no other that came along.
  call.url.search = "";
  const { status, statusText, headers, body } = await forward(call).catch(async (error) => {
    if (ended !== true) await endHere(call);
    throw error;
  });
  const [read, passed] = body?.tee() ?? [null, null];
  const reply = verdictOfLogout(status, await readJson(read, ERROR_BYTES_MAX));
  // If CometChat called this auth token dead a moment ago, a successful logout does not prove it alive: logging out twice may
  // not be an error there.
  const verdict: typeof reply = reply !== null && ended === false ? { is: "dead" } : reply;
  const wasKnown = verdict !== null && (await recordVerdict(c.env, app, session, authToken, verdict));
  if (ended !== true && !wasKnown) {
    // We do not know whose auth token it was, and another isolate may still have it cached as alive.
    if (verdict?.wasAlive === true && knownUid(app, session) === null) throw unavailable();
    await endHere(call, verdict !== null);
  }
  return new Response(passed, { status, statusText, headers: replyHeaders(headers) });
}

/** What CometChat's reply to a logout says of the auth token; `null`: nothing. */
function verdictOfLogout(status: number, reply: unknown): (Verdict & { is: "dead" }) | null {
  if (isDead(reply)) return { is: "dead" };
  return status === 200 && isObject(reply) && "data" in reply ? { is: "dead", wasAlive: true } : null;
}

/**
 * Ends the session of the auth token before CometChat is asked to, using the most reliable uid available. `false`: CometChat
 * calls the auth token dead, and it holds nothing here. A made-up auth token causes no write.
 * @throws {ApiError} if the session may live on
 */
async function endHere({ c, app, session, authToken }: Call, saidDead = false): Promise<boolean> {
  const confirmed = saidDead || isKnownDead(app, session);
  const end = (uid: string, certain: boolean) =>
    endSession(c.env, app, { session, uid, certain, confirmed, isLogout: true });
  const known = knownUid(app, session);
  const hint = uidHint(authToken);
  if (known === null && hint !== null && (await end(hint, false))) return true;
  const uid = known ?? (await verify(c, app, session, authToken));
  if (uid !== null) await end(uid, true);
  return uid !== null;
}

/** Tells CometChat of the logout that it missed. */
export async function catchUp({ c, app, session, authToken }: Call): Promise<void> {
  const init = { method: "DELETE", headers: { appId: app.appId, authToken, Accept: "application/json" } };
  const response = await ask(clientApiUrl(app, "/v3.0/me"), init, PROXY_TIMEOUT_MS);
  const verdict = verdictOfLogout(response.status, await readJson(response.body, ERROR_BYTES_MAX));
  if (verdict !== null) await recordVerdict(c.env, app, session, authToken, verdict);
}
