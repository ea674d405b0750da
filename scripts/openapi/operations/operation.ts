// What the description says of one call of the API.
import type * as z from "zod/mini";

export interface ApiOperation {
  id: string;
  method: "get" | "post" | "put" | "patch" | "delete";
  path: string;
  /** Who calls: an app with an auth token, a back end with an API key of one of the scopes, or anybody. */
  caller: "client" | "anybody" | readonly ("fullAccess" | "sender" | "authOnly")[];
  /** Whether a back end may call it too, with an API key and the client's auth token. */
  orBackEnd?: true;
  /** What its query may say, by name. */
  query?: Readonly<Record<string, { description: string; schema: object }>>;
  summary: string;
  description: string;
  body?: { schema: z.ZodMiniType; example: unknown } | { text: string; example: string };
  /** `data` of a success. */
  data: z.ZodMiniType;
  example: unknown;
  /** Statuses of refusals, beside 401, 429, 500 and 503 that any call may get. */
  refusals: readonly (400 | 403 | 404 | 413 | 415)[];
  /** What it answers where it lacks what it needs: Cloudflare's own, or another Worker. Its example cannot be replayed here. */
  elsewhere?: 400 | 500;
}
