// The registry from a Node back end, typed: the calls, their bodies and their replies are the Worker's own types.
// Copy it beside a checkout of the registry, with `hono` installed; nothing of the Worker itself ends up in your program.
import { hc } from "hono/client";
import type { Api } from "../../src/app.ts";

export interface RegistryOptions {
  /** `https://push-notification-us.<account>.workers.dev` */
  url: string;
  appId: string;
  /** An API key of scope `sender` reads; `fullAccess` also mints auth tokens and ends sessions. */
  apiKey: string;
}

/** What a back end does with the registry. Each call throws an `Error` with the registry's own message. */
export function createRegistryClient({ url, appId, apiKey }: RegistryOptions) {
  const api = hc<Api>(url, { headers: { appId, apikey: apiKey } });
  return {
    /** An auth token for one login of the user on one device. */
    async mintAuthToken(uid: string): Promise<string> {
      const response = await api.v3.users[":uid"].auth_tokens.$post({ param: { uid }, json: {} });
      return (await dataOf(response)).authToken;
    },
    /** The push tokens of up to 1,000 users. */
    async lookup(uids: string[]) {
      return dataOf(await api.v3.push_tokens.lookup.$post({ json: { uids } }));
    },
    /** Ends all sessions of the user: every device is logged out of pushes at once. */
    async endAllSessions(uid: string) {
      return dataOf(await api.v3.users[":uid"].sessions.$delete({ param: { uid }, json: {} }));
    },
  };
}

async function dataOf<T>(response: { ok: boolean; status: number; json(): Promise<{ data: T }> }): Promise<T> {
  const body = await response.json();
  if (response.ok) return body.data;
  const { error } = body as unknown as { error: { code: string; message: string } };
  throw new Error(`${response.status} ${error.code}: ${error.message}`);
}
