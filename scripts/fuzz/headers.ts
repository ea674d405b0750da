// Headers that are wrong: credentials of others, forged, cut short or missing, and headers that mean something elsewhere.
import * as fc from "fast-check";
import type { Change, Material } from "./material.ts";

/** HTTP/1.1 allows these in a header's value. */
const headerText = (maxLength: number) =>
  fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength });

const withHeader =
  (name: string, value: string | undefined): Change =>
  (draft) => {
    const headers = Object.fromEntries(
      Object.entries(draft.headers).filter(([each]) => each.toLowerCase() !== name.toLowerCase()),
    );
    return { ...draft, headers: value === undefined ? headers : { ...headers, [name]: value } };
  };

/** Credentials that are missing, of another, of another scope, forged or too long. */
export function credentials(material: Material): fc.Arbitrary<Change> {
  const { keys } = material;
  const genuine = fc.constantFrom(...material.authTokens);
  return fc.oneof(
    fc.constantFrom("appId", "authToken", "apikey").map((name) => withHeader(name, undefined)),
    fc
      .tuple(fc.constantFrom("appId", "authToken", "apikey", "authorization"), headerText(60))
      .map(([name, value]) => withHeader(name, value.trim())),
    fc
      .constantFrom("__proto__", "constructor", "toString", "load ", "LOAD", "load\u00e9")
      .map((id) => withHeader("appId", id)),
    fc.constantFrom(...material.deadAuthTokens).map((token) => withHeader("authToken", token)),
    fc
      .constantFrom(keys.sender, keys.authOnly, keys.fullAccess.toUpperCase(), "undefined", "null")
      .map((key) => withHeader("apikey", key)),
    genuine.map((token) => withHeader("authToken", token.slice(0, -1))),
    genuine.map((token) => withHeader("authToken", `${token}${"A".repeat(9000)}`)),
    fc.tuple(genuine, jwtHeader()).map(([token, header]) => withHeader("authToken", withPart(token, 0, header))),
    fc
      .tuple(genuine, fc.constantFrom(...material.uids))
      .map(([token, sub]) => withHeader("authToken", withPart(token, 1, { ...payloadOf(token), sub }))),
    fc.tuple(genuine, fc.constantFrom(...material.uids)).map(([token, sub]) => {
      const forged = withPart(withPart(token, 0, { alg: "none", typ: "auth+jwt" }), 1, { ...payloadOf(token), sub });
      return withHeader("authToken", forged.slice(0, forged.lastIndexOf(".") + 1));
    }),
  );
}

function jwtHeader(): fc.Arbitrary<unknown> {
  return fc.oneof(
    fc
      .constantFrom("none", "None", "HS512", "RS256", "ES256", "")
      .map((alg) => ({ alg, typ: "auth+jwt", kid: "load" })),
    fc.constantFrom("other", "../load", "", "__proto__").map((kid) => ({ alg: "HS256", typ: "auth+jwt", kid })),
    fc.jsonValue(),
  );
}

function withPart(token: string, part: number, value: unknown): string {
  const parts = token.split(".");
  parts[part] = Buffer.from(JSON.stringify(value)).toString("base64url");
  return parts.join(".");
}

function payloadOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

/** Headers that browsers, proxies and other servers take seriously. */
export function otherHeaders(): fc.Arbitrary<Change> {
  const name = fc.constantFrom(
    "origin",
    "content-type",
    "sdk",
    "user-agent",
    "resource",
    "if-none-match",
    "x-forwarded-for",
    "x-request-id",
    "accept",
    "cookie",
    "chatApiVersion",
    "x-http-method-override",
    "cf-connecting-ip",
  );
  return fc.oneof(
    fc.tuple(name, headerText(200)).map(([each, value]) => withHeader(each, value.trim())),
    fc.constantFrom("null", "https://evil.example", "file://").map((origin) => withHeader("origin", origin)),
    fc
      .constantFrom(
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
      )
      .map((type) => withHeader("content-type", type)),
    fc.tuple(name, fc.constant("v".repeat(7000))).map(([each, value]) => withHeader(each, value)),
  );
}
