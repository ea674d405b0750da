// What a push is here, and what became of one.

/** The registry's three kinds of token; a VoIP token rings an iPhone. */
export type Kind = "fcm" | "apns" | "voip";

export interface Push {
  title: string;
  body: string;
  /** A call rings VoIP tokens; anything else goes to the others. */
  type: "chat" | "call";
  /** Strings, as FCM's `data` wants them. The recipient's uid is always among them: the app drops a push for another user. */
  data: Record<string, string>;
}

/** A token as the registry lists it, with what a sender needs beside it. */
export interface RegisteredToken {
  token: string;
  kind: Kind;
  sessionId: string;
  /** Of kind `fcm`: the field of FCM's message in which the token is sent. */
  target?: "fid" | "token";
  /** What the app said of its build, if it did. */
  device?: { environment?: "production" | "sandbox"; bundleId?: string };
}

/** One device that a push goes to. */
export interface Target extends RegisteredToken {
  uid: string;
}

export type Delivery =
  /** `environment`: APNs' host that took it, where that is not the one that the registration names. */
  | { delivered: true; environment?: "production" | "sandbox" }
  /** The provider's own word, its whole error object where that says more, and the time since when (epoch ms). */
  | { delivered: false; code: string; error?: object; at?: number };
