// What the operations ask of a subject, as requests. Most subjects speak the registry's API; another product has its own.
import type { LoadRequest } from "./load.ts";
import { clientHeaders, SERVER_HEADERS } from "./logins.ts";

export interface Login {
  uid: string;
  session: string;
}

/** Tokens by the field of `POST /v2/tokens`: `{ fcmToken: "…" }`. */
export type Tokens = Record<string, string>;

/** The calls of one login. Its headers are made once: a signature for each request would load the machine. */
export interface Phone {
  list(): LoadRequest;
  register(tokens: Tokens): LoadRequest;
  /** A registration of what is there already. */
  registerAgain(tokens: Tokens): LoadRequest;
  logout(): LoadRequest;
  removeAll(): LoadRequest;
}

export interface Api {
  /** Names of operations that it does not have. */
  lacks: readonly string[];
  phone(login: Login): Phone;
  lookup(uids: string[]): LoadRequest;
  /** A page of all users; `null` asks for the first. */
  page(limit: number, cursor: string | null): LoadRequest;
  /** Takes away all that these logins' users registered. */
  clear(logins: Login[]): LoadRequest[];
  /** The tokens in a reply to `list`. */
  listed(reply: unknown): string[];
  /** The tokens in a reply to `lookup` or `page`, by user. */
  found(reply: unknown): Map<string, string[]>;
  /** Where the page after this one begins; `null` if this is the last. */
  cursorOf(reply: unknown, limit: number): string | null;
}

export const REGISTRY_API: Api = {
  lacks: [],

  phone({ uid, session }) {
    const headers = clientHeaders(uid, session);
    const register = (tokens: Tokens, query = ""): LoadRequest => ({
      method: "POST",
      path: `/v2/tokens${query}`,
      headers,
      body: JSON.stringify(tokens),
    });
    return {
      list: () => ({ method: "GET", path: "/v2/tokens", headers }),
      register,
      // The floor decides nothing: it is told.
      registerAgain: (tokens) => register(tokens, "?unchanged"),
      logout: () => ({ method: "DELETE", path: "/v3.0/me", headers }),
      removeAll: () => ({ method: "DELETE", path: "/v2/tokens", headers, body: '{"all":true}' }),
    };
  },

  lookup: (uids) => ({
    method: "POST",
    path: "/v3/push_tokens/lookup",
    headers: SERVER_HEADERS,
    body: JSON.stringify({ uids }),
  }),

  page: (limit, cursor) => ({
    method: "GET",
    path: `/v3/push_tokens?limit=${limit}${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`,
    headers: SERVER_HEADERS,
  }),

  clear: (logins) => logins.map((login) => REGISTRY_API.phone(login).removeAll()),

  listed: (reply) => Object.values((reply as { data: Record<string, string[]> }).data).flat(),

  found: (reply) =>
    new Map((reply as UsersReply).data.users.map(({ uid, pushTokens }) => [uid, pushTokens.map(({ token }) => token)])),

  cursorOf: (reply) => (reply as UsersReply).data.cursor ?? null,
};

interface UsersReply {
  data: { users: { uid: string; pushTokens: { token: string }[] }[]; cursor?: string };
}

/** Makes one request. The reply is read as JSON; one that is no success is not read. */
export async function ask(url: string, request: LoadRequest): Promise<{ status: number; reply: unknown }> {
  const { path, method, headers, body } = request;
  const response = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body }) });
  if (response.ok) return { status: response.status, reply: await response.json() };
  await response.body?.cancel();
  return { status: response.status, reply: null };
}

/** Asks for all pages, one after the other. */
export async function* pages(
  api: Api,
  url: string,
  limit: number,
): AsyncGenerator<{ request: LoadRequest; reply: unknown }> {
  for (let cursor: string | null = null; ; ) {
    const request: LoadRequest = api.page(limit, cursor);
    const { status, reply } = await ask(url, request);
    if (status !== 200) throw new Error(`${request.method} ${request.path} answered ${status}`);
    yield { request, reply };
    cursor = api.cursorOf(reply, limit);
    if (cursor === null) return;
  }
}
