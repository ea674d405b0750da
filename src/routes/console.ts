// The console: static files, only where the deployment switches them on (`CONSOLE = "true"`). What it does it does by the server
// API; docs/console.md.
import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { consoleAccess } from "../config/console-access.ts";
import type { AppEnv } from "../http/context.ts";
import { ApiError } from "../http/errors.ts";

/** Nothing of another host, nothing inline, and in no frame. */
const HEADERS = {
  "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-cache",
};

export const consolePages = new Hono<AppEnv>()
  .get("/", (c) => page(c, "index.html"))
  // Asked by the page before it asks for a key.
  .get("/access", (c) => c.json({ data: { open: consoleAccess(c.env) !== null } }))
  .get("/:file", (c) => page(c, c.req.param("file")));

async function page(c: Context<AppEnv>, file: string): Promise<Response> {
  const { ASSETS, CONSOLE } = c.env as Partial<Env> & { CONSOLE?: unknown };
  const isOn = CONSOLE === "true" && /^\w+\.\w+$/.test(file);
  const found = isOn ? await ASSETS?.fetch(new URL(`/console/${file}`, c.req.url)) : undefined;
  if (!found?.ok) throw new ApiError("ERR_API_NOT_FOUND", "There is no such page.");
  return new Response(found.body, { headers: { "Content-Type": found.headers.get("Content-Type") ?? "", ...HEADERS } });
}
