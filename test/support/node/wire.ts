// One request as it goes over the wire: nothing in it is normalised, and it has the headers that it was given, `Host`, and the body's length.
import { once } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";
import type { RequestOptions } from "node:https";

export interface HttpCall {
  method: string;
  host: string;
  /** As it goes over the wire, query included: nothing is normalised. */
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface HttpReply {
  status: number;
  headers: Headers;
  text: string;
}

/** By `request` of `node:http` or `node:https`; `where`: which server, whatever the host of the call is. */
export async function exchange(
  request: (options: RequestOptions) => ClientRequest,
  where: RequestOptions,
  { method, host, path, headers = {}, body }: HttpCall,
): Promise<HttpReply> {
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const outgoing = request({ ...where, method, path, headers: { host, ...headers, ...length } });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
  return { status: incoming.statusCode ?? 0, headers: new Headers(incoming.headers as Record<string, string>), text };
}
