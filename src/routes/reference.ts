// The description of the API, for programs and for people: static files beside the Worker, served through it so that CORS
// and paths work as everywhere. Where a deployment has no assets (plain workerd) there is no such API.

import type { Context } from "hono";
import { Hono } from "hono/tiny";
import type { AppEnv } from "../http/context.ts";
import { ApiError } from "../http/errors.ts";

export const reference = new Hono<AppEnv>()
  .get("/openapi.json", (c) => asset(c, "/openapi.json"))
  .get("/reference", (c) => asset(c, "/reference.html"));

async function asset(c: Context<AppEnv>, path: string): Promise<Response> {
  const { ASSETS } = c.env as Partial<Env>;
  if (ASSETS === undefined)
    throw new ApiError("ERR_API_NOT_FOUND", "This deployment serves no description of its API.");
  const file = await ASSETS.fetch(new Request(new URL(path, c.req.url)));
  return new Response(file.body, {
    headers: { "Content-Type": file.headers.get("Content-Type") ?? "", "Cache-Control": "public, max-age=300" },
  });
}
