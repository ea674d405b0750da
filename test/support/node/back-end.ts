// The back end of the tests' app `test`, beside a registry on plain HTTP.
import { API_KEYS } from "../apps.ts";

export class BackEnd {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  async call(method: string, path: string, body?: unknown) {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { appId: "test", apikey: API_KEYS.fullAccess, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
    // biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON came, and assert on it
    const { data, error } = (await response.json()) as any;
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(error)}`);
    return data;
  }

  /** Logs a user in: a new session. */
  async mint(uid: string): Promise<string> {
    return (await this.call("POST", `/v3/users/${uid}/auth_tokens`, {})).authToken;
  }

  /** The tokens that a sender would push to. */
  async pushTokens(uid: string): Promise<string[]> {
    const { pushTokens } = await this.call("GET", `/v3/users/${uid}/push_tokens`);
    return pushTokens.map(({ token }: { token: string }) => token).sort();
  }

  /** Ends every session of the user: auth tokens are answered 401 from now on. */
  async endSessions(uid: string): Promise<void> {
    await this.call("DELETE", `/v3/users/${uid}/sessions`);
  }
}
