// What an entry takes on disk in the tables of the shared objects, where there are many of them in no order.
import { DatabaseSync } from "node:sqlite";
import { seededRandom } from "../../scripts/lib/load.ts";
import { MIGRATIONS as DIRECTORY } from "../../src/directory/migrations.ts";
import { cheapHash } from "../../src/domain/hash.ts";
import { toSenderToken } from "../../src/domain/sender-token.ts";
import { MIGRATIONS as OWNERS } from "../../src/token-owners/migrations.ts";
import { USER_OBJECT_KIB } from "./cost.ts";
import type { EntrySizes } from "./scale.ts";
import { DEVICE } from "./sizes.ts";

const ENTRIES = 30_000;
/** Of an FCM registration token. */
const TOKEN_LENGTH = 142;
const NOW = 1_795_545_600_000;

/** The same at every call; `devices` of each user, with 200 bytes of facts about each. */
export function entrySizes(devices: number): EntrySizes {
  const random = seededRandom(1);
  const text = (length: number) => Array.from({ length }, () => Math.floor(random() * 36).toString(36)).join("");
  const ownerEntry = bytesPerEntry(OWNERS, (database) => {
    const insert = database.prepare("INSERT INTO owners (hash, user, version, claimed) VALUES (?, ?, ?, 1)");
    // A hash is 43 characters of base64url.
    return () => insert.run(text(43), text(43), NOW);
  });
  const directoryUser = bytesPerEntry(DIRECTORY, (database) => {
    const insert = database.prepare(
      "INSERT INTO users (id, uid, version, format, tokens, registrations, muted, shown_since) VALUES (?, ?, ?, 1, ?, ?, 0, ?)",
    );
    return () => {
      const uid = text(12);
      const tokens = JSON.stringify(Array.from({ length: devices }, () => shown(text(TOKEN_LENGTH), text(36))));
      insert.run(cheapHash(uid), uid, NOW, tokens, devices, NOW);
    };
  });
  return { ownerEntry, directoryUser, user: USER_OBJECT_KIB * 1024 };
}

function shown(token: string, session: string) {
  const none = { suspectAt: null, muted: false, imported: false, hash: "", version: NOW, claimed: true, shownAt: NOW };
  const times = { registeredAt: NOW, refreshedAt: NOW };
  const labels = { device: DEVICE } as const;
  return toSenderToken({ token, kind: "fcm", platform: "android", session, ...none, ...times, labels } as never);
}

function bytesPerEntry(
  migrations: readonly { sql: string }[],
  inserting: (database: DatabaseSync) => () => void,
): number {
  const database = new DatabaseSync(":memory:");
  try {
    for (const { sql } of migrations) database.exec(sql);
    const insert = inserting(database);
    database.exec("BEGIN");
    for (let i = 0; i < ENTRIES; i += 1) insert();
    database.exec("COMMIT");
    const pragma = (name: string) => Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
    return Math.round((pragma("page_count") * pragma("page_size")) / ENTRIES);
  } finally {
    database.close();
  }
}
