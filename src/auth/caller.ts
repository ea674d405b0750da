import type { Context } from "hono";
import type { App } from "../config.ts";
import type { Session } from "../domain/registration.ts";
import type { AppEnv } from "../http.ts";

/** Who calls with an auth token. */
export interface Caller {
  uid: string;
  session: Session;
  /** The auth token is genuine but over: its session may still remove its tokens, never add or read. */
  expired: boolean;
  authToken: string;
}

/**
 * Who an auth token names, by the app's identity; `null` for a token that is dead: not genuine, of another app, unknown.
 * @throws {ApiError} where the token may be good: 503 if nobody can tell now, 400 if it lacks what this server needs
 */
export type Verifier<A extends App> = (app: A, authToken: string, c: Context<AppEnv>) => Promise<Caller | null>;
