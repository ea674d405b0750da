// CometChat's REST API as far as a back end asks it who is pushed where: users, their auth tokens and push tokens, page by page.
// Paths, fields and limits are those of its documentation.
import { type Answer, FAKE_AUTH_KEY, type Login, ok, type ReceivedRequest, refuse } from "./fake-cometchat.ts";

/** The API key that the fake's REST API accepts: scope fullAccess. */
export const FAKE_API_KEY = "fake-cometchat-api-key";

const AUTH_TOKENS_PER_PAGE_MAX = 100;
const CREATED_AT = 1_700_000_000;

/** `logins`: those of the app that is asked; `usersPerPage`: at most, whatever is asked for. */
export function answerBackEnd(
  { path, headers }: ReceivedRequest,
  logins: readonly Login[],
  usersPerPage: number,
): Answer {
  if (headers.apikey === FAKE_AUTH_KEY) return refuse(403, "AUTH_ERR_NO_ACCESS");
  if (headers.apikey !== FAKE_API_KEY) return refuse(401, "AUTH_ERR_APIKEY_NOT_FOUND");
  const { pathname, searchParams } = new URL(path, "https://fake.test");
  const uids = [...new Set(logins.map(({ uid }) => uid))];
  if (pathname === "/v3/users") {
    return page(
      uids.map((uid) => ({ uid, createdAt: CREATED_AT })),
      searchParams,
      usersPerPage,
    );
  }
  const uid = pathname.match(/^\/v3\/users\/([^/]+)\/auth_tokens$/)?.[1];
  if (uid !== undefined) {
    if (!uids.includes(decodeURIComponent(uid))) return refuse(404, "ERR_UID_NOT_FOUND");
    const alive = logins.filter((login) => login.alive && login.uid === decodeURIComponent(uid));
    const listed = alive.map(({ authToken }) => ({ uid, authToken, createdAt: CREATED_AT }));
    return page(listed, searchParams, AUTH_TOKENS_PER_PAGE_MAX);
  }
  return pathname === "/v3/notifications/push/v1/tokens"
    ? pushTokens(searchParams, logins)
    : refuse(404, "ERR_API_NOT_FOUND");
}

function page(all: readonly object[], query: URLSearchParams, perPageMax: number): Answer {
  const asked = Number(query.get("perPage") ?? 100);
  const number = Number(query.get("page") ?? 1);
  if (!(asked >= 1 && asked <= 1000 && number >= 1)) return refuse(400, "ERR_BAD_REQUEST");
  const perPage = Math.min(asked, perPageMax);
  const data = all.slice((number - 1) * perPage, number * perPage);
  const pagination = {
    total: all.length,
    count: data.length,
    per_page: perPage,
    current_page: number,
    total_pages: Math.max(1, Math.ceil(all.length / perPage)),
  };
  return { status: 200, body: { data, meta: { pagination } } };
}

/** `all`: those of the auth token's user. */
function pushTokens(query: URLSearchParams, logins: readonly Login[]): Answer {
  const login = logins.find((each) => each.alive && each.authToken === query.get("authToken"));
  if (login === undefined) return refuse(404, "ERR_AUTH_TOKEN_NOT_FOUND");
  const asked = query.get("all") === "true" ? logins.filter(({ alive, uid }) => alive && uid === login.uid) : [login];
  return ok({
    pushTokens: asked.flatMap(({ authToken, uid, listedFor = uid, listed }) =>
      Object.entries(listed).map(([platform, token]) => ({
        authToken,
        pushTokenType: "chat",
        uid: listedFor,
        platform,
        ...token,
      })),
    ),
  });
}
