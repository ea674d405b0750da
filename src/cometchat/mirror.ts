// Push tokens kept at CometChat too, for apps that say `both`: while CometChat still sends some of the pushes. Ours is what
// counts: only what was done here is sent on, after the reply, and what becomes of it there changes nothing for the client.
// The copies of one session leave in the order in which its calls took effect here, as far as one isolate serves them.
import { waitUntil } from "cloudflare:workers";
import type { Context, Next } from "hono";
import type { CometChatApp } from "../config/apps.ts";
import { withTimeout } from "../durable/timeout.ts";
import type { AppEnv } from "../http/context.ts";
import { withoutMinorVersion } from "../http/request.ts";
import { COPY_TIMEOUT_MS, COPY_WAIT_MS, ERROR_BYTES_MAX } from "../limits.ts";
import { log } from "../log.ts";
import { isUnambiguous, OUR_EXTENSION, upstreamPath } from "./destination.ts";
import { requestHeaders } from "./headers.ts";
import { recordVerdict, sessionOf } from "./memory.ts";
import { ask, clientApiUrl, extensionUrl, isDead, readJson } from "./upstream.ts";

/**
 * What CometChat keeps too: these very paths. Unregister tickets are ours alone (they carry no auth token), and no other path
 * below ours is ever forwarded, because CometChat might parse it differently.
 */
const MIRRORED = /^\/(v2\/tokens|v3\/notifications\/push\/v1\/tokens(\/[^/]+)?)$/;

/** Lets the call happen here, and then at CometChat. */
export async function mirror(c: Context<AppEnv>, next: Next, app: CometChatApp): Promise<void> {
  const path = upstreamPath(c.req.raw);
  const route = withoutMinorVersion(path);
  const isChange = c.req.method === "POST" || c.req.method === "DELETE";
  if (app.cometchat.pushTokens !== "both" || !isChange || !MIRRORED.test(route) || !isUnambiguous(path)) {
    await next();
    return;
  }
  const copy = c.req.raw.clone();
  await next();
  if (c.res.status !== 200) {
    await copy.body?.cancel();
    return;
  }
  // The client's, or the one that a back end passed on.
  const { authToken } = c.var.caller;
  const headers = requestHeaders(c.req.raw.headers);
  headers.set("appId", app.appId);
  headers.set("authToken", authToken);
  const init = { method: c.req.method, headers, ...(copy.body === null ? {} : { body: await copy.arrayBuffer() }) };
  const { search } = new URL(c.req.url);
  const url = route.startsWith("/v3/")
    ? clientApiUrl(app, path, search)
    : extensionUrl(app, OUR_EXTENSION, path, search);
  const session = await sessionOf(authToken);
  const context = { requestId: c.var.requestId, app: app.appId };
  inTurn(`${app.appId}:${session}`, () =>
    send().catch((error) => log.warn("a push token was not kept at CometChat too", { ...context, error })),
  );

  async function send(): Promise<void> {
    const response = await ask(url, init, COPY_TIMEOUT_MS);
    if (response.ok) {
      await response.body?.cancel();
      return;
    }
    log.warn("CometChat refused a push token", { ...context, status: response.status });
    if (!isDead(await readJson(response.body, ERROR_BYTES_MAX))) return;
    await recordVerdict(c.env, app, session, authToken, { is: "dead" });
  }
}

/** The end of the last copy, by session; only while one is under way. */
const copies = new Map<string, Promise<void>>();

/** Runs `work` after the earlier copies of the session, or when these took too long: their request may be gone. */
function inTurn(session: string, work: () => Promise<void>): void {
  const mine = after(copies.get(session), work);
  copies.set(session, mine);
  waitUntil(
    mine.then(() => {
      if (copies.get(session) === mine) copies.delete(session);
    }),
  );
}

async function after(before: Promise<void> | undefined, work: () => Promise<void>): Promise<void> {
  if (before !== undefined) await withTimeout(before, COPY_WAIT_MS).catch(() => undefined);
  await work();
}
