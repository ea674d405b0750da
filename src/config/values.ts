// Values that schemas of apps and of calls share. zod has an `int` and a `union`; each is 0.4 KiB of the bundle, because they
// serve every number format, and options that nothing tells apart.
import * as z from "zod/mini";

/** A whole number that JSON keeps exactly; `problem` is said of anything else. */
export function whole(problem: string) {
  return z.number(problem).check(z.refine(Number.isSafeInteger, { error: problem, abort: true }));
}

/** A value of `text` if it is a string, else one of `other`. */
export function textOr<T extends z.ZodMiniType, O extends z.ZodMiniType>(text: T, other: O) {
  const either = z.unknown().check(({ value, issues }) => {
    const { error } = (typeof value === "string" ? text : other).safeParse(value);
    for (const { path, message } of error?.issues ?? []) issues.push({ code: "custom", path, message, input: value });
  });
  return either as unknown as z.ZodMiniType<z.output<T> | z.output<O>, z.input<T> | z.input<O>>;
}
