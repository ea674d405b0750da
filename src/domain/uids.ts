// What a uid may be. Pure: no I/O.

/** A uid as CometChat keeps it: it takes any case and makes it lower. `null` for what no user there can have. */
export function chatUid(text: unknown): string | null {
  return typeof text === "string" && /^[a-z0-9_-]{1,100}$/i.test(text) ? text.toLowerCase() : null;
}
