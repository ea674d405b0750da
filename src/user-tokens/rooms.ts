import type { PlatformOf } from "../durable/platform.ts";
import type { Alarm } from "./alarm.ts";
import type { Operations } from "./in-flight.ts";
import type { OwnerObjects } from "./owner-objects.ts";
import type { SessionEnds } from "./session-ends.ts";
import type { Slots } from "./slots.ts";
import type { UserTokensStore } from "./store.ts";
import type { Takeovers } from "./takeovers.ts";

/** The parts of one user's object, for the long stories that need most of them. */
export interface Rooms {
  store: UserTokensStore;
  slots: Slots;
  ends: SessionEnds;
  operations: Operations;
  owners: OwnerObjects;
  takeovers: Takeovers;
  alarm: Alarm;
  platform: PlatformOf;
}
