// Requests as an attacker, a broken client or a curious browser may send them: the calls of the API, each made wrong in one
// to three ways, or not at all.
import * as fc from "fast-check";
import type { Ask } from "./load.ts";

/** What the requests are made of: valid credentials, and secrets that must not be told. */
export interface Material {
  appId: string;
  authTokens: readonly string[];
  /** Of another app, of a session that logged out, or over: genuine and refused. */
  deadAuthTokens: readonly string[];
  keys: { fullAccess: string; sender: string; authOnly: string };
  uids: readonly string[];
  pushTokens: readonly string[];
}

interface Draft {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | Uint8Array | undefined;
}

type Change = (draft: Draft) => Draft;

/** All hostile requests, the few valid ones included. */
export function hostileRequests(material: Material): fc.Arbitrary<Ask> {
  return fc
    .tuple(calls(material), fc.array(changes(material), { minLength: 0, maxLength: 3 }))
    .map(([draft, made]) => made.reduce((each, change) => change(each), draft))
    .map(({ body, ...ask }) => (body === undefined ? ask : { ...ask, body }));
}

/** The calls of the API as they should be. */
function calls(material: Material): fc.Arbitrary<Draft> {
  const { appId, keys } = material;
  const uid = fc.constantFrom(...material.uids).map(encodeURIComponent);
  const token = fc.constantFrom(...material.pushTokens);
  const client = fc.constantFrom(...material.authTokens).map((authToken) => ({ appId, authToken }));
  const backEnd = fc
    .constantFrom(keys.fullAccess, keys.fullAccess, keys.fullAccess, keys.sender, keys.authOnly)
    .map((apikey) => ({ appId, apikey }));
  const json = (value: unknown) => JSON.stringify(value);
  const draft = (
    method: string,
    headers: fc.Arbitrary<Record<string, string>>,
    path: fc.Arbitrary<string>,
    body: fc.Arbitrary<string | undefined> = fc.constant(undefined),
  ) => fc.record({ method: fc.constant(method), path, headers, body });
  const at = (path: string) => fc.constant(path);
  const tokenBody = fc
    .tuple(fc.constantFrom("fcmToken", "apnsToken", "voipToken"), token)
    .map(([field, value]) => json({ [field]: value }));
  const of = (suffix: string) => uid.map((each) => `/v3/users/${each}${suffix}`);
  return fc.oneof(
    draft("POST", client, at("/v2/tokens"), tokenBody),
    draft("GET", client, at("/v2/tokens")),
    draft("DELETE", client, at("/v2/tokens"), fc.constantFrom(undefined, json({ all: false }), json({ all: true }))),
    draft("POST", fc.constant({ "content-type": "text/plain" }), at("/v2/tokens/unregister"), token),
    draft("PUT", client, at("/v3.0/me"), fc.constant("{}")),
    draft("GET", client, at("/v3.0/me")),
    draft("GET", client, at("/v3.0/settings")),
    draft("POST", client, at("/v3.0/user_sessions"), fc.constant("{}")),
    draft("POST", client, at("/v3.0/notifications/push/v1/tokens"), tokenBody),
    draft("DELETE", client, at("/v3.0/notifications/push/v1/tokens"), fc.constant("{}")),
    draft("POST", backEnd, of("/auth_tokens"), fc.constant(json({ lifetimeSeconds: 3600 }))),
    draft("GET", backEnd, of("/push_tokens")),
    draft("GET", backEnd, of("/sessions")),
    draft("DELETE", backEnd, of("/sessions/no-session-of-theirs")),
    draft("GET", backEnd, of("/export")),
    draft("POST", backEnd, of("/reconcile")),
    draft("POST", backEnd, of("/restore"), fc.constantFrom(json({ at: 1 }), json({ at: "now" }), json({}))),
    draft("POST", backEnd, at("/v3/push_tokens/lookup"), fc.constant(json({ uids: material.uids }))),
    draft(
      "POST",
      backEnd,
      at("/v3/push_tokens/feedback"),
      token.map((value) => json({ items: [{ token: value, kind: "fcm", code: "INVALID_ARGUMENT" }] })),
    ),
    draft(
      "POST",
      backEnd,
      at("/v3/push_tokens/owner"),
      token.map((value) => json({ token: value })),
    ),
    draft("GET", fc.constant({}), at("/health")),
    draft("GET", backEnd, at("/health/deep")),
    draft("GET", fc.constant({}), at("/openapi.json")),
    draft("GET", fc.constant({}), fc.webPath()),
  );
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

function credentials(material: Material): fc.Arbitrary<Change> {
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

const FIELDS = [
  "fcmToken",
  "apnsToken",
  "voipToken",
  "platform",
  "all",
  "lifetimeSeconds",
  "force",
  "uids",
  "items",
  "token",
  "kind",
  "code",
  "at",
  "sentAt",
  "uid",
  "userId",
  "owner",
  "registeredAt",
  "version",
  "session",
  "__proto__",
  "constructor",
] as const;

function bodies(material: Material): fc.Arbitrary<Change> {
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

function paths(): fc.Arbitrary<Change> {
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
      .constantFrom("/", "//", "?", "?a=b", "?uid=x&__proto__=1", "%20", ".json", "/..", "/export", "?%ff", "#x")
      .map((end) => onPath((path) => path + end)),
    fc.webQueryParameters().map((query) => onPath((path) => `${path}?${query}`)),
    fc.constant(onPath((path) => path.toUpperCase())),
    fc.constant(onPath((path) => path.replace("/v3/", "/v3.0/").replace("/v2/", "/v2.0/"))),
    fc.constant(onPath(() => `/${"a".repeat(7000)}`)),
  );
}

function methods(): fc.Arbitrary<Change> {
  return fc
    .constantFrom("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "MKCOL", "SEARCH")
    .map((method) => (draft: Draft) => ({ ...draft, method }));
}

function otherHeaders(): fc.Arbitrary<Change> {
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
