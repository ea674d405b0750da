// The sender binding: what a Worker of the same account calls without an HTTP request.
import { WorkerEntrypoint } from "cloudflare:workers";
import type * as z from "zod/mini";
import { appNamed } from "../auth/middleware.ts";
import type { App } from "../config/apps.ts";
import { ApiError } from "../http/errors.ts";
import { toDetails } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { log } from "../log.ts";
import { type CountOptions, type Counts, countAll } from "./counts.ts";
import { type FeedbackAnswer, type FeedbackItem, reportFeedback } from "./feedback.ts";
import { type ListAllOptions, listAll, type UsersPage } from "./list-all.ts";
import { type LookupResult, lookupUsers } from "./lookup.ts";
import { listUser, type ReadOptions, type UserPushTokens } from "./own-objects.ts";

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
 * Throws what HTTP answers as errors: an `Error` whose `code` is the HTTP API's, whose `message` names the wrong fields,
 * and whose `status` tells what may be repeated (503) from what may not.
 */
export class PushTokens extends WorkerEntrypoint<Env, PushTokensProps> {
  /** As `GET /v3/users/{uid}/push_tokens`. */
  async list(uid: string, options: ReadOptions = {}): Promise<UserPushTokens> {
    const { uid: asked, ...read } = parse(schemas.listArguments, { ...options, uid });
    return listUser(this.env, this.#app("list"), asked, read);
  }

  /** As `POST /v3/push_tokens/lookup`; up to 1,000 users. */
  async lookup(uids: string[], options: ReadOptions = {}): Promise<LookupResult> {
    const { uids: asked, ...read } = parse(schemas.lookupBody, { ...options, uids });
    return JSON.parse(await lookupUsers(this.env, this.#app("lookup"), asked, read));
  }

  /** As `GET /v3/push_tokens`: a page of all users, with the `cursor` of the next one. */
  async listAll(options: ListAllOptions = {}): Promise<UsersPage> {
    const read = parse(schemas.listAllQuery, options);
    return JSON.parse(await listAll(this.env, this.#app("listAll"), read));
  }

  /** As `GET /v3/push_tokens/counts`. */
  async counts(options: CountOptions = {}): Promise<Counts> {
    return countAll(this.env, this.#app("counts"), parse(schemas.countsQuery, options));
  }

  /** As `POST /v3/push_tokens/feedback`; up to 500 items, an answer for each in their order. */
  async feedback(items: FeedbackItem[]): Promise<FeedbackAnswer[]> {
    return reportFeedback(this.env, this.#app("feedback"), parse(schemas.feedbackBody, { items }).items);
  }

  /** The app that may be asked; says in the log who asked for what, as HTTP calls of back ends do. */
  #app(call: string): App {
    // Props are whatever the bound Worker's configuration says: none, if it says nothing.
    const { appId }: Partial<PushTokensProps> = this.ctx.props ?? {};
    if (typeof appId !== "string") {
      throw new ApiError("AUTH_ERR_EMPTY_APPID", "The service binding's props have no appId.");
    }
    const app = appNamed(this.env, appId);
    log.info("binding call", { app: appId, call });
    return app;
  }
}

function parse<T extends z.ZodMiniType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const details = toDetails(parsed.error);
  throw new ApiError("ERR_BAD_REQUEST", Object.values(details).flat().join(" "), { details });
}
