// What back ends ask about one user (API keys).
import { Hono } from "hono";
import { mintAuthToken } from "../auth/issued.ts";
import { knownApp, server } from "../auth/middleware.ts";
import { type AppEnv, invalid, readBody } from "../http.ts";
import { callUser } from "../objects.ts";
import * as schemas from "../schemas.ts";

export const serverUsers = new Hono<AppEnv>().post(
  "/:uid/auth_tokens",
  knownApp,
  server("fullAccess", "authOnly"),
  async (c) => {
    const { app } = c.var;
    const uid = parseUid(c.req.param("uid"));
    const { defaultSeconds, maximumSeconds } = app.authTokens;
    const { lifetimeSeconds } = await readBody(c, schemas.mintBody);
    if ((lifetimeSeconds ?? 0) > maximumSeconds) {
      throw invalid({ lifetimeSeconds: [`The lifetimeSeconds field must not be above ${maximumSeconds}.`] });
    }
    const validFrom = await callUser(c.env, app, uid, (user) => user.validFrom());
    const minted = await mintAuthToken(app, uid, lifetimeSeconds ?? defaultSeconds, validFrom);
    return c.json({ data: { uid, ...minted } });
  },
);

function parseUid(text: string): string {
  const parsed = schemas.uid.safeParse(text);
  if (!parsed.success) {
    throw invalid({ uid: parsed.error.issues.map((issue) => `The uid ${issue.message}.`) });
  }
  return parsed.data;
}
