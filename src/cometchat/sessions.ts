// How a session ends here when it ends at CometChat.
import type { CometChatApp } from "../config/apps.ts";
import { chatUid } from "../domain/uids.ts";
import { HOUR_MS } from "../limits.ts";
import { askUser } from "../objects.ts";

export interface Ending {
  /** Session id: the hash of the auth token. */
  session: string;
  /** Whose session: `certain` if CometChat said so for this auth token, else only what the auth token's text suggests. */
  uid: string;
  certain: boolean;
  /** Whether CometChat says that the auth token is dead. */
  confirmed: boolean;
  /** Whether its client asked for it; else CometChat called the auth token dead. */
  isLogout: boolean;
}

/**
 * Empties the session's slots and keeps it out. A confirmed end is fenced until no isolate can still have the auth token cached
 * as alive; else until CometChat calls the auth token dead, because a lost logout leaves it alive there. A uid that is a mere
 * guess removes what this very session holds, and writes nothing else. Answers whether the user knows the session.
 */
export async function endSession(env: Env, app: CometChatApp, ending: Ending): Promise<boolean> {
  const ms = ending.confirmed ? confirmedFenceMs(app) : app.rules.fenceMs;
  const { known } = await askUser(env, app, ending.uid, (user) =>
    user.endSession({
      session: ending.session,
      issuedAt: null,
      fence: { ms, open: !ending.confirmed },
      onlyIfKnown: !ending.certain,
      isLogout: ending.isLogout,
    }),
  );
  return known;
}

/** How long an isolate may still have an auth token cached as alive after CometChat called it dead, with room for clocks. */
export function confirmedFenceMs(app: CometChatApp): number {
  return app.cometchat.cacheSeconds * 1000 + HOUR_MS;
}

/** The uid before the last `_` of an auth token, if there is one: CometChat's form, which it does not promise. */
export function uidHint(authToken: string): string | null {
  return chatUid(authToken.slice(0, Math.max(0, authToken.lastIndexOf("_"))));
}
