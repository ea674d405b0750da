// Behind CometChat's custom push provider: one call per recipient. docs/behind-cometchat.md
import { timingSafeEqual } from "node:crypto";
import { deliver, type SenderEnv } from "../sender/src/sender.ts";
import { logFailure } from "./signed.ts";
import { texts } from "./texts.ts";

export interface Env extends SenderEnv {
  WEBHOOK_USER: string;
  WEBHOOK_PASSWORD: string;
}

/** https://www.cometchat.com/docs/notifications/custom-providers, "Payload reference" */
interface ProviderCall {
  trigger?: string;
  data?: {
    to?: { uid?: string };
    notificationDetails?: { title?: string; body?: string; type?: string } & Record<string, unknown>;
  };
}

export default {
  async fetch(request: Request, env: Env, ctx: Pick<ExecutionContext, "waitUntil">): Promise<Response> {
    if (request.method !== "POST" || !isAuthorized(request, env)) {
      return Response.json({ error: "wrong user or password" }, { status: 401 });
    }
    const call = await request.json<ProviderCall | null>().catch(() => null);
    const uid = call?.data?.to?.uid;
    const details = call?.data?.notificationDetails;
    if (call?.trigger === "push-notification-payload-generated" && uid && details) {
      const { title = "", body = "", type, ...data } = details;
      const push = { title, body, type: type === "call" ? "call" : "chat", data: texts(data) } as const;
      // CometChat waits for 2 s only: answer first.
      ctx.waitUntil(deliver(env, [uid], push).catch(logFailure));
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
