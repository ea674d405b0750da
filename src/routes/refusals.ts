// What support can search for when a user gets no pushes: the refused registrations of a user whom the auth token named.
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { shortUser, userHash } from "../durable/names.ts";
import type { AppEnv, Caller } from "../http/context.ts";
import { ApiError } from "../http/errors.ts";
import type { Refused } from "../http/given.ts";
import { hourly, log } from "../log.ts";

/** Leaves a log line if the registration is refused after it is known whose it is. */
export const noteRefusal = createMiddleware<AppEnv>(async (c, next) => {
  await next();
  const { error } = c;
  if (!(error instanceof ApiError)) return;
  const fields = Object.keys(error.details);
  await note(c, error.reason, fields.length === 0 ? undefined : fields);
});

/** Leaves a log line if something of a registration was refused, and the rest was stored. */
export async function noteRefused(c: Context<AppEnv>, refused: Refused): Promise<void> {
  const fields = Object.keys(refused);
  if (fields.length > 0) await note(c, [...new Set(Object.values(refused))].sort().join(), fields);
}

/** Once per user, reason and hour: an app repeats its mistake at every launch. */
async function note(c: Context<AppEnv>, reason: string, fields: string[] | undefined): Promise<void> {
  const caller: Caller | undefined = c.var.caller;
  if (caller === undefined) return;
  const { appId } = c.var.app;
  const user = shortUser(await userHash(appId, caller.uid));
  hourly(`refused:${appId}:${user}:${reason}:${fields}`, () => {
    log.info("a registration is refused", { requestId: c.var.requestId, app: appId, user, reason, fields });
  });
}
