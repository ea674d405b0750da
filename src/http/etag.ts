// Replies of which a client may keep a copy that it must ask about (RFC 9110 §8.8.3, §13.1.2).
import type { Context } from "hono";
import { sha256 } from "../durable/names.ts";
import type { AppEnv } from "./context.ts";

/** `{ data }`, or 304 to a client that has it: `If-None-Match` is compared weakly, as RFC 9110 §13.1.2 has it. */
export async function jsonOr304(c: Context<AppEnv>, data: unknown): Promise<Response> {
  const text = JSON.stringify({ data });
  const tag = `"${await sha256(text)}"`;
  // After a logout a copy is wrong at once.
  const headers = { "Cache-Control": "private, no-cache", ETag: `W/${tag}` };
  const known = (c.req.header("if-none-match") ?? "").split(",").map((each) => each.trim().replace(/^W\//, ""));
  if (known.includes(tag) || known.includes("*")) return c.body(null, 304, headers);
  return c.body(text, 200, { ...headers, "Content-Type": "application/json" });
}
