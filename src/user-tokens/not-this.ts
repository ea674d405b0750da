// Reports that are about another token than the one that is registered.
import type { Registration } from "../domain/registration.ts";
import type { FeedbackResult } from "./outcomes.ts";

/** The answer to a report of a token that is not registered, or is so in another form: as `row`. */
export function notThis(row: Registration | undefined): FeedbackResult {
  if (row === undefined) return { outcome: "unknown", why: "nobody holds this token" };
  return { outcome: "kept", why: "another form of this token is registered" };
}
