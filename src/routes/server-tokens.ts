// What senders ask and report about tokens, for many users at once (API keys). Tokens never stand in a URL.
import { Hono } from "hono/tiny";
import { backEnd, backEndCallLog, knownApp } from "../auth/middleware.ts";
import type { AppEnv } from "../http/context.ts";
import { body } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { BATCH_BODY_BYTES_MAX } from "../limits.ts";
import { reportFeedback } from "../sender/feedback.ts";
import { findOwners, lookupUsers } from "../sender/lookup.ts";

export const serverTokens = new Hono<AppEnv>()
  .use(backEndCallLog)
  .post(
    "/lookup",
    knownApp,
    backEnd("fullAccess", "sender"),
    body(schemas.lookupBody, BATCH_BODY_BYTES_MAX),
    async (c) => {
      const { uids, ...options } = c.req.valid("json");
      return c.json({ data: await lookupUsers(c.env, c.var.app, uids, options) });
    },
  )
  .post(
    "/feedback",
    knownApp,
    backEnd("fullAccess", "sender"),
    body(schemas.feedbackBody, BATCH_BODY_BYTES_MAX),
    async (c) => {
      const { items } = c.req.valid("json");
      return c.json({ data: { items: await reportFeedback(c.env, c.var.app, items) } });
    },
  )
  .post("/owner", knownApp, backEnd("fullAccess", "sender"), body(schemas.ownerBody), async (c) => {
    const { token, kind } = c.req.valid("json");
    return c.json({ data: { owners: await findOwners(c.env, c.var.app, token, kind) } });
  });
