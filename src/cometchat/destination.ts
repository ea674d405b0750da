// Where a client's call goes if it is not ours. Pure: what is matched here is what is asked there. A path that two servers
// could read in two ways goes nowhere.
import type { CometChatApp } from "../config/apps.ts";
import { ApiError } from "../http/errors.ts";
import { cleanPath, withoutMinorVersion } from "../http/request.ts";
import { clientApiUrl, extensionUrl } from "./upstream.ts";

/** The extension whose token API is ours. */
export const OUR_EXTENSION = "push-notification";

/** The path as it is passed on: what was matched here is what is asked there, whichever way it was written. */
export function upstreamPath(request: Request): string {
  return cleanPath(request).replace(/%([2-7][0-9a-f])/gi, (encoded, hex) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[\w.~-]/.test(character) ? character : encoded;
  });
}

/** Whether two servers can read a path only in one way. */
export function isUnambiguous(path: string): boolean {
  return !/\/\.{1,2}(\/|$)|%2f|%5c|%00|\\/i.test(path);
}

/** @throws {ApiError} 400 for a path that two servers could read in two ways */
export function checkUnambiguous(path: string): void {
  if (!isUnambiguous(path)) {
    throw new ApiError("ERR_BAD_REQUEST", "The path must hold no dot segments, backslashes or encoded slashes.");
  }
}

/** Where a call to `url` goes, by its path as {@link upstreamPath} has it; `null` if it goes nowhere. */
export function destination(app: CometChatApp, url: string, path: string): URL | null {
  const { host, search } = new URL(url);
  const slug = host === app.publicHost && !host.startsWith(`${OUR_EXTENSION}-`) ? null : slugOf(host, app.region);
  if (slug !== null && slug !== OUR_EXTENSION) return extensionUrl(app, slug, path, search);
  if (withoutMinorVersion(path).startsWith("/v3/")) return clientApiUrl(app, path, search);
  return slug === null ? null : extensionUrl(app, slug, path, search);
}

/** The extension that a host name of the form `{slug}-{region}.{domain}` names. */
function slugOf(host: string, region: string): string | null {
  const label = host.slice(0, Math.max(0, host.indexOf(".")));
  const slug = label.endsWith(`-${region}`) ? label.slice(0, -region.length - 1) : "";
  return /^[a-z0-9-]+$/.test(slug) ? slug : null;
}
