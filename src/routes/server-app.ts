// What an API key is good for, and the settings of its app: no secret, and of no other app.
import { Hono } from "hono/tiny";
import { backEnd, backEndCallLog, knownApp } from "../auth/middleware.ts";
import type { AppEnv } from "../http/context.ts";
import { senderOf } from "../sender/test-push.ts";

export const serverApp = new Hono<AppEnv>()
  .use(backEndCallLog)
  .get("/", knownApp, backEnd("fullAccess", "sender"), (c) => {
    const { app, apiKey, scope, person } = c.var;
    const { appId, region, identity, policy, uidCase, fcmInstallations } = app;
    const { refreshWindowDays, retentionDays, takeovers, rateLimits, directory } = app;
    const { publicHost, allowedOrigins, jurisdiction, locationHint } = app;
    return c.json({
      data: {
        appId,
        region,
        identity,
        policy,
        uidCase,
        fcmInstallations,
        refreshWindowDays,
        retentionDays,
        publicHost,
        allowedOrigins,
        jurisdiction,
        locationHint: locationHint ?? undefined,
        takeovers,
        rateLimits,
        directory,
        sender: senderOf(c.env) !== undefined,
        key: { name: apiKey, scope, apps: person?.apps },
      },
    });
  });
