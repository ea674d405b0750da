// What the SDKs' HTTP looks like, and how it is read: paths, headers, bodies.
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type * as z from "zod/mini";
import { networkOf } from "../domain/addresses.ts";
import { isNothing } from "../domain/nothing.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import { readBytes } from "./bytes.ts";
import type { AppEnv } from "./context.ts";
import { ApiError, type ErrorDetails, invalid } from "./errors.ts";

/**
 * The path that routes match: doubled and trailing slashes are ignored (SDKs build `https://host//v2/tokens`, and a
 * preflight must not be redirected), `/v3.0` is `/v3`.
 */
export function routePath(request: Request): string {
  return withoutMinorVersion(cleanPath(request).replace(CONSOLE_API, ""));
}

/** The calls of back ends that people may make too, by Cloudflare Access: the console's page asks for them below this path. */
const CONSOLE_API = /^\/console\/api(?=\/(v3\/(app|users|push_tokens)|health)(\/|$))/;

/** Whether a call came below `/console/api`. */
export function isConsoleApi(request: Request): boolean {
  return request.url.includes("/console") && CONSOLE_API.test(cleanPath(request));
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
const NAMING = /^\/v3\/(users|me\/devices|notifications\/push\/v1\/tokens)(\/|$)/;

/**
 * Whether slashes that are ignored elsewhere would widen what a DELETE destroys: `…/users//sessions` must not be the erasure
 * of a user named "sessions", nor `…/sessions/` the end of all sessions.
 */
export function namesNothing(request: Request): boolean {
  return request.method === "DELETE" && /\/(\/|$)/.test(sentPath(request)) && NAMING.test(routePath(request));
}

/** Headers that say who calls: there can be one of each. Their values hold no comma. */
const SINGLE = new Set(["appid", "authtoken", "authorization", "apikey"]);

/**
 * A header's value. SDKs send words such as `undefined` for what they do not have, and some clients add the same header
 * twice (retrofit#3775), which arrives as `T, T`.
 * @throws {ApiError} 400 if a header that says who calls was sent with different values
 */
export function header(c: Context, name: string): string | undefined {
  const sent = c.req.header(name);
  if (sent === undefined) return undefined;
  const values = isSingle(name) ? distinctValues(sent) : [sent.trim()].filter((value) => !isNothing(value));
  if (values.length > 1) {
    throw invalid({ [name]: [`The ${name} header is sent more than once, with different values.`] });
  }
  return values[0];
}

/** Whether there can be one value of that header. */
export function isSingle(name: string): boolean {
  return SINGLE.has(name.toLowerCase());
}

/** The different values of a header of which there can be one. */
export function distinctValues(sent: string): string[] {
  return [...new Set(sent.split(",").map((each) => each.trim()))].filter((value) => !isNothing(value));
}

/** The parameters of the query. Hono's own reader of them is not in the bundle (src/unused.ts). */
export function parametersOf({ req }: Context): URLSearchParams {
  return new URL(req.url).searchParams;
}

/**
 * What the query says of a yes-or-no parameter, in any case; `undefined` if it says nothing.
 * @throws {ApiError} 400 if it is neither true nor false, or both
 */
export function flagOf(c: Context, name: string): boolean | undefined {
  const sent = parametersOf(c).getAll(name);
  const given = sent.filter((value) => !isNothing(value)).map((value) => value.toLowerCase());
  if (given.some((value) => value !== "true" && value !== "false")) {
    throw invalid({ [name]: [`The ${name} parameter must be true or false.`] });
  }
  if (new Set(given).size > 1) throw invalid({ [name]: [`The ${name} parameter is both true and false.`] });
  return given[0] === undefined ? undefined : given[0] === "true";
}

/**
 * The query by `schema`, and what was `read` of it already; a parameter that says nothing is absent.
 * @throws {ApiError} 400 with the parameters that are wrong, or come with different values
 */
export function queryOf<T extends z.ZodMiniType>(
  c: Context,
  schema: T,
  read: Record<string, unknown> = {},
): z.output<T> {
  const byName = Object.groupBy(parametersOf(c), ([name]) => name);
  const given = Object.entries(byName).map(([name, sent = []]) => {
    const [value, ...others] = new Set(sent.map((each) => each[1]).filter((each) => !isNothing(each)));
    if (others.length > 0) throw invalid({ [name]: [`The ${name} parameter is sent with different values.`] });
    return [name, value];
  });
  return parsed(schema, { ...Object.fromEntries(given), ...read });
}

/** What limits count a client by: {@link networkOf} its address; `undefined` where no edge says it. */
export function addressOf(c: Context): string | undefined {
  const address = header(c, "cf-connecting-ip");
  return address === undefined ? undefined : networkOf(address);
}

/**
 * The body as text, at most `bytesMax` of UTF-8 after inflating.
 * @throws {ApiError} 413, 415, 400
 */
export async function readText(c: Context, bytesMax = BODY_BYTES_MAX): Promise<string> {
  const length = c.req.header("content-length");
  if (Number(length ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const { raw } = c.req;
  const format = compressionOf(c);
  const isAsStated = format === null && length !== undefined;
  // A length that is stated is kept by the HTTP layer: then the body is read at once, which is several times faster.
  const reading = isAsStated || raw.body === null ? raw.arrayBuffer() : readBytes(inflated(raw.body, format), bytesMax);
  const bytes = await reading.catch(() => {
    throw new ApiError(
      "ERR_BAD_REQUEST",
      format === null ? "The body ended before it was complete." : `The body is not complete, or not ${format}.`,
    );
  });
  if (bytes === null) throw tooLarge(bytesMax);
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ApiError("ERR_BAD_REQUEST", "The body is not valid UTF-8.");
  }
}

type Compression = "gzip" | "deflate";

/** Content codings that are read (RFC 9110 §8.4.1), and the runtime's name for each. */
const COMPRESSIONS: Readonly<Record<string, Compression>> = {
  gzip: "gzip",
  "x-gzip": "gzip",
  deflate: "deflate",
};

/**
 * How the body is compressed; `null` if it is not.
 * @throws {ApiError} 415 with the codings that are read
 */
function compressionOf(c: Context): Compression | null {
  const coding = header(c, "content-encoding")?.toLowerCase() ?? "identity";
  if (coding === "identity") return null;
  const format = Object.hasOwn(COMPRESSIONS, coding) ? COMPRESSIONS[coding] : undefined;
  if (format !== undefined) return format;
  throw new ApiError(
    "ERR_BAD_REQUEST",
    "This content encoding is not read. Send the body as it is, or with gzip or deflate.",
    {
      status: 415,
      headers: { "Accept-Encoding": "gzip, deflate" },
    },
  );
}

function inflated(body: ReadableStream<Uint8Array>, format: Compression | null): ReadableStream<Uint8Array> {
  return format === null ? body : body.pipeThrough(new DecompressionStream(format));
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
  return parsed(schema, value);
}

function parsed<T extends z.ZodMiniType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (!result.success) throw invalid(toDetails(result.error));
  return result.data;
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
