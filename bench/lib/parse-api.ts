// Parse Server's own REST API, called as its SDKs call it. An installation holds one token: a phone's token is saved as an
// installation (`POST /installations`, Parse's upsert) whose `user` is who is logged in there; senders query by the master key.
import { createHash } from "node:crypto";
import type { Api, Login, Tokens } from "./api.ts";
import type { LoadRequest } from "./load.ts";

export const MASTER_KEY = "benchmark-master-key";
const APP = { "X-Parse-Application-Id": "bench", "content-type": "application/json" };
const MASTER = { ...APP, "X-Parse-Master-Key": MASTER_KEY };
/** Parse answers 100 objects unless it is told otherwise; a user has at most 100 tokens in any subject. */
const TOKENS_PER_USER_MAX = 100;

const pointer = (uid: string) => ({ __type: "Pointer", className: "_User", objectId: uid });

/** A token as Parse makes them, always the same one for a login. */
export function sessionToken({ uid, session }: Login): string {
  return `r:${createHash("sha256").update(`${uid} ${session}`).digest("hex").slice(0, 32)}`;
}

/** Parse Server has no call that takes a user's installations away, and its logout leaves them with the user. */
const LACKING = ["logout", "delete all"];

export const PARSE_API: Api = {
  lacks: LACKING,

  phone(login) {
    const headers = { ...APP, "X-Parse-Session-Token": sessionToken(login) };
    const register = (tokens: Tokens): LoadRequest => ({
      method: "POST",
      path: "/parse/installations",
      headers,
      body: JSON.stringify(installation(login, tokens)),
    });
    const lacking = (): never => {
      throw new Error(`Parse Server has neither of: ${LACKING.join(", ")}`);
    };
    return {
      // Clients may not query installations: it is the back end that lists them.
      list: () => query({ user: pointer(login.uid) }, "deviceToken,deviceType", TOKENS_PER_USER_MAX),
      register,
      registerAgain: register,
      logout: lacking,
      removeAll: lacking,
    };
  },

  lookup: (uids) => query({ user: { $in: uids.map(pointer) } }, FIELDS, uids.length * TOKENS_PER_USER_MAX),

  // As `Parse.Query.each` walks a class: by object id. Installations, not users: here each user has one.
  page: (limit, cursor) =>
    query(
      { user: { $exists: true }, ...(cursor === null ? {} : { objectId: { $gt: cursor } }) },
      FIELDS,
      limit,
      "objectId",
    ),

  // It can only empty the whole class.
  clear: () => [{ method: "DELETE", path: "/parse/purge/_Installation", headers: MASTER }],

  listed: (reply) => (reply as Results).results.map(({ deviceToken }) => deviceToken),

  found(reply) {
    const byUid = new Map<string, string[]>();
    for (const { user, deviceToken } of (reply as Results).results) {
      byUid.set(user.objectId, [...(byUid.get(user.objectId) ?? []), deviceToken]);
    }
    return byUid;
  },

  cursorOf(reply, limit) {
    const { results } = reply as Results;
    return results.length < limit ? null : (results.at(-1)?.objectId ?? null);
  },
};

interface Results {
  results: { objectId: string; deviceToken: string; user: { objectId: string } }[];
}

/** What a sender needs of an installation; Parse adds `objectId` and the times. */
const FIELDS = "deviceToken,deviceType,installationId,user";

/** `_method`: a GET with a body, as Parse's SDKs send it; a URL could not hold so many users. */
function query(where: object, keys: string, limit: number, order?: string): LoadRequest {
  return {
    method: "POST",
    path: "/parse/installations",
    headers: MASTER,
    body: JSON.stringify({ _method: "GET", where, keys, limit, ...(order === undefined ? {} : { order }) }),
  };
}

/** The same phone after another login is the same installation. */
function installation({ uid }: Login, tokens: Tokens): object {
  const [[field = "", deviceToken = ""] = [], more] = Object.entries(tokens);
  if (more !== undefined) throw new Error("an installation of Parse holds one token");
  const device = field === "fcmToken" ? { deviceType: "android", pushType: "gcm" } : { deviceType: "ios" };
  return { ...device, deviceToken, installationId: `of-${deviceToken}`.toLowerCase(), user: pointer(uid) };
}
