// Registrations from another system (API keys). What may be stored is decided by the users' objects, and by the tokens' owner objects.
import { Hono } from "hono/tiny";
import { backEnd, knownApp } from "../auth/middleware.ts";
import type { App } from "../config/apps.ts";
import type { LocationHint } from "../config/values.ts";
import { KINDS } from "../domain/kinds.ts";
import { importSession } from "../domain/registration.ts";
import { mapBounded } from "../durable/concurrency.ts";
import type { AppEnv } from "../http/context.ts";
import { ApiError } from "../http/errors.ts";
import { givenValue } from "../http/given.ts";
import { labelChangesOf } from "../http/labels.ts";
import { body, toDetails } from "../http/request.ts";
import * as schemas from "../http/schemas.ts";
import { toPushToken } from "../http/tokens.ts";
import { uidOf } from "../http/uids.ts";
import { BATCH_BODY_BYTES_MAX, OBJECT_CONCURRENCY } from "../limits.ts";
import { log } from "../log.ts";
import { tellUser } from "../objects.ts";
import type { ImportItem, ImportOutcome } from "../user-tokens/outcomes.ts";

/** `why` says what is wrong with an item that is `invalid`. */
interface Answer {
  outcome: ImportOutcome | "invalid";
  why?: string;
}

export const serverImport = new Hono<AppEnv>().post(
  "/import",
  knownApp,
  backEnd("fullAccess"),
  body(schemas.importBody, BATCH_BODY_BYTES_MAX),
  async (c) => {
    const { app } = c.var;
    const { items, locationHint } = c.req.valid("json");
    return c.json({ data: { items: await importItems(c.env, app, items, locationHint ?? app.locationHint) } });
  },
);

/** What became of each item, in the order given. One call per user; one that is wrong or fails does not fail the rest. */
async function importItems(
  env: Env,
  app: App,
  items: readonly unknown[],
  near?: LocationHint | null,
): Promise<Answer[]> {
  const now = Date.now();
  const read = await Promise.all(items.map((item) => readItem(app, item, now)));
  const answers = read.map((each): Answer => ("why" in each ? { outcome: "invalid", why: each.why } : UNAVAILABLE));
  const good = read.flatMap((each, index) => ("why" in each ? [] : [{ index, ...each }]));
  await mapBounded([...Map.groupBy(good, ({ uid }) => uid)], OBJECT_CONCURRENCY, async ([uid, ofUser]) => {
    const request = { uid, items: ofUser.map(({ item }) => item), rules: app.rules };
    try {
      const outcomes = await tellUser(env, app, uid, (user) => user.importAll(request), near);
      for (const [i, { index }] of ofUser.entries()) answers[index] = { outcome: outcomes[i] ?? "unavailable" };
    } catch (error) {
      log.warn("an import could not be delivered", { error });
    }
  });
  return answers;
}

const UNAVAILABLE: Answer = { outcome: "unavailable" };

/** Times are never later than now: a clock that is ahead must not make a registration last longer. */
async function readItem(
  app: App,
  value: unknown,
  now: number,
): Promise<{ uid: string; item: ImportItem } | { why: string }> {
  const parsed = schemas.importItem.safeParse(value);
  if (!parsed.success) return { why: Object.values(toDetails(parsed.error)).flat().join(" ") };
  const { kind, token: given, platform, suspectAt, session, muted, ...fields } = parsed.data;
  const text = givenValue(given);
  if (text === undefined) {
    return { why: given?.is === "wrong" ? `The token field ${given.why}.` : "The token field holds no token." };
  }
  try {
    const uid = uidOf(app, fields.uid);
    const token = await toPushToken(app, {
      kind,
      token: text,
      platform: KINDS[kind].platform ?? givenValue(platform) ?? "android",
      labels: labelChangesOf(fields),
    });
    const seenAt = fields.refreshedAt ?? fields.registeredAt;
    const refreshedAt = Math.min(seenAt ?? now - Math.floor(app.rules.retentionMs / 2), now);
    const item = {
      session: session ?? importSession(token.hash),
      token,
      registeredAt: Math.min(fields.registeredAt ?? refreshedAt, refreshedAt),
      refreshedAt,
      isDated: seenAt != null,
      suspectAt: suspectAt ?? null,
      muted: muted === true,
    };
    return { uid, item };
  } catch (refusal) {
    if (refusal instanceof ApiError) return { why: refusal.message };
    throw refusal;
  }
}
