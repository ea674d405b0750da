// The one form of a uid: the form under which the app's user has an object, whoever names the user.
import type { App } from "../config/apps.ts";
import { ApiError } from "./errors.ts";
import * as schemas from "./schemas.ts";

/** A uid as CometChat keeps it: it takes any case and makes it lower. `null` for what no user there can have. */
export function chatUid(text: unknown): string | null {
  return typeof text === "string" && /^[a-z0-9_-]{1,100}$/i.test(text) ? text.toLowerCase() : null;
}

/**
 * The app's uid that a back end means by `text`.
 * @throws {ApiError} 400 that names `field`
 */
export function uidOf(app: App, text: string, field = "uid"): string {
  let problem: string | undefined;
  if (app.identity === "cometchat") {
    const uid = chatUid(text);
    if (uid !== null) return uid;
    problem = "must be 1 to 100 letters, digits, _ or -, as at CometChat";
  } else {
    problem = schemas.uid.safeParse(text).error?.issues[0]?.message;
    if (problem === undefined) return text;
  }
  const message = `The ${field} field ${problem}.`;
  throw new ApiError("ERR_BAD_REQUEST", message, { details: { [field]: [message] } });
}
