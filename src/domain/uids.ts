// What a uid may be, and a session id, which has the same form. Pure: no I/O.
import { UID_LENGTH_MAX } from "../limits.ts";

/**
 * What is wrong with a text as a uid or session id; `undefined` if nothing is. `.` and `..` are none: clients and servers
 * take them out of paths, and then the path names something else.
 */
export function uidProblem(text: unknown): string | undefined {
  if (typeof text !== "string") return "must be a string";
  if (text === "") return "must not be empty";
  // In characters, as people count them; each has at most two of the units that `length` counts.
  if (text.length > UID_LENGTH_MAX && [...text.slice(0, 2 * UID_LENGTH_MAX + 1)].length > UID_LENGTH_MAX)
    return `must not be longer than ${UID_LENGTH_MAX} characters`;
  if (!text.isWellFormed() || /\p{Cc}/u.test(text)) return "must be well-formed text without control characters";
  return text === "." || text === ".." ? 'must not be "." or ".."' : undefined;
}

/** A to Z in lower case, and no other letter: `K` (the Kelvin sign) is not `k`. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Whether two spellings of one uid are two users. */
export const UID_CASES = ["sensitive", "insensitive"] as const;

/** A uid as CometChat keeps it: it takes any case and makes it lower. `null` for what no user there can have. */
export function chatUid(text: unknown): string | null {
  return typeof text === "string" && /^[a-z0-9_-]{1,100}$/i.test(text) ? text.toLowerCase() : null;
}
