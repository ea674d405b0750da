// This registry's own lines, and tables with columns of any name.
import { COLUMNS, DEVICE_FIELDS, FIELDS } from "../fields.ts";
import type { Hints } from "../formats.ts";
import { type Reading, sessionOfAuthToken } from "../item.ts";
import { at } from "../json.ts";
import { kindOf } from "../kinds.ts";

/** A line as `npm run export` writes it. An `authToken`, where a CometChat app has one, counts as its session. */
export async function ours(value: Record<string, unknown>): Promise<Reading> {
  const { authToken, device, ...fields } = value;
  const session = fields.session ?? (await sessionOfAuthToken(authToken));
  const ofDevice = typeof device === "object" && device !== null ? (device as Record<string, unknown>) : undefined;
  const item = { ...pick(fields, FIELDS), session, device: ofDevice && pick(ofDevice, DEVICE_FIELDS) };
  return { is: "item", item, isOurs: true };
}

/** A row of a table: the columns that `--columns` names, else those with our names. */
export function csvRow(row: Record<string, string>, { columns }: Hints): Reading {
  const cell = (name: string) => row[columnOf(name, columns)];
  const fields = Object.fromEntries(FIELDS.map((name) => [name, cell(name)]));
  const device = Object.fromEntries(DEVICE_FIELDS.map((name) => [name, cell(`device.${name}`)]));
  const kind = kindOf(fields.kind);
  if (kind === null) return { is: "skipped", why: `a kind that is not fcm, apns or voip: ${shortened(fields.kind)}` };
  return { is: "item", item: { ...fields, kind, device }, isOurs: Object.keys(row).join() === COLUMNS.join() };
}

/** `""`: none. A column that was given to one field is no longer that of its own name. */
function columnOf(name: string, columns: Hints["columns"]): string {
  return columns[name] ?? (Object.values(columns).includes(name) ? "" : name);
}

/** Each is the column of a field, if it is there. */
export function csvColumns({ columns }: Hints): readonly string[] {
  return COLUMNS.map((name) => columnOf(name, columns));
}

/** The columns that `--columns` names, and those without which no row is of use. */
export function neededColumns({ columns }: Hints): readonly string[] {
  return [...new Set([columns.uid ?? "uid", columns.token ?? "token", ...Object.values(columns)])];
}

function pick(value: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, at(value, name)]));
}

function shortened(text = ""): string {
  return /^[a-z0-9 _-]{1,20}$/i.test(text) ? text : "…";
}
