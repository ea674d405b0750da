// Loads an HTTP server of this machine over keep-alive connections, each request its own, and says how it went.
import autocannon from "autocannon";
import { cpuMicros } from "./cpu.ts";

export interface LoadRequest {
  method: "GET" | "POST" | "DELETE";
  path: string;
  headers: Record<string, string>;
  body?: string;
}

export interface Load {
  url: string;
  /** The server's processes, for its CPU time. */
  pids?: number[];
  connections: number;
  /** Ends after this many seconds, or after `amount` requests where there are only so many. */
  seconds?: number;
  amount?: number;
  /** The next request; requests are made in order, by whichever connection is free. */
  next(): LoadRequest;
}

export interface Measured {
  requests: number;
  perSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** Of the server, microseconds; `null` where it is not known. */
  cpuPerRequest: number | null;
}

/** autocannon writes the length of the body into the headers: into those of other requests too, where they share them. */
function ownHeaders(request: LoadRequest): LoadRequest {
  return { ...request, headers: { ...request.headers } };
}

/** @throws if any reply was not 200, for then something else was measured. */
export async function measure({ url, pids, connections, seconds, amount, next }: Load): Promise<Measured> {
  const cpu = () => (pids === undefined ? null : cpuMicros(pids));
  const cpuBefore = cpu();
  const run = autocannon({
    url,
    connections,
    ...(amount === undefined ? { duration: seconds ?? 1 } : { amount }),
    requests: [{ setupRequest: (request: object) => ({ ...request, ...ownHeaders(next()) }) }],
  });
  let busyMs = 0;
  run.on("response", (_client, _status, _bytes, milliseconds) => {
    busyMs += milliseconds;
  });
  const result = await run;
  const cpuAfter = cpu();
  const failed = result.errors + result.non2xx;
  if (failed > 0) {
    throw new Error(`${failed} of ${result.requests.total} requests failed: ${JSON.stringify(result.statusCodeStats)}`);
  }
  const { total } = result.requests;
  if (total === 0) throw new Error(`${url} answered nothing in ${seconds} s: measure for longer`);
  return {
    requests: total,
    // A number of requests ends within a second that is not full: then by Little's law, for every connection is busy.
    perSecond: amount === undefined ? total / result.duration : (connections * 1000) / (busyMs / total),
    p50: result.latency.p50,
    p99: result.latency.p99,
    cpuPerRequest: cpuBefore === null || cpuAfter === null ? null : (cpuAfter - cpuBefore) / total,
  };
}
