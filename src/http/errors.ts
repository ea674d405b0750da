// What a refused call is told: one table of codes, one envelope, one place that makes the reply.
// Codes are CometChat's (cometchat.com/docs, error guide); the statuses are ours.
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { RETRY_AFTER_SECONDS } from "../limits.ts";
import type { Refusal } from "../user-tokens/outcomes.ts";

/** Code → HTTP status, unless the error names another. */
const STATUS = {
  ERR_BAD_REQUEST: 400,
  AUTH_ERR_EMPTY_APPID: 401,
  AUTH_ERR_INVALID_APPID: 401,
  AUTH_ERR_EMPTY_AUTH_TOKEN: 401,
  // Android logs its user out on this code: only for auth tokens that really are dead.
  AUTH_ERR_AUTH_TOKEN_NOT_FOUND: 401,
  AUTH_ERR_EMPTY_APIKEY: 401,
  AUTH_ERR_APIKEY_NOT_FOUND: 401,
  AUTH_ERR_NO_ACCESS: 403,
  ERR_API_NOT_FOUND: 404,
  ERR_UID_NOT_FOUND: 404,
  ERR_TOO_MANY_REQUESTS: 429,
  ERR_OPERATION_FAILED: 500,
} as const satisfies Record<string, ContentfulStatusCode>;

export type ErrorCode = keyof typeof STATUS;

/** What is wrong, by field of the request. */
export type ErrorDetails = Record<string, string[]>;

export interface ErrorOptions {
  status?: ContentfulStatusCode;
  details?: ErrorDetails;
  /** Sent as `Retry-After` where a repeat helps. */
  retryAfterSeconds?: number;
  headers?: Record<string, string>;
  /** For the log, in a word: the code if absent. */
  reason?: string;
  cause?: unknown;
  /** How a reply of 500 and more is logged; `error` by default. What any stranger can cause is not one: it would set off alerts. */
  logged?: LogLevel;
}

type LogLevel = "error" | "warn" | "silent";

/** A refusal that a client is told, word for word: the message holds no secret and says what to do. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly status: ContentfulStatusCode;
  readonly details: ErrorDetails;
  readonly headers: Record<string, string>;
  readonly logged: LogLevel;
  /** Why, in a word for the log; the client is not told. */
  readonly reason: string;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = "ApiError";
    this.code = code;
    this.status = options.status ?? STATUS[code];
    this.details = options.details ?? {};
    this.headers = { ...options.headers };
    this.logged = options.logged ?? "error";
    this.reason = options.reason ?? (this.status === 503 ? "unavailable" : code);
    if (options.retryAfterSeconds !== undefined) {
      this.headers["Retry-After"] = String(Math.max(1, Math.ceil(options.retryAfterSeconds)));
    }
  }

  /** The envelope. `details` is always an object: Android reads it as one. */
  get body(): { error: { code: ErrorCode; message: string; details: ErrorDetails } } {
    return { error: { code: this.code, message: this.message, details: this.details } };
  }
}

/** 400 that names the fields. */
export function invalid(details: ErrorDetails): ApiError {
  return new ApiError("ERR_BAD_REQUEST", "Failed to validate the data sent with the request.", { details });
}

/** 500: only the operator can help. The caller writes the problems into the log. */
export function misconfigured(): ApiError {
  return new ApiError(
    "ERR_OPERATION_FAILED",
    "The configuration of this app is wrong. Its operator finds why in the log.",
    { logged: "silent" },
  );
}

/** What a session that may not act is told: SDKs log their users out on the word that an auth token is dead. */
export function refusal(reason: Refusal): ApiError {
  return reason === "unavailable" ? unavailable() : deadAuthToken(reason);
}

/** 503: a repeat helps. Whether anything changed is not said, because a reply may be lost after the effect. */
export function unavailable(
  retryAfterSeconds = RETRY_AFTER_SECONDS,
  cause?: unknown,
  logged: LogLevel = "error",
): ApiError {
  return new ApiError(
    "ERR_OPERATION_FAILED",
    "The operation was not completed, or its outcome is unknown. Repeat it.",
    {
      status: 503,
      retryAfterSeconds,
      cause,
      logged,
    },
  );
}

/** 401 with the one code that makes SDKs forget an auth token. */
export function deadAuthToken(reason?: Refusal): ApiError {
  return new ApiError(
    "AUTH_ERR_AUTH_TOKEN_NOT_FOUND",
    "The auth token does not exist or is no longer valid. Log in again to get a new one.",
    reason === undefined ? {} : { reason },
  );
}
