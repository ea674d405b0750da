// What a request carries on its way through the middleware.
import type { App, Scope } from "../config/apps.ts";
import type { Session } from "../domain/registration.ts";

/** Who calls with an auth token. */
export interface Caller {
  uid: string;
  session: Session;
  /** The auth token is genuine but expired: its session may still remove its tokens, never add or read. */
  expired: boolean;
  authToken: string;
}

/** Who calls by Cloudflare Access: a person in place of an API key. */
export interface Person {
  /** The e-mail address: no API key's name has an `@`. */
  name: string;
  scope: Scope;
  appId: string;
  /** All apps that the person may choose. */
  apps: string[];
}

export interface AppEnv {
  Bindings: Env;
  Variables: { requestId: string; app: App; caller: Caller; apiKey: string; scope: Scope; person?: Person };
}
