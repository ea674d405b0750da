import { shortUser } from "../durable/names.ts";
import { type PlatformOf, userOf } from "../durable/platform.ts";
import { log } from "../log.ts";
import { Alarm } from "./alarm.ts";
import { Operations } from "./in-flight.ts";
import { OwnerObjects } from "./owner-objects.ts";
import { Publication } from "./publication.ts";
import { Restoration } from "./restoration.ts";
import { SessionEnds } from "./session-ends.ts";
import { Slots } from "./slots.ts";
import { UserTokensStore } from "./store.ts";
import { Takeovers } from "./takeovers.ts";

/** The parts of one user's object. */
export interface Rooms {
  platform: PlatformOf;
  store: UserTokensStore;
  slots: Slots;
  ends: SessionEnds;
  operations: Operations;
  owners: OwnerObjects;
  takeovers: Takeovers;
  restoration: Restoration;
  publication: Publication;
  alarm: Alarm;
}

export function createRooms(storage: DurableObjectStorage, platform: PlatformOf): Rooms {
  const store = new UserTokensStore(storage);
  const operations = new Operations();
  const alarm = new Alarm(platform);
  const ends = new SessionEnds(store, (until) =>
    log.warn("a user has too many ended sessions", { user: shortUser(userOf(platform())), until }),
  );
  const slots = new Slots(store, platform, alarm, ends);
  const owners = new OwnerObjects(platform, store.registrations, operations);
  return {
    platform,
    store,
    slots,
    ends,
    operations,
    owners,
    takeovers: new Takeovers(store),
    restoration: new Restoration(platform, store, ends),
    publication: new Publication(platform, store, slots, alarm, owners),
    alarm,
  };
}
