// CometChat's push tokens, as its REST API answers them. With its auth token's session, an entry is the very slot that the device
// uses here.
import { PUSH_PLATFORMS } from "../../../src/domain/push-platforms.ts";
import { type Reading, sessionOfAuthToken, skipped } from "../item.ts";

export async function cometChatToken(row: Record<string, unknown>): Promise<Reading> {
  const { uid, platform, pushToken, authToken, providerId, createdAt, updatedAt } = row;
  const known = Object.entries(PUSH_PLATFORMS).find(([name]) => name === platform)?.[1];
  if (known === undefined) return skipped("a platform that is not known");
  // As this registry itself read it from there, a row has its session already.
  const session = row.session ?? (await sessionOfAuthToken(authToken));
  return {
    is: "item",
    item: { ...known, uid, token: pushToken, session, providerId, registeredAt: createdAt, refreshedAt: updatedAt },
  };
}
