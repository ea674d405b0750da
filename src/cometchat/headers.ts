// Which headers cross the proxy. What belongs to one connection, to the network before us or to another host's browser
// state does not; the rest does.
import { distinctValues, isSingle } from "../http/request.ts";

/** RFC 9110 §7.6.1, and the older ones that proxies still meet. */
const HOP_BY_HOP = [
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Of requests: what says who or where the client is, what is for our host alone, and what the runtime sets anew. */
const REQUEST_ONLY =
  /^(host|content-length|accept-encoding|cookie|apikey|expect|forwarded|via|x-forwarded-.*|x-real-ip|x-client-ip|true-client-ip|cf-.*|cdn-loop|x-original-.*|x-rewrite-.*|x-http-method(-override)?|x-method-override)$/;

/** Of replies: what makes a browser remember something about our host, CORS (ours is set once), and what Cloudflare sets. */
const REPLY_ONLY =
  /^(access-control-.*|set-cookie2?|strict-transport-security|alt-svc|clear-site-data|public-key-pins.*|expect-ct|nel|report-to|reporting-endpoints|refresh|service-worker-allowed|cf-.*|server|via|x-request-id)$/;

/** The headers of a request on its way to CometChat. */
export function requestHeaders(headers: Headers): Headers {
  const kept = without(headers, REQUEST_ONLY);
  // A header that arrived twice with one value counts once: of two, CometChat would call a living auth token dead.
  for (const [name, value] of kept)
    if (isSingle(name) && value.includes(",")) kept.set(name, distinctValues(value).join(", "));
  return kept;
}

/** The headers of a reply on its way to the client. `rewritten`: its body is not what CometChat sent. */
export function replyHeaders(headers: Headers, { rewritten = false } = {}): Headers {
  const kept = without(headers, REPLY_ONLY);
  if (rewritten)
    for (const name of ["content-length", "content-encoding", "etag", "content-md5", "digest"]) kept.delete(name);
  return kept;
}

function without(headers: Headers, dropped: RegExp): Headers {
  const named = (headers.get("connection") ?? "").toLowerCase().split(",");
  const hops = new Set([...HOP_BY_HOP, ...named.map((name) => name.trim())]);
  return new Headers([...headers].filter(([name]) => !hops.has(name) && !dropped.test(name)));
}
