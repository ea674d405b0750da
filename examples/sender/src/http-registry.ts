// The registry over HTTP, for a sender that is no Worker of the registry's account: it needs an API key of scope `sender`.
import type { Feedback, PushTokensBinding } from "./sender.ts";

export interface HttpRegistryOptions {
  /** `https://push-notification-us.<account>.workers.dev` */
  url: string;
  appId: string;
  apiKey: string;
}

/** The same two calls as the service binding has. They throw where the registry does not answer with a success. */
export function httpRegistry({ url, appId, apiKey }: HttpRegistryOptions): PushTokensBinding {
  async function call(path: string, body: object): Promise<unknown> {
    const response = await fetch(`${url.replace(/\/+$/, "")}/v3/push_tokens/${path}`, {
      method: "POST",
      headers: { appId, apikey: apiKey, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path} was answered ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { data: unknown }).data;
  }
  return {
    lookup: async (uids) => (await call("lookup", { uids })) as Awaited<ReturnType<PushTokensBinding["lookup"]>>,
    feedback: async (items: Feedback[]) => {
      const { items: outcomes } = (await call("feedback", { items })) as { items: { outcome: string; why: string }[] };
      return outcomes;
    },
  };
}
