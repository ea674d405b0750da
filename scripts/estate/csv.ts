// CSV with a header, as a stream. A row may span lines; its number is that of its last one.
import { CsvError, parse } from "csv-parse";
import { CommandError } from "../lib/command.ts";
import { UsageError } from "../lib/options.ts";
import { contentOf, textOf } from "./source.ts";

export type CsvRow = { line: number } & ({ fields: Record<string, string> } | { why: string });

/** Of the first line that has one of them, the one that it has most often separates the columns of all. */
const DELIMITERS = [",", ";", "\t"] as const;

interface Parsed {
  record: string[];
  info: { lines: number };
}

/**
 * The rows of a file by the names in its first one.
 * @throws {UsageError} if a column of `needed` is not there, or one of those or of `known` is there twice
 * @throws {CommandError} where quotes do not fit together: nobody knows how many rows they hide
 */
export async function* csvRows(
  file: string,
  needed: readonly string[],
  known: readonly string[] = [],
): AsyncGenerator<CsvRow> {
  let readUntil = 0;
  const parser = parse({
    bom: true,
    delimiter: await delimiterOf(file),
    info: true,
    // Called before a row waits to be read: where the parser fails, those that wait are lost.
    on_record: (row) => {
      readUntil = (row as unknown as Parsed).info.lines;
      return row;
    },
    max_record_size: ROW_BYTES_MAX,
    relax_column_count: true,
    // A quote in the middle of a field is a character as others are; what stands behind a closing one is an error, by `trim`.
    relax_quotes: true,
    skip_empty_lines: true,
    trim: true,
  });
  const content = await contentOf(file);
  content.on("error", (error) => parser.destroy(error));
  content.pipe(parser);
  let names: string[] | undefined;
  try {
    for await (const { record, info } of parser as AsyncIterable<Parsed>) {
      const line = info.lines;
      if (names === undefined) {
        names = record;
        checkColumns(names, needed, known);
      } else if (record.slice(names.length).some((cell) => cell !== "")) yield { line, why: TOO_LONG };
      else yield { line, fields: Object.fromEntries(names.map((name, i) => [name, record[i] ?? ""])) };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new CommandError(
      `The file cannot be read from line ${readUntil + 1} on: a quote that opens a field there is never closed, or other text stands ` +
        "behind the one that closes it. Two quotes are one within a field.",
    );
  }
}

/** Whoever opens a quote and never closes it must not fill the memory with the rest of the file. */
const ROW_BYTES_MAX = 32 * 1024 * 1024;

const TOO_LONG = "more fields than the first line has columns";

/** Refusals name no other column of the file: where it has no header, these are its first user and token. */
function checkColumns(names: readonly string[], needed: readonly string[], known: readonly string[]): void {
  const twice = [...needed, ...known].find((name) => names.indexOf(name) !== names.lastIndexOf(name));
  if (twice !== undefined) throw new UsageError(`the first line of the file names the column "${twice}" twice`);
  const missing = needed.filter((name) => !names.includes(name));
  if (missing.length === 0) return;
  throw new UsageError(`the first line of the file names no column ${missing.map((name) => `"${name}"`).join(", ")}`);
}

async function delimiterOf(file: string): Promise<string> {
  let beginning = "";
  for await (const part of textOf(file)) {
    beginning += part;
    if (beginning.trimStart().includes("\n") || beginning.length > HEADER_CHARACTERS) break;
  }
  const [first = ""] = beginning
    .trimStart()
    .replaceAll(/"[^"]*"/g, "")
    .split("\n");
  const times = (delimiter: string) => first.split(delimiter).length;
  return DELIMITERS.reduce((most, each) => (times(each) > times(most) ? each : most));
}

const HEADER_CHARACTERS = 65_536;
