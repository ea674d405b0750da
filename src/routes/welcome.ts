// What a person sees who opens this host in a browser, at `/` or at a path that is none. A static file, as the reference is.
import type { Context } from "hono";
import type { AppEnv } from "../http/context.ts";

/** Where SDKs and back ends call: they are always answered with the envelope. */
const API = /^\/v[23](\/|$)/;
/** Whoever sends one of them is no person. */
const CREDENTIALS = ["appId", "apikey", "authToken"];

/** The page, in place of a 404 of ours; `undefined` where a program asked, or the deployment has no files. */
export async function welcome(c: Context<AppEnv>): Promise<Response | undefined> {
  const { method, path } = c.req;
  const isPerson =
    /^(GET|HEAD)$/.test(method) &&
    !API.test(path) &&
    /\btext\/html\b/i.test(c.req.header("accept") ?? "") &&
    CREDENTIALS.every((name) => c.req.header(name) === undefined);
  const { ASSETS } = c.env as Partial<Env>;
  const page = isPerson ? await ASSETS?.fetch(new URL("/index.html", c.req.url)).catch(() => undefined) : undefined;
  if (!page?.ok) return undefined;
  const headers = { "Content-Type": "text/html; charset=utf-8" };
  return new Response(page.body, { status: path === "/" ? 200 : 404, headers });
}
