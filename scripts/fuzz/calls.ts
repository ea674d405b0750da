// The calls of the API as they should be, taken from its description, so that a new call is attacked without anybody
// remembering it.
import * as fc from "fast-check";
import { fillPath, type OperationToAttack, operationsForAttack } from "../openapi/attack.ts";
import type { Draft, Material } from "./material.ts";

/** Every call, with genuine credentials, users and tokens of `material`; and a few paths that are no calls. */
export function calls(material: Material): fc.Arbitrary<Draft> {
  const none = fc.constant(undefined);
  const open = (path: fc.Arbitrary<string>) =>
    fc.record({ method: fc.constant("GET"), path, headers: fc.constant({}), body: none });
  return fc.oneof(
    ...operationsForAttack().map((operation) => callOf(operation, material)),
    open(fc.constant("/openapi.json")),
    open(fc.webPath()),
  );
}

function callOf(operation: OperationToAttack, material: Material): fc.Arbitrary<Draft> {
  const { method, path } = operation;
  // What ends and erases does it to users of its own: the others are needed until the end.
  const users = method === "DELETE" ? material.victims : material.uids;
  const places = fc.record({
    uid: fc.constantFrom(...users),
    sid: fc.constant("no-session-of-theirs"),
    pushToken: fc.constantFrom(...material.pushTokens),
  });
  return fc.record({
    method: fc.constant(method),
    path: places.map((values) => fillPath(path, values)),
    headers: headersOf(operation, material),
    body: bodyOf(operation, material),
  });
}

function headersOf(operation: OperationToAttack, material: Material): fc.Arbitrary<Record<string, string>> {
  const { audience, method, contentType } = operation;
  const { appId, keys } = material;
  const tokens = method === "DELETE" ? material.spareAuthTokens : material.authTokens;
  const type: Record<string, string> = contentType === "text/plain" ? { "content-type": contentType } : {};
  switch (audience) {
    case "client":
      return fc.constantFrom(...tokens).map((authToken) => ({ ...type, appId, authToken }));
    case "server":
      return fc
        .constantFrom(keys.fullAccess, keys.fullAccess, keys.fullAccess, keys.sender, keys.authOnly)
        .map((apikey) => ({ ...type, appId, apikey }));
    case "ticket":
    case "none":
      return fc.constant(type);
  }
}

function bodyOf(operation: OperationToAttack, material: Material): fc.Arbitrary<string | undefined> {
  const { body, audience, elsewhere } = operation;
  if (audience === "ticket") return fc.constantFrom(...material.tickets, ...material.pushTokens);
  if (body === undefined) return fc.constant(undefined);
  // Where only Cloudflare can do it, a good body is a 500 here.
  if (elsewhere !== undefined) return fc.constant("{}");
  return fc
    .tuple(fc.constantFrom(...material.pushTokens), fc.constantFrom(...material.uids), fc.boolean())
    .map(([token, uid, isOther]) => JSON.stringify(filled(body, { token, uid, uids: material.uids, isOther })));
}

interface Filling {
  token: string;
  uid: string;
  uids: readonly string[];
  /** Booleans of the example turned round. */
  isOther: boolean;
}

/** The example with tokens and users that exist, wherever a field says that it holds one. */
function filled(example: unknown, filling: Filling): unknown {
  if (Array.isArray(example)) return example.map((each) => filled(each, filling));
  if (typeof example === "boolean") return filling.isOther ? !example : example;
  if (typeof example !== "object" || example === null) return example;
  return Object.fromEntries(
    Object.entries(example).map(([field, value]) => {
      if (typeof value === "string" && /token$/i.test(field)) return [field, filling.token];
      if (field === "uid") return [field, filling.uid];
      if (field === "uids") return [field, filling.uids];
      return [field, filled(value, filling)];
    }),
  );
}
