// What the SDKs' HTTP looks like, and how it is read: paths, headers, bodies.
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type * as z from "zod/mini";
import { networkOf } from "../domain/addresses.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import { readBytes } from "./bytes.ts";
import type { AppEnv } from "./context.ts";
import { ApiError, type ErrorDetails, invalid } from "./errors.ts";

/**
 * The path that routes match: doubled and trailing slashes are ignored (SDKs build `https://host//v2/tokens`, and a
 * preflight must not be redirected), `/v3.0` is `/v3`.
 */
export function routePath(request: Request): string {
  return withoutMinorVersion(cleanPath(request));
}

/** The two prefixes are the same API. */
export function withoutMinorVersion(path: string): string {
  return path.replace(/^\/v3\.0(?=\/|$)/, "/v3");
}

/** The path as it was sent, without doubled and trailing slashes. */
export function cleanPath(request: Request): string {
  // An empty uid stays one: it is the uid that is wrong, not the call.
  return sentPath(request)
    .replace(/(?<!\/users)\/{2,}/g, "/")
    .replace(/(.)\/$/, "$1");
}

function sentPath({ url }: Request): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  return start < 0 ? "/" : (url.slice(start).split(/[?#]/, 1)[0] ?? "/");
}

/** Calls below these name in their path what is ended, erased or removed. */
const NAMING = /^\/v3\/(users|notifications\/push\/v1\/tokens)(\/|$)/;

/**
 * Whether slashes that are ignored elsewhere would widen what a DELETE destroys: `…/users//sessions` must not be the erasure
 * of a user named "sessions", nor `…/sessions/` the end of all sessions.
 */
export function namesNothing(request: Request): boolean {
  return request.method === "DELETE" && /\/(\/|$)/.test(sentPath(request)) && NAMING.test(routePath(request));
}

/** A header's value; SDKs send the words `undefined` and `null` for what they do not have. */
export function header(c: Context, name: string): string | undefined {
  const value = c.req.header(name)?.trim();
  return value === "" || value === "undefined" || value === "null" ? undefined : value;
}

/** What limits count a client by: {@link networkOf} its address; `undefined` where no edge says it. */
export function addressOf(c: Context): string | undefined {
  const address = header(c, "cf-connecting-ip");
  return address === undefined ? undefined : networkOf(address);
}

/**
 * The body as text, at most `bytesMax` of UTF-8.
 * @throws {ApiError} 413, 400
 */
export async function readText(c: Context, bytesMax = BODY_BYTES_MAX): Promise<string> {
  const length = c.req.header("content-length");
  if (Number(length ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const { raw } = c.req;
  // A length that is stated is kept by the HTTP layer: then the body is read at once, which is several times faster.
  const reading = length !== undefined || raw.body === null ? raw.arrayBuffer() : readBytes(raw.body, bytesMax);
  const bytes = await reading.catch(() => {
    throw new ApiError("ERR_BAD_REQUEST", "The body ended before it was complete.");
  });
  if (bytes === null) throw tooLarge(bytesMax);
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ApiError("ERR_BAD_REQUEST", "The body is not valid UTF-8.");
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

function tooLarge(bytesMax: number): ApiError {
  return new ApiError("ERR_BAD_REQUEST", `The body is larger than ${bytesMax} bytes.`, { status: 413 });
}

/**
 * Validates the JSON body; handlers read it by `c.req.valid("json")`, and typed clients (`hono/client`) know its shape.
 * Put it after authentication: who may not call learns nothing of the body.
 */
export function body<T extends z.ZodMiniType>(schema: T, bytesMax = BODY_BYTES_MAX) {
  type Validated = { in: { json: z.input<T> }; out: { json: z.output<T> } };
  return createMiddleware<AppEnv, string, Validated>(async (c, next) => {
    c.req.addValidatedData("json", (await readBody(c, schema, bytesMax)) as object);
    return next();
  });
}

/**
 * The JSON body by `schema`; no body, of whatever content type, is `{}`: SDKs drop empty objects.
 * @throws {ApiError} 400 with the fields that are wrong, 413
 */
async function readBody<T extends z.ZodMiniType>(
  c: Context,
  schema: T,
  bytesMax = BODY_BYTES_MAX,
): Promise<z.output<T>> {
  const text = await readText(c, bytesMax);
  let value: unknown = {};
  if (text.trim() !== "") {
    try {
      value = JSON.parse(text);
    } catch {
      throw new ApiError("ERR_BAD_REQUEST", "The body is not valid JSON.");
    }
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ApiError("ERR_BAD_REQUEST", "The body must be a JSON object.");
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(toDetails(parsed.error));
  return parsed.data;
}

/** What is wrong with a value, by field. */
export function toDetails(error: z.core.$ZodError): ErrorDetails {
  const details: ErrorDetails = {};
  for (const issue of error.issues) {
    const field = issue.path.join(".") || "body";
    const message = issue.message === "Invalid input" ? "is missing or of the wrong type" : issue.message;
    details[field] = [...(details[field] ?? []), `The ${field} field ${message}.`];
  }
  return details;
}
