// Runs a schema's migrations: append-only lists, applied in order, each list in one transaction.

export interface Migration {
  /** `NNN_what`, ascending; the id of the last one applied is the schema's version. */
  id: string;
  sql: string;
}

/**
 * Applies what follows `applied` (`""`: nothing was) and answers the new version.
 * @throws if `applied` is unknown: a newer release wrote this object, and this code must not touch it.
 */
export function migrate(
  storage: Pick<DurableObjectStorage, "sql" | "transactionSync">,
  migrations: readonly Migration[],
  applied: string,
  record: (version: string) => void,
): void {
  const position = migrations.findIndex((migration) => migration.id === applied);
  if (applied !== "" && position < 0) {
    throw new Error(`schema ${applied} is unknown to this release: a newer one wrote it, deploy that one`);
  }
  const pending = migrations.slice(position + 1);
  const last = pending.at(-1);
  if (last === undefined) return;
  storage.transactionSync(() => {
    for (const migration of pending) storage.sql.exec(migration.sql);
    record(last.id);
  });
}
