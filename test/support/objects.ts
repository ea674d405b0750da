// The objects behind the Worker, and what stands in them.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { ConfigError, loadConfig } from "../../src/config.ts";
import { tokenHash, tokenOwnersName, userHash, userTokensName } from "../../src/domain/names.ts";
import type { Kind, Rules } from "../../src/domain/registration.ts";

/** The object of a user. */
export async function userObject(app: string, uid: string) {
  return env.USER_TOKENS.getByName(userTokensName(app, await userHash(app, uid)));
}

/** The object that knows the owner of a token. */
export async function ownerObject(app: string, token: string, kind: Kind = "fcm") {
  return env.TOKEN_OWNERS.getByName(tokenOwnersName(app, await tokenHash(kind, token)));
}

/** The rules that the Worker passes to the objects of a test app. */
export function rulesOf(appId: string): Rules {
  const app = loadConfig(env).apps.get(appId);
  if (app === undefined || app instanceof ConfigError) throw new Error(`${appId} is no app of the tests`);
  return app.rules;
}

/** The tables that an object made, without those of the runtime itself. */
export function tablesOf(object: DurableObjectStub): Promise<string[]> {
  return runInDurableObject(object, (_, state) =>
    state.storage.sql
      .exec("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
      .toArray()
      .map(({ name }) => String(name))
      .filter((name) => !name.startsWith("_cf_")),
  );
}

export interface RowCounts {
  read: number;
  written: number;
}

/** Counts, from now on, the rows that the object's SQL reads and writes; call the answer for the counts so far. */
export async function countRows(object: DurableObjectStub): Promise<() => RowCounts> {
  const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
  await runInDurableObject(object, (_, { storage: { sql } }) => {
    const exec = sql.exec.bind(sql);
    Object.defineProperty(sql, "exec", {
      configurable: true,
      value: (query: string, ...bindings: unknown[]) => {
        const cursor = exec(query, ...bindings);
        cursors.push(cursor);
        return cursor;
      },
    });
  });
  return () => {
    const counts = { read: 0, written: 0 };
    for (const cursor of cursors) {
      counts.read += cursor.rowsRead;
      counts.written += cursor.rowsWritten;
    }
    return counts;
  };
}
