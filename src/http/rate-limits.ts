// Rate limits, by Cloudflare's rate-limit bindings. A binding has one limit and one period for all who share it, so limits
// come in classes: a class X is a binding RATE_LIMIT_X in wrangler.toml, and each app names the class of each of its limits.
//
//   limit       counts                                        asked
//   ip          a client's address (`cf-connecting-ip`)       before an auth token or ticket is looked at, or when a key is missing or
//               or its IPv6 network (/64)                     wrong; class IP when no app is named that could be served
//   session     one login of a user                           once its auth token is verified
//   key         an API key, by its name                       once it is found
//   unverified  a client's address, identity `cometchat`      before CometChat is asked with an auth token that nothing vouches for
//
// Counters are per app, and per Cloudflare location: they stop floods, they are no quota. Senders have one address and many
// calls, so a right API key is not counted by its address. A class without a binding does not limit: workerd has none.
import type { App } from "../config/apps.ts";
import { RATE_LIMIT_RETRY_AFTER_SECONDS } from "../limits.ts";
import { log } from "../log.ts";
import { ApiError } from "./errors.ts";

/** @throws {ApiError} 429 once the counter of `who` is used up */
export async function limitRate(
  env: object,
  app: App,
  what: keyof App["rateLimits"],
  who: () => string | Promise<string>,
): Promise<void> {
  const binding = bindingOf(env, app.rateLimits[what]);
  if (binding === undefined) return;
  await count(binding, `${what}:${app.appId}:${await who()}`);
}

/**
 * Counts a call that names no app which could have limits of its own, in the class IP.
 * @throws {ApiError} 429
 */
export async function limitStranger(env: object, address: string): Promise<void> {
  const binding = bindingOf(env, "IP");
  if (binding !== undefined) await count(binding, `stranger:${address}`);
}

async function count(binding: RateLimit, key: string): Promise<void> {
  if (await isAllowed(binding, key)) return;
  throw new ApiError("ERR_TOO_MANY_REQUESTS", "Too many requests. Wait before the next one.", {
    retryAfterSeconds: RATE_LIMIT_RETRY_AFTER_SECONDS,
  });
}

function bindingOf(env: object, name: string): RateLimit | undefined {
  return (env as Record<string, RateLimit | undefined>)[`RATE_LIMIT_${name}`];
}

/** A limiter that fails lets everybody in: the registry must not go down with it. */
async function isAllowed(binding: RateLimit, key: string): Promise<boolean> {
  try {
    return (await binding.limit({ key })).success;
  } catch (error) {
    log.warn("a rate limit could not be asked", { error });
    return true;
  }
}
