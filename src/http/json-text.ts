// Replies whose data are JSON text already.
import type { Context, TypedResponse } from "hono";
import type { AppEnv } from "./context.ts";

/** `{ data }`, where `text` is the JSON of a `T`. */
export function jsonText<T>(c: Context<AppEnv>, text: string) {
  const reply: Response = c.body(`{"data":${text}}`, 200, { "Content-Type": "application/json" });
  return reply as Response & TypedResponse<{ data: T }, 200, "json">;
}
