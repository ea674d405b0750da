// Who holds a token, asked by senders over HTTP.
import type { App } from "../config/apps.ts";
import { KIND_NAMES, type Kind } from "../domain/kinds.ts";
import { type SenderToken, toSenderToken } from "../domain/sender-token.ts";
import { mapBounded } from "../durable/concurrency.ts";
import { hashOf } from "../http/tokens.ts";
import { OBJECT_CONCURRENCY } from "../limits.ts";
import { askUserByHash, ownersOf } from "../objects.ts";

/** Who holds a token, and where. */
export type TokenOwner = { uid: string } & Pick<
  SenderToken,
  "kind" | "platform" | "sessionId" | "registeredAt" | "refreshedAt" | "suspect"
>;

/** Who holds a token now, as the user's own object says; more than one only under policy `shared`. */
export async function findOwners(env: Env, app: App, token: string, kind?: Kind | null): Promise<TokenOwner[]> {
  const kinds = kind == null ? KIND_NAMES : [kind];
  const found = await mapBounded(kinds, OBJECT_CONCURRENCY, async (each) => {
    const hash = await hashOf(app, each, token);
    const owners = await ownersOf(env, app, hash);
    return mapBounded(owners, OBJECT_CONCURRENCY, ({ user }) =>
      askUserByHash(env, app, user, (holder) => holder.holding(hash, app.rules.retentionMs)),
    );
  });
  return found.flat().flatMap((holding) => {
    if (holding === null) return [];
    const { kind, platform, sessionId, registeredAt, refreshedAt, suspect } = toSenderToken(holding.registration);
    return [{ uid: holding.uid, kind, platform, sessionId, registeredAt, refreshedAt, suspect }];
  });
}
