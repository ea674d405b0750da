// What the subjects that are processes of their own have in common: a port, a moment until they listen, an end.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

/** How long a server may take to listen. */
const START_MS_MAX = 20_000;

/** Tries until it does not throw: servers take a moment to listen. */
export async function until(attempt: () => Promise<void>): Promise<void> {
  const end = Date.now() + START_MS_MAX;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Waits until something answers there. */
export async function answers(url: string): Promise<void> {
  await until(async () => {
    await (await fetch(url)).arrayBuffer();
  });
}

/** Ends a process, and waits until it is gone. */
export async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill(signal);
  await exit;
}

/** For `catch`: stops what was started, and passes the failure on. */
export function stopped(stop: () => Promise<void>) {
  return async (error: unknown) => {
    await stop();
    throw error;
  };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
