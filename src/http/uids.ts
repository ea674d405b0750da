// The one form of a uid: the form under which the app's user has an object, whoever names the user.
import type { App } from "../config/apps.ts";
import { IDENTITIES } from "../domain/identity.ts";
import { chatUid, lowerAscii, uidProblem } from "../domain/uids.ts";
import { ApiError, invalid } from "./errors.ts";

/**
 * A uid that an auth token names, in the form in which the app's user has an object. Only A to Z have another case, as in the
 * uids of CometChat.
 */
export function canonicalUid({ uidCase }: App, uid: string): string {
  return uidCase === "insensitive" ? lowerAscii(uid) : uid;
}

/**
 * The app's uid that a back end means by `text`.
 * @throws {ApiError} 400 that names `field`
 */
export function uidOf(app: App, text: string, field = "uid"): string {
  let problem: string | undefined;
  if (IDENTITIES[app.identity].uids === "chat") {
    const uid = chatUid(text);
    if (uid !== null) return uid;
    problem = "must be 1 to 100 letters, digits, _ or -, as at CometChat";
  } else {
    problem = uidProblem(text);
    if (problem === undefined) return canonicalUid(app, text);
  }
  const message = `The ${field} field ${problem}.`;
  throw new ApiError("ERR_BAD_REQUEST", message, { details: { [field]: [message] } });
}

/**
 * A session's id as it stands in a path: it has the form of a uid.
 * @throws {ApiError} 400
 */
export function sessionIdOf(text: string): string {
  const problem = uidProblem(text);
  if (problem !== undefined) throw invalid({ sid: [`The session id ${problem}.`] });
  return text;
}
