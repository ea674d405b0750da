// What can be attacked: every call of the API as the description has it, so that a new call is attacked without anybody
// remembering it. Imports nothing of Node: the attack tests run inside workerd.
import type * as z from "zod/mini";
import { toJsonSchema } from "./json-schema.ts";
import { type ApiOperation, OPERATIONS } from "./operations.ts";

export interface OperationToAttack {
  id: string;
  /** In capitals. */
  method: string;
  /** With `{uid}`, `{sid}` and `{pushToken}` where they go: {@link fillPath}. */
  path: string;
  /** Who may call: an app with an auth token, a back end with an API key, whoever holds a ticket, or anybody. */
  audience: "client" | "server" | "ticket" | "none";
  /** The scopes that may call it; empty unless `audience` is `server`. */
  scopes: readonly string[];
  /** The example of the description: a value that is sent as JSON, the text of a ticket's place, or `undefined`. */
  body: unknown;
  /** Names of the fields that a body may have, at any depth. */
  fields: readonly string[];
  contentType: "application/json" | "text/plain";
  /** What it answers here to whoever may call it, where it needs Cloudflare, or another Worker. */
  elsewhere: 400 | 500 | undefined;
}

/** Every call of the API, in the order of the description. */
export function operationsForAttack(): OperationToAttack[] {
  return OPERATIONS.map((operation) => ({
    id: operation.id,
    method: operation.method.toUpperCase(),
    path: operation.path,
    audience: audienceOf(operation),
    scopes: typeof operation.caller === "string" ? [] : operation.caller,
    body: operation.body?.example,
    fields: operation.body !== undefined && "schema" in operation.body ? fieldsOf(operation.body.schema) : [],
    contentType: isText(operation) ? "text/plain" : "application/json",
    elsewhere: operation.elsewhere,
  }));
}

function audienceOf(operation: ApiOperation): OperationToAttack["audience"] {
  if (operation.caller === "client") return "client";
  if (operation.caller !== "anybody") return "server";
  return isText(operation) ? "ticket" : "none";
}

function fieldsOf(schema: z.ZodMiniType): string[] {
  const names = new Set<string>();
  const visit = (part: unknown): void => {
    if (typeof part !== "object" || part === null) return;
    for (const [key, value] of Object.entries(part)) {
      if (key === "properties") for (const name of Object.keys(value)) names.add(name);
      visit(value);
    }
  };
  visit(toJsonSchema(schema, "input"));
  return [...names];
}

/** Only tickets travel as text. */
function isText({ body }: ApiOperation): boolean {
  return body !== undefined && "text" in body;
}

/** A path with its places filled, percent-encoded. Throws if a place has no value. */
export function fillPath(path: string, values: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${path} needs a value for ${name}`);
    return encodeURIComponent(value);
  });
}
