import type { Context } from "hono";
import type { App } from "../config/apps.ts";
import type { AppEnv, Caller } from "../http/context.ts";

/**
 * Who an auth token names, by the app's identity; `null` for a token that is dead: not genuine, of another app, unknown.
 * @throws {ApiError} where the token may be good: 503 if nobody can tell now, 400 if it lacks what this server needs
 */
export type Verifier<A extends App> = (app: A, authToken: string, c: Context<AppEnv>) => Promise<Caller | null>;
