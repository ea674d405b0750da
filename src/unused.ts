// What stands in the bundle for parts of Hono that nothing here calls (`[alias]` in wrangler.toml). A call of one would throw.

// utils/body.js: forms in bodies.
export const parseBody = undefined;

// utils/mount.js: applications mounted in others.
export const createMountedRequest = undefined;

// utils/html.js: pages that are made of promises.
export const HtmlEscapedCallbackPhase = { Stringify: undefined };
export const resolveCallback = undefined;

// utils/url.js: the path of a request, which is ours to find, and its query, which is the platform's to read (http/request.ts).
export { mergePath, tryDecodeURIComponent } from "hono/utils/url";
export const getPath = undefined;
export const getPathNoStrict = undefined;
export const getQueryParam = undefined;
export const getQueryParams = undefined;
