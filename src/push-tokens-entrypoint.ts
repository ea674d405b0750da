// The sender binding: what a Worker of the same account calls without an HTTP request.
import { WorkerEntrypoint } from "cloudflare:workers";
import type * as z from "zod/mini";
import { type App, ConfigError, loadConfig } from "./config.ts";
import { toDetails } from "./http.ts";
import * as schemas from "./schemas.ts";
import {
  type FeedbackAnswer,
  type FeedbackItem,
  type LookupResult,
  listUser,
  lookupUsers,
  reportFeedback,
  type UserPushTokens,
} from "./sender.ts";

/** What the binding's `props` say. */
export interface PushTokensProps {
  /** The app whose users the bound Worker may read and report on. */
  appId: string;
}

/**
 * Bound with `entrypoint = "PushTokens"` and `props = { appId = "…" }`. The binding is the authorisation: only Workers of
 * the account can be bound, and each reaches the one app that its binding names. Arguments and answers are those of
 * the HTTP calls (`data`).
 *
 * Throws a `TypeError` that names the wrong fields, and an `Error` if the app is not configured.
 */
export class PushTokens extends WorkerEntrypoint<Env, PushTokensProps> {
  /** As `GET /v3/users/{uid}/push_tokens`. */
  list(uid: string): Promise<UserPushTokens> {
    return listUser(this.env, this.#app(), parse(schemas.uid, uid));
  }

  /** As `POST /v3/push_tokens/lookup`; up to 500 users. */
  lookup(uids: string[]): Promise<LookupResult> {
    return lookupUsers(this.env, this.#app(), parse(schemas.lookupBody, { uids }).uids);
  }

  /** As `POST /v3/push_tokens/feedback`; up to 500 items, an answer for each in their order. */
  feedback(items: FeedbackItem[]): Promise<FeedbackAnswer[]> {
    return reportFeedback(this.env, this.#app(), parse(schemas.feedbackBody, { items }).items);
  }

  #app(): App {
    const { appId } = this.ctx.props;
    const app = loadConfig(this.env).apps.get(appId);
    if (app === undefined) throw new Error(`The binding's props name no app of this deployment: appId = ${appId}`);
    if (app instanceof ConfigError) throw new Error("The configuration of the binding's app is wrong");
    return app;
  }
}

function parse<T extends z.ZodMiniType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = Object.values(toDetails(parsed.error)).flat();
  throw new TypeError(problems.join(" "));
}
