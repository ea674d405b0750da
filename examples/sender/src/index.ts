// HTTP: `POST /send` for your own back end, `POST /webhook` for CometChat's custom push provider. Both with Basic auth.
import { timingSafeEqual } from "node:crypto";
import type { Push } from "./push.ts";
import { deliver, type SenderEnv } from "./sender.ts";

export interface Env extends SenderEnv {
  WEBHOOK_USER: string;
  WEBHOOK_PASSWORD: string;
}

/** https://www.cometchat.com/docs/notifications/custom-providers: one call per recipient, to be answered within 2 s. */
interface CustomProviderCall {
  trigger?: string;
  data?: {
    to?: { uid?: string };
    notificationDetails?: { title?: string; body?: string; type?: string } & Record<string, unknown>;
  };
}

export default {
  async fetch(request: Request, env: Env, ctx: Pick<ExecutionContext, "waitUntil">): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.method !== "POST" || !(pathname === "/send" || pathname === "/webhook")) {
      return Response.json({ error: "POST /send or POST /webhook" }, { status: 404 });
    }
    if (!isAuthorized(request, env)) {
      return Response.json(
        { error: "wrong user or password" },
        { status: 401, headers: { "WWW-Authenticate": "Basic" } },
      );
    }
    const body: unknown = await request.json().catch(() => null);
    if (pathname === "/send") {
      const order = toOrder(body);
      if (order === null)
        return Response.json({ error: "send {uids: [...], push: {title, body, type?, data?}}" }, { status: 400 });
      return Response.json(await deliver(env, order.uids, order.push));
    }
    const call = (body ?? {}) as CustomProviderCall;
    const uid = call.data?.to?.uid;
    const details = call.data?.notificationDetails;
    if (call.trigger === "push-notification-payload-generated" && uid !== undefined && details !== undefined) {
      // CometChat waits for 2 s and providers may take longer: answer first.
      ctx.waitUntil(deliver(env, [uid], toPush(details)));
    }
    return Response.json({ received: true });
  },
};

function isAuthorized(request: Request, { WEBHOOK_USER, WEBHOOK_PASSWORD }: Env): boolean {
  // Without them anybody could know what to send.
  if (!WEBHOOK_USER || !WEBHOOK_PASSWORD) return false;
  const expected = new TextEncoder().encode(`Basic ${btoa(`${WEBHOOK_USER}:${WEBHOOK_PASSWORD}`)}`);
  const presented = new TextEncoder().encode(request.headers.get("authorization") ?? "");
  return presented.length === expected.length && timingSafeEqual(presented, expected);
}

function toOrder(body: unknown): { uids: string[]; push: Push } | null {
  const { uids, push } = (body ?? {}) as { uids?: unknown; push?: Record<string, unknown> };
  if (!Array.isArray(uids) || !uids.every((uid): uid is string => typeof uid === "string")) return null;
  if (typeof push?.title !== "string" || typeof push.body !== "string") return null;
  return { uids, push: toPush(push) };
}

function toPush({ title, body, type, data, ...rest }: Record<string, unknown>): Push {
  const extra = typeof data === "object" && data !== null ? data : rest;
  return {
    title: String(title ?? ""),
    body: String(body ?? ""),
    type: type === "call" ? "call" : "chat",
    data: Object.fromEntries(
      Object.entries(extra).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
    ),
  };
}
