// Behind Novu's Push Webhook provider: one call per device token, so each subscriber has one, whatever it says.
// docs/behind-novu.md
import { deliver, type SenderEnv } from "../sender/src/sender.ts";
import { signedJson, wrongSignature } from "./signed.ts";
import { texts } from "./texts.ts";

export interface Env extends SenderEnv {
  /** "Secret HMAC Key" of the integration. */
  NOVU_HMAC_KEY: string;
}

/** https://docs.novu.co/platform/integrations/push/push-webhook, "Payload sent by Novu to webhook URL" */
interface PushWebhook {
  title?: string;
  content?: string;
  overrides?: { data?: Record<string, unknown> };
  payload?: { subscriber?: { subscriberId?: string } };
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const call = await signedJson<PushWebhook>(request, "x-novu-signature", env.NOVU_HMAC_KEY);
    if (call === null) return wrongSignature();
    const uid = call.payload?.subscriber?.subscriberId;
    if (!uid) return Response.json({ error: "payload.subscriber.subscriberId is missing" }, { status: 400 });
    const push = {
      title: call.title ?? "",
      body: call.content ?? "",
      type: "chat",
      data: texts(call.overrides?.data ?? {}),
    } as const;
    // Novu shows the reply in its activity feed, and any other status than 2xx as a failure.
    const report = await deliver(env, [uid], push);
    return Response.json({ id: crypto.randomUUID(), ...report }, { status: report.unread.length > 0 ? 503 : 200 });
  },
};
