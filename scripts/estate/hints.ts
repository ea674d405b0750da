// Where things stand in a file, as the caller says it in options.
import { shown, UsageError } from "../lib/options.ts";
import { COLUMNS } from "./fields.ts";
import type { FormatName, Hints } from "./formats.ts";
import { at } from "./json.ts";
import { timeOf } from "./time.ts";

export interface HintValues {
  columns: string | null;
  kind: string | null;
  "uid-field": string | null;
  "token-field": string | null;
  "seen-field": string | null;
  "uid-from": string | null;
  seen: string | null;
}

/** The formats to which an option says something. */
const FORMATS_OF = {
  columns: ["csv"],
  "uid-field": ["parse", "firestore"],
  "token-field": ["firestore"],
  "seen-field": ["firestore"],
  "uid-from": ["sns", "azure"],
} as const satisfies Partial<Record<keyof HintValues, readonly FormatName[]>>;

/** @throws {UsageError} for what cannot be meant, or says nothing to a file of this format */
export function hintsOf(values: HintValues, from: FormatName): Hints {
  for (const [name, formats] of Object.entries(FORMATS_OF)) {
    if (values[name as keyof HintValues] !== null && !(formats as readonly string[]).includes(from)) {
      throw new UsageError(`--${name} is for ${formats.join(" and ")}, not for ${from}`);
    }
  }
  const seenAt = values.seen === null ? null : timeOf(values.seen);
  if (values.seen !== null && seenAt === null) throw new UsageError(`--seen must be a date, not ${values.seen}`);
  if (seenAt !== null && seenAt > Date.now())
    throw new UsageError(`--seen must not be later than now, as ${values.seen} is`);
  return {
    columns: columnsOf(values.columns),
    uidField: values["uid-field"],
    tokenField: values["token-field"],
    seenField: values["seen-field"],
    uidFrom: uidFromOf(values["uid-from"]),
    uidFromSays: values["uid-from"],
    kind: values.kind,
    seenAt,
  };
}

function columnsOf(given: string | null): Record<string, string> {
  if (given === null) return {};
  const pairs = given.split(",").map((pair) => {
    const [field = "", column = ""] = pair.split("=").map((part) => part.trim());
    if (field === "" || column === "") throw new UsageError(`--columns must be FIELD=COLUMN,…, not ${given}`);
    if (!COLUMNS.includes(field)) throw new UsageError(`--columns: ${shown(field)} is none of ${COLUMNS.join(", ")}`);
    return [field, column];
  });
  return Object.fromEntries(pairs);
}

function uidFromOf(given: string | null): Hints["uidFrom"] {
  if (given === null) return (found) => (found.trim() === "" ? undefined : found.trim());
  const [, how, what = ""] = /^(json|regex):(.+)$/s.exec(given) ?? [];
  if (how === "json") {
    return (found) => {
      try {
        const value = at(JSON.parse(found), what);
        return value === undefined || value === null ? undefined : String(value);
      } catch {
        return undefined;
      }
    };
  }
  if (how !== "regex") throw new UsageError(`--uid-from must be json:PATH or regex:EXPRESSION, not ${given}`);
  const expression = expressionOf(what);
  return (found) => expression.exec(found)?.[1];
}

function expressionOf(text_: string): RegExp {
  try {
    return new RegExp(text_);
  } catch {
    throw new UsageError(`--uid-from: ${text_} is no regular expression`);
  }
}
