// What the fuzzer makes its requests of.

/** What the requests are made of: valid credentials, and secrets that must not be told. */
export interface Material {
  appId: string;
  authTokens: readonly string[];
  /** Of another app, of a session that logged out, or expired: genuine and refused. */
  deadAuthTokens: readonly string[];
  keys: { fullAccess: string; sender: string; authOnly: string };
  uids: readonly string[];
  /** Users who hold nothing, and sessions that hold nothing: for calls that end and erase. */
  victims: readonly string[];
  spareAuthTokens: readonly string[];
  tickets: readonly string[];
  pushTokens: readonly string[];
}

export interface Draft {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | Uint8Array | undefined;
}

/** One way to make a request wrong. */
export type Change = (draft: Draft) => Draft;
