// Whether what was deployed answers.
import { setTimeout as sleep } from "node:timers/promises";

/** A new name of workers.dev takes a while to be known. */
const PATIENCE_MS = 180_000;
const PAUSE_MS = 1_000;

/** Waits until `/health` answers as this Worker does. `false` if it does not in time. */
export async function becomesHealthy(url: string, patienceMs = PATIENCE_MS): Promise<boolean> {
  const until = Date.now() + patienceMs;
  for (;;) {
    if (await isOk(`${url}/health`, {})) return true;
    if (Date.now() + PAUSE_MS > until) return false;
    await sleep(PAUSE_MS);
  }
}

/** Whether the objects work too: it registers a token of nobody, reads it and takes it away. */
export function isDeeplyHealthy(url: string, appId: string, apikey: string): Promise<boolean> {
  return isOk(`${url}/health/deep`, { appId, apikey });
}

async function isOk(url: string, headers: Record<string, string>): Promise<boolean> {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(15_000) });
    const reply = (await response.json()) as { data?: { status?: unknown } };
    return response.status === 200 && reply.data?.status === "ok";
  } catch {
    return false;
  }
}
