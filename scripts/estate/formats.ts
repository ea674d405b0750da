// What the command can read: a row per format. Fields are those of the systems' public documentation.
import { csvRows } from "./csv.ts";
import { ablyDevice } from "./formats/ably.ts";
import { azureRegistration } from "./formats/azure.ts";
import { cometChatToken } from "./formats/cometchat.ts";
import { firestoreDocument } from "./formats/firestore.ts";
import { oneSignalPlayer } from "./formats/onesignal.ts";
import { csvColumns, csvRow, neededColumns, ours } from "./formats/ours.ts";
import { parseInstallation } from "./formats/parse.ts";
import { snsEndpoint } from "./formats/sns.ts";
import { streamDevice } from "./formats/stream.ts";
import { type Entry, type Reading, rejected, toItem } from "./item.ts";
import { jsonRecords } from "./json.ts";
import { linesOf } from "./source.ts";

/** How the caller says where things stand in the file; `null`: as the format has it. */
export interface Hints {
  /** `csv`: our name of a field → the column's. */
  columns: Readonly<Record<string, string>>;
  /** Dotted paths. */
  uidField: string | null;
  tokenField: string | null;
  seenField: string | null;
  /** `sns`, `azure`: how the uid stands in a text. */
  uidFrom: (text: string) => string | undefined;
  /** What the caller wrote for it. */
  uidFromSays: string | null;
  /** The kind of tokens where the file does not say it. */
  kind: string | null;
  /** When devices were last seen where the file does not say it, epoch ms. */
  seenAt: number | null;
}

type MaybeMany = Reading | readonly Reading[] | Promise<Reading | readonly Reading[]>;

type Format = { help: string } & (
  | { shape: "json"; list: string; read(value: Record<string, unknown>, hints: Hints): MaybeMany }
  | {
      shape: "csv";
      /** The columns without which no row is of use. */
      needs(hints: Hints): readonly string[];
      /** All that are read, where there are more. */
      reads?(hints: Hints): readonly string[];
      read(fields: Record<string, string>, hints: Hints): MaybeMany;
    }
  | { shape: "lines"; read(text: string, hints: Hints): MaybeMany }
);

export const FORMATS = {
  ndjson: { help: "this registry's own, as npm run export writes it", shape: "json", list: "items", read: ours },
  csv: {
    help: "a table, with a header; --columns names its columns",
    shape: "csv",
    needs: neededColumns,
    reads: csvColumns,
    read: csvRow,
  },
  onesignal: {
    help: "the CSV export of players",
    shape: "csv",
    needs: () => ["external_user_id", "identifier", "device_type"],
    read: oneSignalPlayer,
  },
  sns: { help: "aws sns list-endpoints-by-platform-application", shape: "json", list: "Endpoints", read: snsEndpoint },
  parse: { help: "_Installation, by REST or mongoexport", shape: "json", list: "results", read: parseInstallation },
  azure: { help: "Notification Hubs, ExportRegistrations", shape: "lines", read: azureRegistration },
  cometchat: { help: "push tokens of its REST API", shape: "json", list: "pushTokens", read: cometChatToken },
  ably: { help: "push device registrations", shape: "json", list: "items", read: ablyDevice },
  stream: { help: "devices of its REST API", shape: "json", list: "devices", read: streamDevice },
  firestore: {
    help: "documents, one per line; --uid-field and --token-field say where",
    shape: "json",
    list: "documents",
    read: firestoreDocument,
  },
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof FORMATS;
export const FORMAT_NAMES = Object.keys(FORMATS) as FormatName[];

/** Every entry of a file, in its order. */
export async function* entriesOf(file: string, name: FormatName, hints: Hints): AsyncGenerator<Entry> {
  const format: Format = FORMATS[name];
  for await (const { line, reading } of readings(file, format, hints)) {
    const found = await reading;
    for (const each of Array.isArray(found) ? (found as readonly Reading[]) : [found as Reading]) {
      if (each.is !== "item") yield { line, ...each };
      else yield { line, ...toItem(withHints(each.item, hints), each.isOurs) } as Entry;
    }
  }
}

function withHints<F extends { kind?: unknown; refreshedAt?: unknown }>(fields: F, { kind, seenAt }: Hints): F {
  return { ...fields, kind: fields.kind ?? kind ?? undefined, refreshedAt: fields.refreshedAt ?? seenAt ?? undefined };
}

async function* readings(
  file: string,
  format: Format,
  hints: Hints,
): AsyncGenerator<{ line: number; reading: MaybeMany }> {
  if (format.shape === "csv") {
    for await (const row of csvRows(file, format.needs(hints), format.reads?.(hints))) {
      yield { line: row.line, reading: "why" in row ? rejected(row.why) : format.read(row.fields, hints) };
    }
  } else if (format.shape === "json") {
    for await (const { line, value } of jsonRecords(file, format.list)) {
      yield { line, reading: value === undefined ? rejected("no JSON object") : format.read(value, hints) };
    }
  } else {
    for await (const { line, text } of linesOf(file)) yield { line, reading: format.read(text, hints) };
  }
}
