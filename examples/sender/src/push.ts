// What a push is here, and what became of one.
import type { Kind } from "../../../src/domain/kinds.ts";

export interface Push {
  title: string;
  body: string;
  /** A call rings VoIP tokens; anything else goes to the others. */
  type: "chat" | "call";
  /** Strings, as FCM's `data` wants them. The recipient's uid is always among them: the app drops a push for another user. */
  data: Record<string, string>;
}

/** One device that a push goes to, as the registry lists it. */
export interface Target {
  uid: string;
  kind: Kind;
  token: string;
}

export type Delivery =
  | { delivered: true }
  /** The provider's own word and, where it has one, the time since when (epoch ms). */
  | { delivered: false; code: string; at?: number };
