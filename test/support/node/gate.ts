// Stands between `npm run import` and a registry, and holds what may not get through yet.
import { onTestFinished } from "vitest";
import { serveFetch } from "./fetch-server.ts";

export interface Gate {
  url: string;
  /** Of the imports from now on, only the first `count` are answered; the registry gets the others or not, as `reach` says. */
  admit(count: number, reach: "registry" | "nobody"): void;
  /** Everything passes again. What is held stays so. */
  open(): void;
}

/** A way to the registry at `url`, until the end of the test. */
export async function startGate(url: string): Promise<Gate> {
  let [left, isTold] = [Number.POSITIVE_INFINITY, false];
  const forever = new Promise<never>(() => undefined);
  const server = await serveFetch(async (request) => {
    const { pathname, search } = new URL(request.url);
    const isImport = pathname.endsWith("/push_tokens/import");
    const isHeld = isImport && left <= 0;
    if (isImport) left -= 1;
    if (isHeld && !isTold) await forever;
    const { method, headers } = request;
    const names = ["appid", "apikey", "content-type"].filter((name) => headers.has(name));
    const sent: RequestInit = {
      method,
      headers: names.map((name): [string, string] => [name, headers.get(name) ?? ""]),
    };
    if (method === "POST") sent.body = await request.text();
    const reply = await fetch(`${url}${pathname}${search}`, sent);
    const text = await reply.text();
    if (isHeld) await forever;
    return new Response(text, { status: reply.status, headers: reply.headers });
  });
  onTestFinished(() => server.stop());
  return {
    url: `http://${server.address}`,
    admit: (count, reach) => {
      [left, isTold] = [count, reach === "registry"];
    },
    open: () => {
      left = Number.POSITIVE_INFINITY;
    },
  };
}
