// Requests as an attacker, a broken client or a curious browser may send them: the calls of the API, each made wrong in one
// to three ways, or not at all.
import * as fc from "fast-check";
import type { Ask } from "../lib/load.ts";
import { bodies } from "./bodies.ts";
import { calls } from "./calls.ts";
import { credentials, otherHeaders } from "./headers.ts";
import type { Change, Material } from "./material.ts";
import { methods, paths } from "./paths.ts";

/** All hostile requests, the few valid ones included. */
export function hostileRequests(material: Material): fc.Arbitrary<Ask> {
  return fc
    .tuple(calls(material), fc.array(changes(material), { minLength: 0, maxLength: 3 }))
    .map(([draft, made]) => made.reduce((each, change) => change(each), draft))
    .map(({ body, ...ask }) => (body === undefined ? ask : { ...ask, body }));
}

function changes(material: Material): fc.Arbitrary<Change> {
  return fc.oneof(
    { weight: 2, arbitrary: credentials(material) },
    { weight: 5, arbitrary: bodies(material) },
    { weight: 2, arbitrary: paths() },
    { weight: 1, arbitrary: methods() },
    { weight: 1, arbitrary: otherHeaders() },
  );
}
