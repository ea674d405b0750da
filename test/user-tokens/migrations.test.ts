// The schemas: what a fresh object looks like, and how an older one becomes it.
//
// A snapshot below that fails means that released objects differ from fresh ones. Then:
// 1. leave the released migrations as they are, and append one that brings older objects here;
// 2. add a test that puts rows into the schema before it and reads them after it;
// 3. update the snapshot, and docs/storage.md in the same commit.
import { runInDurableObject } from "cloudflare:test";
import { describe, it } from "vitest";
import { MIGRATIONS as DIRECTORY_MIGRATIONS } from "../../src/directory/migrations.ts";
import { DirectoryStore } from "../../src/directory/store.ts";
import type { Migration } from "../../src/durable/migrate.ts";
import { MIGRATIONS as OWNERS_MIGRATIONS } from "../../src/token-owners/migrations.ts";
import { TokenOwnersStore } from "../../src/token-owners/store.ts";
import { MIGRATIONS } from "../../src/user-tokens/migrations.ts";
import { UserTokensStore } from "../../src/user-tokens/store.ts";
import { login, uniqueToken, uniqueUid } from "../support/client.ts";
import { directoryObject, ownerObject, userObject } from "../support/objects.ts";

function ddl(storage: DurableObjectStorage): string[] {
  return storage.sql
    .exec("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY name")
    .toArray()
    .map(({ sql }) => String(sql).replace(/\s+/g, " "));
}

const USER_TOKENS_DDL = [
  "CREATE TABLE facts ( fact TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (fact, key) ) STRICT, WITHOUT ROWID",
  "CREATE TABLE registrations ( session TEXT NOT NULL, kind TEXT NOT NULL, token TEXT NOT NULL, hash TEXT NOT NULL, platform TEXT NOT NULL, labels TEXT NOT NULL, version INTEGER NOT NULL, claimed INTEGER NOT NULL, registered_at INTEGER NOT NULL, refreshed_at INTEGER NOT NULL, shown_at INTEGER NOT NULL, suspect_at INTEGER, muted INTEGER NOT NULL, imported INTEGER NOT NULL, PRIMARY KEY (session, kind) ) STRICT, WITHOUT ROWID",
];

const TOKEN_OWNERS_DDL = [
  "CREATE TABLE facts ( fact TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (fact, key) ) STRICT, WITHOUT ROWID",
  "CREATE TABLE owners ( hash TEXT NOT NULL, user TEXT NOT NULL, version INTEGER NOT NULL, claimed INTEGER NOT NULL, PRIMARY KEY (hash, version) ) STRICT, WITHOUT ROWID",
];

const DIRECTORY_DDL = [
  "CREATE TABLE facts ( fact TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (fact, key) ) STRICT, WITHOUT ROWID",
  "CREATE TABLE users ( id INTEGER PRIMARY KEY, uid TEXT NOT NULL, version INTEGER NOT NULL, format INTEGER NOT NULL, tokens TEXT NOT NULL, registrations INTEGER NOT NULL, muted INTEGER NOT NULL, shown_since INTEGER NOT NULL ) STRICT",
];

/** A later release's migration, made up. */
const NEXT: Migration = {
  id: "900_next",
  sql: `
    ALTER TABLE registrations ADD COLUMN label TEXT NOT NULL DEFAULT 'none';
    CREATE TABLE extras (name TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
  `,
};

const NEXT_DIRECTORY: Migration = { id: "900_next", sql: "ALTER TABLE users ADD COLUMN note TEXT" };

const NEXT_OWNERS: Migration = { id: "900_next", sql: "ALTER TABLE owners ADD COLUMN note TEXT" };

/** Fails in its last statement. */
const FAILING: Migration = {
  id: "901_failing",
  sql: "DELETE FROM registrations; INSERT INTO no_such_table VALUES (1);",
};

async function registered() {
  const session = await login();
  const token = uniqueToken();
  await session.register({ fcmToken: token });
  return { session, token, user: await userObject("test", session.uid), owners: await ownerObject("test", token) };
}

const schemaOf = (storage: DurableObjectStorage) =>
  storage.sql.exec("SELECT value FROM facts WHERE fact = 'schema'").one().value;

describe("a fresh object", () => {
  it("of a user has this schema", async ({ expect }) => {
    const { user } = await registered();
    await runInDurableObject(user, (_, { storage }) => {
      expect(ddl(storage)).toEqual(USER_TOKENS_DDL);
      expect(schemaOf(storage)).toBe(MIGRATIONS.at(-1)?.id);
    });
  });

  it("of token owners has this schema", async ({ expect }) => {
    const { owners } = await registered();
    await runInDurableObject(owners, (_, { storage }) => {
      expect(ddl(storage)).toEqual(TOKEN_OWNERS_DDL);
      expect(schemaOf(storage)).toBe(OWNERS_MIGRATIONS.at(-1)?.id);
    });
  });

  it("of the directory has this schema", async ({ expect }) => {
    const { session } = await registered();
    await runInDurableObject(directoryObject("test", session.uid), (_, { storage }) => {
      expect(ddl(storage)).toEqual(DIRECTORY_DDL);
      expect(schemaOf(storage)).toBe(DIRECTORY_MIGRATIONS.at(-1)?.id);
    });
  });

  it("gets all migrations at its first write, and none by being read", async ({ expect }) => {
    const object = await userObject("test", uniqueUid());
    await runInDurableObject(object, (_, { storage }) => {
      const store = new UserTokensStore(storage, [...MIGRATIONS, NEXT]);
      expect(store.registrations.all()).toEqual([]);
      expect(store.validFrom()).toBeUndefined();
      expect(ddl(storage)).toEqual([]);
      store.transaction(() => store.setUid("u"));
      expect(ddl(storage).some((sql) => sql.startsWith("CREATE TABLE extras"))).toBe(true);
      expect(schemaOf(storage)).toBe(NEXT.id);
    });
  });
});

describe("migrations", () => {
  it.for([
    ["a user's object", MIGRATIONS],
    ["an owner object", OWNERS_MIGRATIONS],
    ["a directory object", DIRECTORY_MIGRATIONS],
  ] as const)("of %s have ascending ids", ([, migrations], { expect }) => {
    const ids = migrations.map(({ id }) => id);
    for (const id of ids) expect(id).toMatch(/^\d{3}_[a-z_]+$/);
    expect(ids).toEqual([...new Set(ids)].sort());
  });

  it("bring an object from every earlier version to the present one", async ({ expect }) => {
    for (let n = 1; n <= MIGRATIONS.length; n++) {
      await runInDurableObject(await userObject("test", uniqueUid()), (_, { storage }) => {
        const old = new UserTokensStore(storage, MIGRATIONS.slice(0, n));
        old.transaction(() => old.setUid("u"));
        const store = new UserTokensStore(storage);
        expect(store.uid()).toBe("u");
        expect(ddl(storage)).toEqual(USER_TOKENS_DDL);
      });
    }
  });

  it("that a later release brings run once, when the object wakes, and keep every row", async ({ expect }) => {
    const { session, token, user, owners } = await registered();
    const before = await user.export();
    await runInDurableObject(user, (_, { storage }) => {
      for (let i = 0; i < 2; i++) {
        const store = new UserTokensStore(storage, [...MIGRATIONS, NEXT]);
        expect(store.registrations.all()).toEqual(before.registrations);
        expect(store.uid()).toBe(session.uid);
        expect(schemaOf(storage)).toBe(NEXT.id);
      }
      expect(storage.sql.exec("SELECT token, label FROM registrations").toArray()).toEqual([{ token, label: "none" }]);
    });
    const { hash } = before.registrations[0] ?? { hash: "" };
    await runInDurableObject(owners, async (instance, { storage }) => {
      const store = new TokenOwnersStore(storage, [...OWNERS_MIGRATIONS, NEXT_OWNERS]);
      expect(store.owners(hash)).toMatchObject([{ hash }]);
      expect(await instance.owners(hash)).toHaveLength(1);
      expect(schemaOf(storage)).toBe(NEXT_OWNERS.id);
    });
  });

  it("of the directory keep every user", async ({ expect }) => {
    const { session, token } = await registered();
    await runInDurableObject(directoryObject("test", session.uid), (_, { storage }) => {
      const store = new DirectoryStore(storage, [...DIRECTORY_MIGRATIONS, NEXT_DIRECTORY]);
      expect([...store.lines([session.uid])]).toEqual([expect.stringContaining(token)]);
      expect(() => new DirectoryStore(storage)).toThrow(/900_next is unknown .* newer/);
    });
  });

  it("are rolled back together when one fails, and the object is as it was", async ({ expect }) => {
    const { token, user } = await registered();
    await runInDurableObject(user, (instance, { storage }) => {
      expect(() => new UserTokensStore(storage, [...MIGRATIONS, NEXT, FAILING])).toThrow("no_such_table");
      expect(ddl(storage)).toEqual(USER_TOKENS_DDL);
      expect(schemaOf(storage)).toBe(MIGRATIONS.at(-1)?.id);
      expect(instance.export().registrations.map((row) => row.token)).toEqual([token]);
    });
  });

  it("leave no table when the very first write fails", async ({ expect }) => {
    await runInDurableObject(await userObject("test", uniqueUid()), (_, { storage }) => {
      const store = new UserTokensStore(storage);
      const fail = () =>
        store.transaction(() => {
          store.setUid("u");
          throw new Error("the write failed");
        });
      expect(fail).toThrow("the write failed");
      expect(ddl(storage)).toEqual([]);
      expect(store.exists).toBe(false);
      expect(store.uid()).toBeNull();
      store.transaction(() => store.setUid("u"));
      expect(ddl(storage)).toEqual(USER_TOKENS_DDL);
    });
  });

  it("of a newer release are not touched: this one refuses, and says what to do", async ({ expect }) => {
    const { user, owners } = await registered();
    await runInDurableObject(user, (_, { storage }) => {
      new UserTokensStore(storage, [...MIGRATIONS, NEXT]);
      expect(() => new UserTokensStore(storage)).toThrow(/900_next is unknown .* newer/);
      expect(schemaOf(storage)).toBe(NEXT.id);
    });
    await runInDurableObject(owners, (_, { storage }) => {
      new TokenOwnersStore(storage, [...OWNERS_MIGRATIONS, NEXT_OWNERS]);
      expect(() => new TokenOwnersStore(storage)).toThrow(/900_next is unknown .* newer/);
    });
  });
});
