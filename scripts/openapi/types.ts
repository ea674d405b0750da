// The calls of back ends as TypeScript types, from the OpenAPI document: what examples/back-end is typed with.
import type { OpenApiDocument, OpenApiOperation } from "./document.ts";

interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  items?: Schema;
}

const HEADER = `// The registry's calls for back ends: made by \`npm run openapi\` from its OpenAPI document. Do not edit.

/** By method and path: what goes into a call, and the \`data\` of its success. */
export interface Calls {
`;

/** The text of a declaration file. */
export function toTypes({ paths }: OpenApiDocument): string {
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { security }]) => security.some((each) => "apikey" in each))
      .map(([method, operation]) => callOf(`${method.toUpperCase()} ${path}`, operation)),
  );
  return `${HEADER}${calls.join("")}}\n`;
}

function callOf(name: string, { summary, parameters = [], requestBody, responses }: OpenApiOperation): string {
  const named = parameters as { name: string; in: string; required?: boolean; schema: Schema }[];
  const fields = (place: string) =>
    named
      .filter((each) => each.in === place)
      .map(({ name: field, required, schema }) => `${key(field)}${required ? "" : "?"}: ${typeOf(schema)}`);
  const [path, query] = [fields("path"), fields("query")];
  const body = requestBody?.content["application/json"]?.schema as Schema | undefined;
  const success = responses["200"] as { content: Record<string, { schema: Schema }> };
  const data = success.content["application/json"]?.schema.properties?.data ?? {};
  return [
    `  /** ${summary.replaceAll("*/", "*\\/")} */`,
    `  ${JSON.stringify(name)}: {`,
    ...(path.length === 0 ? [] : [`    path: { ${path.join("; ")} };`]),
    ...(query.length === 0 ? [] : [`    query?: { ${query.join("; ")} };`]),
    ...(body === undefined ? [] : [`    body${(body.required ?? []).length === 0 ? "?" : ""}: ${typeOf(body)};`]),
    `    data: ${typeOf(data)};`,
    "  };",
    "",
  ].join("\n");
}

function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) throw new Error(`${schema.$ref}: references are not written as types yet`);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return union(schema.enum.map((value) => JSON.stringify(value)));
  if (schema.anyOf !== undefined) return union(schema.anyOf.map(typeOf));
  const types = [schema.type ?? []].flat();
  return types.length === 0 ? "unknown" : union(types.map((type) => ofType(type, schema)));
}

function ofType(type: string, schema: Schema): string {
  if (type === "integer") return "number";
  if (type === "array") return `Array<${typeOf(schema.items ?? {})}>`;
  if (type !== "object") return type;
  const { properties = {}, required = [], additionalProperties } = schema;
  const fields = Object.entries(properties).map(
    ([name, field]) => `${key(name)}${required.includes(name) ? "" : "?"}: ${typeOf(field)}`,
  );
  if (fields.length > 0) return `{ ${fields.join("; ")} }`;
  return `Record<string, ${typeof additionalProperties === "object" ? typeOf(additionalProperties) : "unknown"}>`;
}

function union(types: string[]): string {
  return [...new Set(types)].join(" | ");
}

function key(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name);
}
