import * as z from "zod/mini";

/** A whole number that JSON keeps exactly; `problem` is said of anything else. (zod's `int` brings five more formats with it.) */
export function whole(problem: string) {
  return z.number(problem).check(z.refine(Number.isSafeInteger, { error: problem, abort: true }));
}
