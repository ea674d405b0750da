// The Worker: HTTP, and what the registry's test push asks for through its service binding `SENDER`.
import { WorkerEntrypoint } from "cloudflare:workers";
import type { Env } from "./index.ts";
import type { Delivery, RegisteredToken } from "./push.ts";
import { pushTo } from "./sender.ts";

export { default } from "./index.ts";

/** What the `props` of the registry's binding say. */
interface TestPushProps {
  /** The app whose users this sender reaches, as in the `props` of the binding PUSH_TOKENS. */
  appId: string;
}

/** Only Workers of the account can be bound to it. It asks the registry nothing, and reports nothing. */
export class TestPush extends WorkerEntrypoint<Env, TestPushProps> {
  /**
   * Pushes to those tokens that a message goes to: an answer for each, `null` for one that no message goes to, in their order. `null`
   * for all: this sender does not reach that app, whose tokens other projects and keys belong to.
   */
  async push(appId: string, uid: string, tokens: RegisteredToken[]): Promise<(Delivery | null)[] | null> {
    if (this.ctx.props?.appId !== appId) return null;
    const push = { title: "Test", body: "This is a test push.", type: "chat" as const, data: { test: "true" } };
    return await pushTo(this.env, uid, tokens, push);
  }
}
