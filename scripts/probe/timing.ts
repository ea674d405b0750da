// Calls with a stopwatch: some after each other or side by side, until there are enough of them or the time is up.
import { CommandError } from "../lib/command.ts";
import { percentile } from "../lib/load.ts";

export interface Timing {
  /** As in BENCHMARKS.md. */
  operation: string;
  /** How many calls were under way at once. */
  atOnce: number;
  /** Those that were answered with 200. */
  calls: number;
  failures: number;
  /** Milliseconds from the call to the end of its reply. */
  p50: number;
  p99: number;
  perSecond: number;
  /** The registry's words at the first failure. */
  firstFailure?: string;
}

export interface Bounds {
  /** At most that many calls of an operation. */
  calls: number;
  /** No call of it begins later than this, ms. */
  ms: number;
}

/** This share of failures is no longer a measurement. */
const FAILURES_SHARE_MAX = 0.5;

/**
 * Makes the calls, each once at most. Aborted, it waits for those that are under way, so that nothing comes after a cleaning.
 * @throws {CommandError} where most calls fail
 */
export async function timed(
  operation: string,
  calls: readonly (() => Promise<unknown>)[],
  { atOnce, bounds, signal }: { atOnce: number; bounds: Bounds; signal: AbortSignal },
): Promise<Timing> {
  const queue = calls.slice(0, bounds.calls).values();
  const took: number[] = [];
  const failed: string[] = [];
  const begun = performance.now();
  const isOpen = () => !signal.aborted && performance.now() - begun < bounds.ms;
  const worker = async () => {
    while (isOpen()) {
      const call = queue.next().value;
      if (call === undefined) return;
      const startedAt = performance.now();
      try {
        await call();
        took.push(performance.now() - startedAt);
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        failed.push(error.message);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  signal.throwIfAborted();
  const seconds = (performance.now() - begun) / 1000;
  const [firstFailure] = failed;
  if (firstFailure !== undefined && failed.length > FAILURES_SHARE_MAX * (took.length + failed.length)) {
    throw new CommandError(`${operation}: most calls fail. The first: ${firstFailure}`);
  }
  return {
    operation,
    atOnce,
    calls: took.length,
    failures: failed.length,
    p50: percentile(took, 50),
    p99: percentile(took, 99),
    perSecond: took.length / seconds,
    ...(firstFailure === undefined ? {} : { firstFailure }),
  };
}
