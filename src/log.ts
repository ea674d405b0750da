// Structured logs, one JSON object a line; the only user of the console. A line never holds a push token, an auth token, a
// key, a uid or an object id: callers pass short hashes and codes, and of an error only what names the fault.
import { HOUR_MS, HOURLY_KEYS_MAX } from "./limits.ts";

type Fields = Record<string, unknown>;

function line(level: string, message: string, fields: Fields): string {
  const { error, ...rest } = fields;
  return JSON.stringify({ level, message, ...rest, ...(error === undefined ? {} : { error: describe(error) }) });
}

/** The name, message and flags of an error; not its stack, nor the id of the object that threw it. */
function describe(error: unknown): Fields {
  if (!(error instanceof Error)) return { name: typeof error };
  const { retryable, overloaded, durableObjectReset } = error as Error & Record<string, unknown>;
  return { name: error.name, message: error.message, retryable, overloaded, durableObjectReset };
}

export const log = {
  info: (message: string, fields: Fields = {}) => console.log(line("info", message, fields)),
  warn: (message: string, fields: Fields = {}) => console.warn(line("warn", message, fields)),
  error: (message: string, fields: Fields = {}) => console.error(line("error", message, fields)),
};

/** When each key's line was last written, epoch ms. */
const written = new Map<string, number>();

/** Runs `write` at most once per isolate, key and hour: for what would else be one line per call of a flood. */
export function hourly(key: string, write: () => void): void {
  const now = Date.now();
  const last = written.get(key);
  if (last !== undefined && now >= last && now - last < HOUR_MS) return;
  // Keys may hold what a caller sent: beyond this many, all start anew.
  if (written.size >= HOURLY_KEYS_MAX) written.clear();
  written.set(key, now);
  write();
}
