// CSV with a header, as a stream. A row may span lines; its number is that of its last one.
import { CsvError, parse } from "csv-parse";
import { contentOf } from "./source.ts";

export interface CsvRow {
  line: number;
  /** `undefined`: it is no CSV from here on. */
  fields: Record<string, string> | undefined;
}

/** The rows of a file by the names in its first one, which may be separated by commas, semicolons or tabs. */
export async function* csvRows(file: string): AsyncGenerator<CsvRow> {
  const parser = parse({
    bom: true,
    columns: true,
    delimiter: [",", ";", "\t"],
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
  });
  const content = await contentOf(file);
  content.on("error", (error) => parser.destroy(error));
  content.pipe(parser);
  let line = 1;
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: Record<string, string>;
      info: { lines: number };
    }>) {
      line = info.lines;
      yield { line, fields: record };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    yield { line: line + 1, fields: undefined };
  }
}
