// The Worker in Node, for development: `workerd` is not needed to try a sender.
import { once } from "node:events";
import { createServer } from "node:http";
import worker, { type Env } from "../src/index.ts";

export interface Serving {
  url: string;
  stop(): Promise<void>;
}

/** `port` 0: any free one. */
export async function serveSender(env: Env, port = 0): Promise<Serving> {
  const server = createServer(async (incoming, outgoing) => {
    let body = "";
    for await (const chunk of incoming) body += chunk;
    const { method = "GET", url = "/", headers } = incoming;
    const request = new Request(`http://localhost${url}`, {
      method,
      headers: headers as Record<string, string>,
      ...(body === "" ? {} : { body }),
    });
    const waitUntil = (work: Promise<unknown>) => void work.catch((error) => console.error(String(error)));
    const response = await worker.fetch(request, env, { waitUntil }).catch((error: unknown) => {
      console.error(String(error));
      return Response.json({ error: String(error) }, { status: 500 });
    });
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(await response.text());
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the sender does not listen");
  return {
    url: `http://127.0.0.1:${address.port}`,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
