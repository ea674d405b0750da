import type { Context } from "hono";
import type { CometChatApp } from "../config/apps.ts";
import type { AppEnv } from "../http/context.ts";
import { limitRate } from "../http/rate-limits.ts";
import { header } from "../http/request.ts";

/**
 * Counts a question to CometChat with an auth token that nothing vouches for, by the client's address, so that nobody can use
 * this Worker to guess auth tokens at CometChat. A back end with an API key asks for many users from one address, and is limited by its key.
 * @throws {ApiError} 429
 */
export async function limitUnverified(c: Context<AppEnv>, app: CometChatApp): Promise<void> {
  const address = header(c, "cf-connecting-ip");
  const { apiKey }: Partial<AppEnv["Variables"]> = c.var;
  if (address !== undefined && apiKey === undefined) await limitRate(c.env, app, "unverified", () => address);
}
