// How a call is passed on to CometChat, and its reply back.
import type { Context } from "hono";
import type { CometChatApp } from "../config/apps.ts";
import type { AppEnv } from "../http/context.ts";
import { BODY_BYTES_MAX, ERROR_BYTES_MAX, PROXY_TIMEOUT_MS, UPLOAD_TIMEOUT_MS } from "../limits.ts";
import { replyHeaders, requestHeaders } from "./headers.ts";
import { isVouchedFor, recordAccepted, recordVerdict } from "./memory.ts";
import { limitUnverified } from "./unverified.ts";
import { ask, isDead, readJson } from "./upstream.ts";

/** A call that is passed on. */
export interface Call {
  c: Context<AppEnv>;
  app: CometChatApp;
  authToken: string;
  session: string;
  /** Where it goes. */
  url: URL;
}

/** The upstream's reply; an auth token of which nothing is known costs its client one of a limited number. */
export async function forward({ c, app, session, authToken, url }: Call): Promise<Response> {
  if (!isVouchedFor(app, session)) await limitUnverified(c, app);
  const { method } = c.req.raw;
  // Some clients send `Content-Length: 0` with a GET, and few a body; `fetch` takes neither.
  const body = method === "GET" || method === "HEAD" ? null : c.req.raw.body;
  const headers = requestHeaders(c.req.raw.headers);
  // What CometChat answers is taken for its word on this auth token: no other one goes along, whatever `Connection` says.
  headers.delete("authorization");
  if (url.searchParams.has("authToken")) url.searchParams.delete("authToken");
  headers.set("appId", app.appId);
  headers.set("authToken", authToken);
  return ask(url, { method, headers, body }, timeLimitMs(body, c.req.raw.headers));
}

/**
 * How long CometChat may take to begin its reply to a request of that body and these headers, as the client sent them. It does
 * not begin before it has read a file, and a phone sends one as slowly as its network is.
 */
export function timeLimitMs(body: ReadableStream | null, headers: Headers): number {
  const length = headers.get("content-length");
  const isSmall = body === null || (length !== null && Number(length) <= BODY_BYTES_MAX);
  return isSmall ? PROXY_TIMEOUT_MS : UPLOAD_TIMEOUT_MS;
}

export async function passOn(call: Call): Promise<Response> {
  return relay(call, await forward(call));
}

/** The reply as it came; one that calls the auth token dead has ended the session here before the client sees it. */
export async function relay({ c, app, session, authToken }: Call, response: Response): Promise<Response> {
  const { status, statusText, headers } = response;
  let { body } = response;
  if (status >= 400 && body !== null) {
    const [read, passed] = body.tee();
    body = passed;
    if (isDead(await readJson(read, ERROR_BYTES_MAX)))
      await recordVerdict(c.env, app, session, authToken, { is: "dead" });
  } else if (status < 300) {
    recordAccepted(app, session);
  }
  return new Response(body, { status, statusText, headers: replyHeaders(headers) });
}
