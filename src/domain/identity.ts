// How an app knows who calls, and everything that follows from it. Pure: no I/O.
//
//   issued     auth tokens that this server mints
//   jwt        JWTs of the app's own login
//   cometchat  CometChat's opaque auth tokens

interface IdentityRow {
  /** Whether auth tokens carry a time of issue that can be trusted. If not, ending all sessions can only end the known ones. */
  trustedTime: boolean;
  /** Whether a session can get a new auth token later. A minted auth token is its session. */
  sessionsOutliveTokens: boolean;
  /** Who makes the auth tokens, in the words of an error; only `this server` mints. */
  tokensFrom: "this server" | "the app's own login" | "CometChat";
  /** `chat`: uids have CometChat's form and no case. `any`: any text. */
  uids: "any" | "chat";
}

export const IDENTITIES = {
  issued: { trustedTime: true, sessionsOutliveTokens: false, tokensFrom: "this server", uids: "any" },
  jwt: { trustedTime: true, sessionsOutliveTokens: true, tokensFrom: "the app's own login", uids: "any" },
  cometchat: { trustedTime: false, sessionsOutliveTokens: true, tokensFrom: "CometChat", uids: "chat" },
} as const satisfies Record<string, IdentityRow>;

export type Identity = keyof typeof IDENTITIES;

export const IDENTITY_NAMES = Object.keys(IDENTITIES) as Identity[];

/** What ends sessions for good, as the objects of users are told it. */
export function howSessionsEnd({ identity }: { identity: Identity }): {
  trustedTime: boolean;
  sessionsOutliveTokens: boolean;
} {
  const { trustedTime, sessionsOutliveTokens } = IDENTITIES[identity];
  return { trustedTime, sessionsOutliveTokens };
}

/** Which sessions an order to end all of them ends: where sessions outlive their auth tokens, the known ones. */
export function sessionsEnded({ identity }: { identity: Identity }): "all" | "known" {
  return IDENTITIES[identity].sessionsOutliveTokens ? "known" : "all";
}
