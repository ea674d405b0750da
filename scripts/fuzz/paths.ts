// Paths and methods that are wrong.
import * as fc from "fast-check";
import type { Change, Draft } from "./material.ts";

/** Odd users, odd slashes, odd ends. */
export function paths(): fc.Arbitrary<Change> {
  const onPath =
    (edit: (path: string) => string): Change =>
    (draft) => ({ ...draft, path: edit(draft.path) });
  // Node sends a path as it is, if it holds no space, control or other character beyond latin-1.
  const uid = fc.oneof(
    fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 300 })
      .map((text) => encodeURIComponent(text.toWellFormed())),
    fc.constantFrom(
      "%00",
      "%ff",
      "%",
      "%zz",
      "..",
      "%2e%2e",
      "%2f",
      "a%2Fb",
      ".",
      "%E2%80%AE",
      "%ed%a0%80",
      "a;b",
      "a?b",
      "*",
      "__proto__",
      "x".repeat(256),
    ),
    fc.webPath().map((path) => path.slice(1) || "x"),
  );
  return fc.oneof(
    uid.map((each) => onPath((path) => path.replace(/\/users\/[^/]+/, `/users/${each}`))),
    fc
      .constantFrom("//", "/./", "/../", "/%2f", "\\")
      .map((slash) => onPath((path) => path.replaceAll("/", slash).replace(/^[^/]/, "/"))),
    fc
      .constantFrom(
        "/",
        "//",
        "?",
        "?a=b",
        "?all=true",
        "?all=x",
        "?authToken=x",
        "?uid=x&__proto__=1",
        "%20",
        ".json",
        "/..",
        "/export",
        "?%ff",
        "#x",
      )
      .map((end) => onPath((path) => path + end)),
    fc.webQueryParameters().map((query) => onPath((path) => `${path}?${query}`)),
    fc.constant(onPath((path) => path.toUpperCase())),
    fc.constant(onPath((path) => path.replace("/v3/", "/v3.0/").replace("/v2/", "/v2.0/"))),
    fc.constant(onPath(() => `/${"a".repeat(7000)}`)),
  );
}

/** Any other method. */
export function methods(): fc.Arbitrary<Change> {
  return fc
    .constantFrom("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "MKCOL", "SEARCH")
    .map((method) => (draft: Draft) => ({ ...draft, method }));
}
