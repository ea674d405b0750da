// Values that schemas of apps and of calls share. What zod has for the same serves every format and case, and is 2 KiB more in
// the bundle: `number`, `int`, `boolean`, `enum`, `union`, `_default`, `regex`, `minimum`, `maximum`. Lengths are zod's to check:
// it looks at the length of a list before its items.
import * as z from "zod/mini";

/** A value of which `holds` is true; `error` is said of anything else. `params`: what JSON Schema says of it. */
function value<T>(holds: (value: unknown) => boolean, error: string, params: object) {
  return z.unknown().check(z.refine(holds, { error, abort: true, params })) as z.ZodMiniType<T, T>;
}

/** A whole number that JSON keeps exactly. */
export function whole(error: string) {
  return value<number>(Number.isSafeInteger, error, { type: "integer" });
}

/** Any number of JSON. */
export function number(error: string) {
  return value<number>(Number.isFinite, error, { type: "number" });
}

/** One of `values`. */
export function oneOf<const T extends readonly string[]>(values: T, error: string) {
  return value<T[number]>((each) => values.includes(each as string), error, { type: "string", enum: values });
}

export const yesOrNo = value<boolean>((each) => typeof each === "boolean", "must be true or false", {
  type: "boolean",
});

/** A whole number from 1 to `maximum`. */
export function wholeUpTo(maximum: number) {
  return whole("must be a whole number").check(
    atLeast(1, "must be at least 1"),
    atMost(maximum, `must not be above ${maximum}`),
  );
}

/** A value of `text` if it is a string, else one of `other`. */
export function textOr<T extends z.ZodMiniType, O extends z.ZodMiniType>(text: T, other: O) {
  const either = z.unknown().check(({ value, issues }) => {
    const { error } = (typeof value === "string" ? text : other).safeParse(value);
    for (const { path, message } of error?.issues ?? []) issues.push({ code: "custom", path, message, input: value });
  });
  return either as unknown as z.ZodMiniType<z.output<T> | z.output<O>, z.input<T> | z.input<O>>;
}

/** A value of `schema`, or `value` where the field is absent. */
export function withDefault<T extends z.ZodMiniType>(schema: T, value: z.input<T>): z.ZodMiniDefault<T> {
  const given = z.transform((sent: unknown): unknown => (sent === undefined ? value : sent));
  return z.pipe(given, schema as z.ZodMiniType) as unknown as z.ZodMiniDefault<T>;
}

// Checks; `params` is what JSON Schema says of each.

export function atLeast(minimum: number, error: string) {
  return z.refine<number>((value) => value >= minimum, { error, params: { minimum } });
}

export function atMost(maximum: number, error: string) {
  return z.refine<number>((value) => value <= maximum, { error, params: { maximum } });
}

export function matching(pattern: RegExp, error: string) {
  return z.refine<string>((value) => pattern.test(value), { error, params: { pattern: pattern.source } });
}

/** Where an object may be made, by Cloudflare's names: developers.cloudflare.com/durable-objects/reference/data-location. */
export const LOCATION_HINTS = [
  "wnam",
  "enam",
  "sam",
  "weur",
  "eeur",
  "apac",
  "apac-ne",
  "apac-se",
  "oc",
  "afr",
  "me",
] as const;
export type LocationHint = (typeof LOCATION_HINTS)[number];
export const locationHint = z.nullish(oneOf(LOCATION_HINTS, `must be one of ${LOCATION_HINTS.join(", ")}`));
