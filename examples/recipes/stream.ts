// Behind Stream Chat's webhook: the event message.new, once per message. docs/behind-stream.md
import { deliver, type SenderEnv } from "../sender/src/sender.ts";
import { logFailure, signedJson, wrongSignature } from "./signed.ts";

export interface Env extends SenderEnv {
  /** Of the Stream app, the one of the API key that the header X-Api-Key names. */
  STREAM_API_SECRET: string;
}

/** https://getstream.io/chat/docs/node/webhook_events/, "message.new" */
interface StreamEvent {
  type: string;
  cid?: string;
  message?: { id: string; text?: string; type?: string; silent?: boolean };
  user?: { id: string; name?: string };
  /** At most 50. */
  members?: { user_id: string; notifications_muted?: boolean }[];
}

export default {
  async fetch(request: Request, env: Env, ctx: Pick<ExecutionContext, "waitUntil">): Promise<Response> {
    const event = await signedJson<StreamEvent>(request, "x-signature", env.STREAM_API_SECRET);
    if (event === null) return wrongSignature();
    const { message, user, members = [], cid = "" } = event;
    if (event.type === "message.new" && message && user && !message.silent && message.type !== "system") {
      const recipients = members.filter((member) => member.user_id !== user.id && !member.notifications_muted);
      const uids = [...new Set(recipients.map((member) => member.user_id))];
      const push = {
        title: user.name ?? user.id,
        body: message.text ?? "",
        type: "chat",
        data: { cid, messageId: message.id },
      } as const;
      // Stream waits for 6 s, and calls again if nothing came: answer first.
      if (uids.length > 0) ctx.waitUntil(deliver(env, uids, push).catch(logFailure));
    }
    return Response.json({ received: true });
  },
};
