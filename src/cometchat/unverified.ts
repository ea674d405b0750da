import type { Context } from "hono";
import type { CometChatApp } from "../config/apps.ts";
import type { AppEnv } from "../http/context.ts";
import { limitRate } from "../http/rate-limits.ts";
import { addressOf } from "../http/request.ts";

const counted = new WeakSet<Request>();

/**
 * Counts a question to CometChat with an auth token that nothing vouches for, by the client's address, so that nobody can use
 * this Worker to guess auth tokens at CometChat. A back end with an API key asks for many users from one address, and is limited by its key.
 * A request counts once, whatever it leads to.
 * @throws {ApiError} 429
 */
export async function limitUnverified(c: Context<AppEnv>, app: CometChatApp): Promise<void> {
  const address = addressOf(c);
  const { apiKey }: Partial<AppEnv["Variables"]> = c.var;
  if (address === undefined || apiKey !== undefined || counted.has(c.req.raw)) return;
  counted.add(c.req.raw);
  await limitRate(c.env, app, "unverified", () => address);
}
