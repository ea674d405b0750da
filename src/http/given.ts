// Fields that never cost the call they come with: what is wrong is named in the reply, and the rest is done.
import * as z from "zod/mini";
import { oneOf } from "../config/values.ts";
import { isNothing } from "../domain/nothing.ts";
import type { ErrorDetails } from "./errors.ts";

/** What such a field holds; a field that is not there is `undefined`. */
export type Given<T> =
  | { is: "value"; value: T }
  /** It says that there is nothing: in `word` (domain/nothing.ts), with blank text, or with JSON's `null`. */
  | { is: "nothing"; word: string | null }
  /** `why` reads on after the field's name: "must be a string". */
  | { is: "wrong"; why: string };

/** Why a field of a call that succeeded was not used. Only reasons that a repeat would not change. */
export type RefusedReason = "invalid" | "too_many_takeovers";
export type Refused = Record<string, RefusedReason>;

type Fields = Readonly<Record<string, Given<unknown> | undefined>>;

/** What `value` is by `schema`. */
export function readGiven<T extends z.ZodMiniType>(schema: T, value: unknown): Given<z.output<T>> {
  if (value == null) return { is: "nothing", word: null };
  if (typeof value === "string" && isNothing(value)) return { is: "nothing", word: value.trim().toLowerCase() };
  const parsed = schema.safeParse(value);
  if (parsed.success) return { is: "value", value: parsed.data };
  return { is: "wrong", why: parsed.error.issues[0]?.message ?? "is wrong" };
}

/** The field of a body that holds a value of `schema`, or anything else without failing the body. */
export function given<T extends z.ZodMiniType>(schema: T) {
  const reading = z.pipe(
    z.unknown(),
    z.transform((value) => readGiven(schema, value)),
  );
  SHAPES.set(reading, z.nullable(schema));
  // Callers are told the shape that is meant, not that anything passes.
  return z.optional(reading as unknown as z.ZodMiniType<Given<z.output<T>>, z.input<T> | null>);
}

/** One of `values`, in any case and with space around it. */
export function anyCase<const T extends readonly string[]>(values: T, message: string) {
  const exact = oneOf(values, message);
  const reading = z.pipe(
    z.transform((value) => (typeof value === "string" ? value.trim().toLowerCase() : value)),
    exact,
  );
  SHAPES.set(reading, exact);
  return reading as unknown as typeof exact;
}

/** Any value, described as one of `schema`: an item of a batch, each of which is looked at by itself. */
export function each<T extends z.ZodMiniType>(schema: T) {
  const any = z.unknown();
  SHAPES.set(any, schema);
  return any as unknown as z.ZodMiniType<unknown, z.input<T>>;
}

const SHAPES = new WeakMap<object, z.ZodMiniType>();

/** What the description of the API says that a schema of this file takes; `undefined` for any other schema. */
export function shapeOf(schema: object): z.ZodMiniType | undefined {
  return SHAPES.get(schema);
}

export function givenValue<T>(field: Given<T> | undefined): T | undefined {
  return field?.is === "value" ? field.value : undefined;
}

/** The word that a field holds in place of a value: a sign of a build with a mistake in it, which an empty field is not. */
export function wordOf(field: Given<unknown> | undefined): string | undefined {
  return (field?.is === "nothing" && field.word) || undefined;
}

/** The fields that are wrong, as a reply names them. */
export function refusedOf(fields: Fields): Refused {
  const wrong = Object.entries(fields).filter(([, field]) => field?.is === "wrong");
  return Object.fromEntries(wrong.map(([name]) => [name, "invalid"]));
}

/** What is wrong with the fields, in sentences: for a call of which no field is left. */
export function problemsOf(fields: Fields): ErrorDetails {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => {
      if (field?.is === "wrong") return [[name, [`The ${name} field ${field.why}.`]]];
      const word = wordOf(field);
      if (word !== undefined) return [[name, [`The ${name} field holds the word "${word}", which is no value.`]]];
      return [];
    }),
  );
}
