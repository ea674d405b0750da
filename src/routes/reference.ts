// The description of the API, for programs and for people, and the client for apps: static files beside the Worker, served
// through it so that CORS and paths work as everywhere. Where a deployment has no assets (plain workerd) there are none.

import type { Context } from "hono";
import { Hono } from "hono/tiny";
import type { AppEnv } from "../http/context.ts";
import { ApiError } from "../http/errors.ts";

export const reference = new Hono<AppEnv>()
  .get("/openapi.json", (c) => asset(c, "/openapi.json"))
  .get("/client.js", (c) => asset(c, "/client.js"))
  .get("/client.d.ts", (c) => asset(c, "/client.d.ts"))
  .get("/reference", (c) => asset(c, "/reference.html"));

async function asset(c: Context<AppEnv>, path: string): Promise<Response> {
  const { ASSETS } = c.env as Partial<Env>;
  if (ASSETS === undefined) throw new ApiError("ERR_API_NOT_FOUND", "This deployment serves no files.");
  const file = await ASSETS.fetch(new Request(new URL(path, c.req.url)));
  return new Response(file.body, {
    headers: { "Content-Type": file.headers.get("Content-Type") ?? "", "Cache-Control": "public, max-age=300" },
  });
}
