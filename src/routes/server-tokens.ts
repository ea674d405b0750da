// What senders ask and report about tokens, for many users at once (API keys). Tokens never stand in a URL.
import { Hono } from "hono/tiny";
import { backEnd, backEndCallLog, knownApp } from "../auth/middleware.ts";
import type { AppEnv } from "../http/context.ts";
import { jsonText } from "../http/json-text.ts";
import { body, flagOf, queryOf } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { BATCH_BODY_BYTES_MAX } from "../limits.ts";
import { countAll } from "../sender/counts.ts";
import { reportFeedback } from "../sender/feedback.ts";
import { listAll, type UsersPage } from "../sender/list-all.ts";
import { type LookupResult, lookupUsers } from "../sender/lookup.ts";
import { findOwners } from "../sender/owners.ts";

export const serverTokens = new Hono<AppEnv>()
  .use(backEndCallLog)
  .get("/", knownApp, backEnd("fullAccess", "sender"), async (c) => {
    const query = queryOf(c, schemas.listAllQuery, { includeMuted: flagOf(c, "includeMuted") });
    return jsonText<UsersPage>(c, await listAll(c.env, c.var.app, query));
  })
  .get("/counts", knownApp, backEnd("fullAccess", "sender"), async (c) => {
    return c.json({ data: await countAll(c.env, c.var.app, queryOf(c, schemas.countsQuery)) });
  })
  .post(
    "/lookup",
    knownApp,
    backEnd("fullAccess", "sender"),
    body(schemas.lookupBody, BATCH_BODY_BYTES_MAX),
    async (c) => {
      const { uids, ...options } = c.req.valid("json");
      return jsonText<LookupResult>(c, await lookupUsers(c.env, c.var.app, uids, options));
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
