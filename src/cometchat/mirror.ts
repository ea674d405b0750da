// Push tokens kept at CometChat too, for apps that say `both`: while CometChat still sends some of the pushes. Ours is what
// counts: only what was done here is sent on, after the reply, and what becomes of it there changes nothing for the client.
import { waitUntil } from "cloudflare:workers";
import type { Context, Next } from "hono";
import type { CometChatApp } from "../config/apps.ts";
import type { AppEnv } from "../http/context.ts";
import { ERROR_BYTES_MAX, PROXY_TIMEOUT_MS } from "../limits.ts";
import { log } from "../log.ts";
import { requestHeaders } from "./headers.ts";
import { recordVerdict, sessionOf } from "./memory.ts";
import { ask, clientApiUrl, extensionUrl, isDead, readJson } from "./upstream.ts";

interface Call {
  app: CometChatApp;
  authToken: string;
  /** As it was sent. */
  path: string;
  /** As it is matched. */
  route: string;
}

/**
 * What CometChat keeps too: these very paths. Unregister tickets are ours alone (they carry no auth token), and no other path
 * below ours is ever forwarded, because CometChat might parse it differently.
 */
const MIRRORED = /^\/(v2|v3\/notifications\/push\/v1)\/tokens$/;

/** Lets the call happen here, and then at CometChat. */
export async function mirror(c: Context<AppEnv>, next: Next, { app, authToken, path, route }: Call): Promise<void> {
  const isChange = c.req.method === "POST" || c.req.method === "DELETE";
  if (app.cometchat.pushTokens !== "both" || !isChange || !MIRRORED.test(route)) {
    await next();
    return;
  }
  const copy = c.req.raw.clone();
  await next();
  if (c.res.status !== 200) {
    await copy.body?.cancel();
    return;
  }
  const { method, headers } = c.req.raw;
  const init = { method, headers: requestHeaders(headers), ...(copy.body === null ? {} : { body: await copy.text() }) };
  const { search } = new URL(c.req.url);
  const url = route.startsWith("/v3/")
    ? clientApiUrl(app, path, search)
    : extensionUrl(app, "push-notification", path, search);
  const context = { requestId: c.var.requestId, app: app.appId };
  waitUntil(send().catch((error) => log.warn("a push token was not kept at CometChat too", { ...context, error })));

  async function send(): Promise<void> {
    const response = await ask(url, init, PROXY_TIMEOUT_MS);
    if (response.ok) {
      await response.body?.cancel();
      return;
    }
    log.warn("CometChat refused a push token", { ...context, status: response.status });
    if (!isDead(await readJson(response.body, ERROR_BYTES_MAX))) return;
    await recordVerdict(c.env, app, await sessionOf(authToken), authToken, { is: "dead" });
  }
}
