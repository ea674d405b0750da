// CometChat's hosts and how they are asked. A host comes from the app's configuration alone. A slug put before it can
// be no more than one label. The path is set on that URL and never resolved against it.

import type { CometChatApp } from "../config/apps.ts";
import { chatUid } from "../domain/uids.ts";
import { withTimeout } from "../durable/timeout.ts";
import { readBytes } from "../http/bytes.ts";
import { unavailable } from "../http/errors.ts";
import { REPLY_BODY_TIMEOUT_MS, RETRY_AFTER_SECONDS } from "../limits.ts";

/** A URL of the app's client API, the one that SDKs call. `path` begins with a slash. */
export function clientApiUrl(app: CometChatApp, path: string, search = ""): URL {
  const { clientApi } = app.cometchat;
  return at(clientApi ?? `https://${app.appId}.apiclient-${app.region}.cometchat.io`, path, search);
}

/** A URL of an extension, in the app's own region. */
export function extensionUrl(app: CometChatApp, slug: string, path: string, search = ""): URL {
  if (!SLUG.test(slug)) throw new Error("an extension's slug is one label of a host name");
  return at(`https://${slug}-${app.region}.${app.cometchat.extensionDomain}`, path, search);
}

const SLUG = /^[a-z0-9-]+$/;

function at(base: string, path: string, search: string): URL {
  const url = new URL(base);
  url.pathname = path;
  url.search = search;
  return url;
}

/**
 * Asks CometChat. Redirects are answers, not followed; nothing comes from a cache, which knows no auth token. `timeoutMs` is
 * for the head of the reply; a `signal` may limit the rest too.
 * @throws {ApiError} 503 if no answer came
 */
export async function ask(url: URL, init: RequestInit, timeoutMs: number): Promise<Response> {
  // Input that makes no valid request is our mistake, not CometChat's: it throws here.
  new Request(url, { ...init, body: init.body == null ? null : "" });
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeoutMs);
  try {
    return await fetch(url, { ...init, redirect: "manual", cache: "no-store", signal: abort.signal });
  } catch (cause) {
    throw unavailable(RETRY_AFTER_SECONDS, cause);
  } finally {
    clearTimeout(timer);
  }
}

/** What `GET /me` and `PUT /me` say about an auth token. */
export type Verdict =
  | { is: "alive"; uid: string; authToken: string | undefined }
  /** `wasAlive`: CometChat let it log out just now, so it is genuine. */
  | { is: "dead"; wasAlive?: boolean }
  /** Neither: CometChat's own trouble, or ours with it. It says nothing about the auth token. */
  | { is: "unclear"; why: string };

/** Reads such a reply. Only CometChat's own word makes an auth token dead. */
export function verdictOf(status: number, body: unknown): Verdict {
  const { data, error } = (isObject(body) ? body : {}) as { data?: unknown; error?: unknown };
  if (isDead(body)) return { is: "dead" };
  if (status !== 200 || error != null || !isObject(data)) {
    const code = isObject(error) && typeof error.code === "string" ? error.code.slice(0, 64) : "none";
    return { is: "unclear", why: `status ${status}, code ${code}` };
  }
  const uid = chatUid(data.uid);
  if (uid === null) return { is: "unclear", why: "no uid" };
  const { authToken } = data;
  return { is: "alive", uid, authToken: typeof authToken === "string" ? authToken : undefined };
}

/** Whether an error reply says that the auth token is dead. */
export function isDead(body: unknown): boolean {
  const error = isObject(body) ? body.error : undefined;
  return isObject(error) && error.code === "AUTH_ERR_AUTH_TOKEN_NOT_FOUND";
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The JSON of a body of at most `bytesMax` that comes whole and in time; `undefined` for anything else. */
export async function readJson(body: ReadableStream<Uint8Array> | null, bytesMax: number): Promise<unknown> {
  return (await readJsonText(body, bytesMax)).value;
}

/** As {@link readJson}, and the text as it came; `""` where the value is `undefined`. */
export async function readJsonText(
  body: ReadableStream<Uint8Array> | null,
  bytesMax: number,
): Promise<{ text: string; value: unknown }> {
  try {
    const bytes = body === null ? null : await withTimeout(readBytes(body, bytesMax), REPLY_BODY_TIMEOUT_MS);
    if (bytes === null) return { text: "", value: undefined };
    const text = new TextDecoder().decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch {
    return { text: "", value: undefined };
  }
}
