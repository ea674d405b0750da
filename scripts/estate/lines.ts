// A registration as the export writes it, and as the import reads it.
import type { SenderToken } from "../../src/domain/sender-token.ts";
import { COLUMNS } from "./fields.ts";
import type { EstateItem } from "./item.ts";
import { at } from "./json.ts";

/** What only the user's own object knows. Times are epoch ms. */
export interface Exact {
  session: string;
  kind: string;
  registeredAt: number;
  refreshedAt: number;
  suspectAt: number | null;
}

/** The registration of a user that senders see; `exact`: as the user's own object has it. */
export function lineOf(uid: string, shown: SenderToken, exact: Exact | undefined): EstateItem {
  const { token, kind, platform, sessionId, registeredAt, refreshedAt, muted, providerId, timezone, device } = shown;
  return {
    uid,
    kind,
    token,
    platform,
    session: sessionId,
    registeredAt: exact?.registeredAt ?? registeredAt,
    refreshedAt: exact?.refreshedAt ?? refreshedAt,
    ...(exact === undefined || exact.suspectAt === null ? {} : { suspectAt: exact.suspectAt }),
    ...(muted === true ? { muted } : {}),
    ...(providerId === undefined ? {} : { providerId }),
    ...(timezone === undefined ? {} : { timezone }),
    ...(device === undefined ? {} : { device: { ...device } }),
  };
}

export const WRITERS = {
  ndjson: { header: "", write: (item: EstateItem) => `${JSON.stringify(item)}\n` },
  csv: {
    header: `${COLUMNS.join(",")}\n`,
    write: (item: EstateItem) => `${COLUMNS.map((name) => cell(at(item, name))).join(",")}\n`,
  },
} as const;

export type ExportFormat = keyof typeof WRITERS;
export const EXPORT_FORMATS = Object.keys(WRITERS) as ExportFormat[];

function cell(value: unknown): string {
  if (value === undefined) return "";
  const text = String(value);
  return /[",\n\r\t;]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
