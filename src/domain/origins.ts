// Origins as browsers send them in the header `Origin`. Pure: no I/O.

/** RFC 6454 §6.2, and any scheme: WebViews and extensions have their own, `file` has no host. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]*$/;

/** Schemes whose origins have a host, a default port and, for names beyond ASCII, an encoding. */
const WEB = /^https?:/;

/**
 * An origin in the form in which browsers send it: lower case, no default port, `null` for pages that hide theirs. `null`
 * for text that is no origin, such as one with a path.
 */
export function normalizedOrigin(text: string): string | null {
  const lower = text.toLowerCase();
  if (lower === "null") return lower;
  if (!ORIGIN.test(lower)) return null;
  if (!WEB.test(lower)) return lower;
  return URL.parse(lower)?.origin ?? null;
}
