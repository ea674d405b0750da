// The objects' files, as workerd keeps them on disk: read from a copy, never while they are written.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** The files of the objects of a class. */
export async function objectFiles(data: string, className: string): Promise<string[]> {
  const directory = join(data, className);
  const files = (await readdir(directory)).filter((file) => file.endsWith(".sqlite") && file !== "metadata.sqlite");
  return files.map((file) => join(directory, file));
}

/** The rows of a table in all objects of a class; objects without the table have none. */
export async function rowsOf(
  data: string,
  className: string,
  table: string,
  columns: string,
): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for (const file of await objectFiles(data, className)) {
    const database = new DatabaseSync(file);
    const exists = database.prepare("SELECT 1 FROM sqlite_master WHERE name = ?").get(table) !== undefined;
    if (exists) rows.push(...database.prepare(`SELECT ${columns} FROM ${table}`).all());
    database.close();
  }
  return rows;
}

/** The average size of an object of a class, in bytes of pages. */
export async function meanObjectBytes(data: string, className: string): Promise<number> {
  const files = await objectFiles(data, className);
  let bytes = 0;
  for (const file of files) {
    const database = new DatabaseSync(file);
    const pages = Number(database.prepare("PRAGMA page_count").get()?.page_count);
    bytes += pages * Number(database.prepare("PRAGMA page_size").get()?.page_size);
    database.close();
  }
  return Math.round(bytes / Math.max(1, files.length));
}
