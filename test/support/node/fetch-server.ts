// A fetch handler as an HTTP server of this machine: what a Worker on workerd asks, whatever host it means.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { ReadableStream as NodeStream } from "node:stream/web";

export interface FetchServer {
  /** `host:port`, as workerd's `outbound` wants it. */
  address: string;
  port: number;
  /** Stops listening and cuts every connection. */
  stop(): Promise<void>;
}

/** Serves `handler`; the URL of its requests has the host that was asked for. Connections do not outlive a request. */
export async function serveFetch(handler: (request: Request) => Promise<Response>, port = 0): Promise<FetchServer> {
  const server = createServer({ keepAlive: false }, async (incoming, outgoing) => {
    const response = await handler(await toRequest(incoming)).catch(
      (error) => new Response(String(error), { status: 500 }),
    );
    outgoing.writeHead(response.status, { ...Object.fromEntries(response.headers), connection: "close" });
    if (response.body === null) outgoing.end();
    else Readable.fromWeb(response.body as unknown as NodeStream).pipe(outgoing);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server does not listen");
  return {
    address: `127.0.0.1:${address.port}`,
    port: address.port,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

async function toRequest(incoming: IncomingMessage): Promise<Request> {
  const { method = "GET", url = "/", headers } = incoming;
  const body = await new Response(Readable.toWeb(incoming) as unknown as ReadableStream).arrayBuffer();
  return new Request(`https://${headers.host}${url}`, {
    method,
    headers: Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]),
    ...(body.byteLength === 0 || method === "GET" || method === "HEAD" ? {} : { body }),
  });
}
