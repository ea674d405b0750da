// What an object remembers of its registrations is what its table holds, in the same order, whatever was written.
import { runInDurableObject } from "cloudflare:test";
import { describe, it } from "vitest";
import type { Registration } from "../../src/domain/registration.ts";
import { UserTokensStore } from "../../src/user-tokens/store.ts";
import { uniqueUid } from "../support/client.ts";
import { userObject } from "../support/objects.ts";

const ROW: Registration = {
  session: "phone",
  kind: "fcm",
  token: "token",
  hash: "hash",
  platform: "android",
  labels: {},
  version: 1,
  claimed: true,
  registeredAt: 10,
  refreshedAt: 20,
  shownAt: 20,
  suspectAt: null,
  muted: false,
  imported: false,
};

/** Each changes the table in another way, on top of those before. */
const WRITES: readonly [what: string, write: (store: UserTokensStore) => void][] = [
  ["the first row", ({ registrations }) => registrations.put(ROW)],
  ["another slot of the session", ({ registrations }) => registrations.put({ ...ROW, kind: "apns", hash: "apns" })],
  [
    "another session, with labels and a suspicion",
    ({ registrations }) => {
      const labels = { timezone: "Asia/Kolkata", device: { name: 'Ann’s 📱 "mini"', environment: "sandbox" as const } };
      registrations.put({ ...ROW, session: "a tablet", hash: "tablet", labels, suspectAt: 30, muted: true });
    },
  ],
  [
    "a slot that is written again",
    ({ registrations }) => registrations.put({ ...ROW, token: "rotated", refreshedAt: 40, claimed: false }),
  ],
  [
    "a row that moves",
    ({ registrations }) => {
      registrations.delete(ROW);
      registrations.put({ ...ROW, session: "another phone", imported: true });
    },
  ],
  ["a slot that is empty", ({ registrations }) => registrations.delete({ session: "nobody's", kind: "voip" })],
  ["a row that goes", ({ registrations }) => registrations.delete({ session: "a tablet", kind: "fcm" })],
  ["all rows, made anew", (store) => store.wipe()],
];

describe("the registrations that an object remembers", () => {
  it.for(["read before", "not read before"])(
    "are those of its table after every write, %s",
    async (when, { expect }) => {
      await runInDurableObject(await userObject("test", uniqueUid()), (_, { storage }) => {
        const store = new UserTokensStore(storage);
        for (const [what, write] of WRITES) {
          const writer = when === "read before" ? store : new UserTokensStore(storage);
          if (when === "read before") writer.registrations.all();
          writer.transaction(() => write(writer));
          const stored = new UserTokensStore(storage).registrations.all();
          expect(writer.registrations.all(), what).toEqual(stored);
        }
      });
    },
  );

  it("are those from before a transaction that fails", async ({ expect }) => {
    await runInDurableObject(await userObject("test", uniqueUid()), (_, { storage }) => {
      const store = new UserTokensStore(storage);
      store.transaction(() => store.registrations.put(ROW));
      const failing = () =>
        store.transaction(() => {
          store.registrations.put({ ...ROW, token: "never stored" });
          store.registrations.put({ ...ROW, kind: "voip" });
          throw new Error("it fails");
        });
      expect(failing).toThrow("it fails");
      expect(store.registrations.all()).toEqual([ROW]);
    });
  });
});
