// Behind Sendbird Chat's webhook: the event group_channel:message_send, once per message. docs/behind-sendbird.md
import { deliver, type SenderEnv } from "../sender/src/sender.ts";
import { logFailure, signedJson, wrongSignature } from "./signed.ts";

export interface Env extends SenderEnv {
  /** The master API token of the Sendbird application. */
  SENDBIRD_API_TOKEN: string;
}

/** https://sendbird.com/docs/chat/platform-api/v3/webhook/events/group-channel, "group_channel:message_send" */
interface SendbirdEvent {
  category: string;
  sender?: { user_id: string; nickname?: string };
  silent?: boolean;
  /** `channel`: everybody is mentioned; `users`: those of `mentioned_users`. */
  mention_type?: string;
  mentioned_users?: { user_id: string }[];
  /** Only with "Include member information"; never of a Supergroup. */
  members?: Member[];
  payload?: { message_id?: number; message?: string };
  channel?: { channel_url: string };
}

interface Member {
  user_id: string;
  /** `invited` ones have not joined yet. */
  state?: string;
  is_blocking_sender?: boolean;
  do_not_disturb?: boolean;
  push_trigger_option?: string;
}

export default {
  async fetch(request: Request, env: Env, ctx: Pick<ExecutionContext, "waitUntil">): Promise<Response> {
    const event = await signedJson<SendbirdEvent>(request, "x-sendbird-signature", env.SENDBIRD_API_TOKEN);
    if (event === null) return wrongSignature();
    const { sender, payload, channel, members = [] } = event;
    if (event.category === "group_channel:message_send" && sender && !event.silent) {
      const uids = members.filter((member) => wantsPush(member, event)).map((member) => member.user_id);
      const push = {
        title: sender.nickname || sender.user_id,
        body: payload?.message ?? "",
        type: "chat",
        data: { channelUrl: channel?.channel_url ?? "", messageId: String(payload?.message_id ?? "") },
      } as const;
      // Sendbird waits for 5 s, and calls up to three times: answer first.
      if (uids.length > 0) ctx.waitUntil(deliver(env, uids, push).catch(logFailure));
    }
    return Response.json({ received: true });
  },
};

function wantsPush(member: Member, { sender, mention_type, mentioned_users = [] }: SendbirdEvent): boolean {
  if (member.user_id === sender?.user_id || member.state === "invited" || member.is_blocking_sender) return false;
  if (member.do_not_disturb || member.push_trigger_option === "off") return false;
  if (member.push_trigger_option !== "mention_only" || mention_type === "channel") return true;
  return mentioned_users.some(({ user_id }) => user_id === member.user_id);
}
