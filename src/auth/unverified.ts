// How many auth tokens that nobody vouches for one client may present: each costs a question to the upstream.
import type { Context } from "hono";
import { ApiError } from "../errors.ts";
import type { AppEnv } from "../http.ts";
import { UNVERIFIED_RETRY_AFTER_SECONDS } from "../limits.ts";

/** The binding is optional: a deployment without it has no such limit. */
interface UnverifiedEnv {
  UNVERIFIED_AUTH_TOKENS?: Pick<RateLimit, "limit">;
}

/**
 * Counts one for the client's IP address.
 * @throws {ApiError} 429
 */
export async function limitUnverified(c: Context<AppEnv>): Promise<void> {
  const { UNVERIFIED_AUTH_TOKENS } = c.env as UnverifiedEnv;
  const address = c.req.header("cf-connecting-ip");
  if (UNVERIFIED_AUTH_TOKENS === undefined || address === undefined) return;
  const { success } = await UNVERIFIED_AUTH_TOKENS.limit({ key: address });
  if (success) return;
  throw new ApiError("ERR_TOO_MANY_REQUESTS", "Too many unknown auth tokens came from this address. Wait a little.", {
    retryAfterSeconds: UNVERIFIED_RETRY_AFTER_SECONDS,
  });
}
