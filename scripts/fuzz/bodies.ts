// Bodies that are wrong: fields of any call with values of any kind, and text that is no body at all.
import * as fc from "fast-check";
import { operationsForAttack } from "../openapi/attack.ts";
import type { Change, Draft, Material } from "./material.ts";

const withBody =
  (body: Draft["body"]): Change =>
  (draft) => ({ ...draft, body });

/** Values that break naive readers. */
function strangeValues(): fc.Arbitrary<unknown> {
  return fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.string({ unit: "grapheme", maxLength: 300 }),
    fc.constantFrom<unknown>(
      null,
      true,
      0,
      -0,
      1e308,
      -1,
      1.5,
      "",
      " ",
      "a b",
      "\u0000",
      "\ud800",
      "\u202e",
      "x".repeat(4097),
      [],
      {},
    ),
    fc.constantFrom<unknown>(
      ["a"],
      { toString: "x" },
      { $gt: "" },
      "' OR 1=1 --",
      "{{7*7}}",
      "<script>",
      "../../etc/passwd",
    ),
    fc.jsonValue(),
  );
}

/** The fields of all calls, and names that no call has and no code may take for its own. */
const FIELDS = [
  ...new Set(operationsForAttack().flatMap(({ fields }) => fields)),
  "userId",
  "owner",
  "registeredAt",
  "version",
  "session",
  "__proto__",
  "constructor",
];

/** Other values, other fields, other text. */
export function bodies(material: Material): fc.Arbitrary<Change> {
  const field = fc.constantFrom(...FIELDS);
  const item = fc.dictionary(fc.constantFrom("token", "kind", "code", "at", "sentAt", "uid"), strangeValues());
  return fc.oneof(
    fc.dictionary(field, strangeValues(), { maxKeys: 5 }).map((value) => withBody(JSON.stringify(value))),
    fc.tuple(field, strangeValues()).map(
      ([name, value]): Change =>
        (draft) =>
          changeField(draft, name, value),
    ),
    fc.json().map(withBody),
    fc
      .constantFrom("", " ", "{", "null", "[]", "0", '"text"', "{}}", "\ufeff{}", "NaN", "{'a':1}", "a=b&c=d")
      .map(withBody),
    // Keys twice, and keys that are no plain property.
    fc
      .constantFrom(...material.pushTokens)
      .map((token) => withBody(`{"fcmToken":"","fcmToken":${JSON.stringify(token)},"platform":5}`)),
    fc
      .constantFrom('{"__proto__":{"all":true},"all":"x"}', '{"constructor":{"prototype":{"all":true}},"all":1}')
      .map(withBody),
    fc
      .constantFrom("1e999", "-1e999", "1e-999", "99999999999999999999", "0.1e1")
      .map((number) => withBody(`{"at":${number},"lifetimeSeconds":${number}}`)),
    fc
      .integer({ min: 100, max: 7000 })
      .map((depth) => withBody(`{"fcmToken":${"[".repeat(depth)}${"]".repeat(depth)}}`)),
    fc.integer({ min: 100, max: 2500 }).map((depth) => withBody(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`)),
    fc.uint8Array({ minLength: 1, maxLength: 60 }).map(withBody),
    fc
      .constantFrom(16 * 1024 + 1, 20_000, 300_000)
      .map((size) => withBody(JSON.stringify({ fcmToken: "x".repeat(size) }))),
    fc.array(item, { maxLength: 4 }).map((items) => withBody(JSON.stringify({ items }))),
    fc.array(strangeValues(), { maxLength: 6 }).map((uids) => withBody(JSON.stringify({ uids }))),
    fc.constant(withBody(JSON.stringify({ uids: Array.from({ length: 501 }, (_, i) => `u${i}`) }))),
  );
}

function changeField(draft: Draft, name: string, value: unknown): Draft {
  try {
    const body: unknown = JSON.parse(String(draft.body ?? "{}"));
    if (typeof body !== "object" || body === null) return draft;
    return { ...draft, body: JSON.stringify({ ...body, [name]: value }) };
  } catch {
    return draft;
  }
}
