// Times as files write them. What could be read in two ways is no time: a wrong one would expire a token, or keep a dead one.
import { at } from "./json.ts";

const SECONDS_MAX = 100_000_000_000;
/** Epoch seconds or milliseconds. */
const EPOCH = /^\d{9,13}(\.\d+)?$/;
/** ISO 8601 and what databases make of it: date, time, zone. */
const ISO =
  /^(\d{4}-\d\d-\d\d)(?:[T ]+(\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?) *(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?(?: UTC)?)?$/i;
/** RFC 1123, and what JavaScript prints: with the name of the day, and a zone. */
const NAMED = /^[A-Z][a-z]{2},? .*\d\d:\d\d.* (?:GMT|UTC|(?:GMT|UTC)?[+-]\d{4})(?: \(.*\))?$/;

/** Where other systems' objects hold a time: MongoDB, Firestore, Parse. */
const FIELDS = ["$date", "$numberLong", "_seconds", "seconds", "iso"];

/**
 * Epoch ms of a time as files write it: ISO 8601, a date, epoch seconds or ms, or an object of MongoDB, Firestore or Parse that
 * holds one. One without a zone is UTC. `null`: none of these.
 */
export function timeOf(value: unknown): number | null {
  if (typeof value === "number") return ofEpoch(value);
  if (typeof value === "object") {
    const field = FIELDS.find((name) => at(value, name) !== undefined);
    return field === undefined ? null : timeOf(at(value, field));
  }
  if (typeof value !== "string") return null;
  const text = value.trim();
  if (EPOCH.test(text)) return ofEpoch(Number(text));
  if (NAMED.test(text)) return known(Date.parse(text));
  const [, date, time = "0:00", zone = "Z"] = ISO.exec(text) ?? [];
  // Of a day that is not there, such as 30 February, `Date` makes another one.
  if (date === undefined || new Date(`${date}T00:00Z`).toJSON()?.startsWith(date) !== true) return null;
  return known(Date.parse(`${date}T${time.replace(/^(?=\d:)/, "0").replace(",", ".")}${offset(zone)}`));
}

function ofEpoch(number: number): number | null {
  return Number.isFinite(number) ? Math.round(Math.abs(number) < SECONDS_MAX ? number * 1000 : number) : null;
}

function offset(zone: string): string {
  const [, hours, minutes = "00"] = /^([+-]\d\d):?(\d\d)?$/.exec(zone) ?? [];
  return hours === undefined ? "Z" : `${hours}:${minutes}`;
}

function known(time: number): number | null {
  return Number.isNaN(time) ? null : time;
}
