// A page to read the API on: one file, nothing fetched. Its script (reference/page.js) searches and copies.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "../lib/workerd.ts";
import { curlLine, PREPARATION } from "./curl.ts";
import type { OpenApiDocument, OpenApiOperation } from "./document.ts";

interface Call {
  path: string;
  method: string;
  operation: OpenApiOperation;
}

interface Schema {
  type?: string | string[];
  description?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  maxLength?: number;
}

/** The reference page of a document. */
export function toReference(document: OpenApiDocument): string {
  const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const groups = document.tags.map(({ name, description }, n) => ({
    name,
    description,
    id: `group-${n}`,
    calls: calls.filter(({ operation }) => operation.tags.includes(name)),
  }));
  const css = asset("page.css");
  const script = asset("page.js");
  const policy = `default-src 'none'; style-src ${hashOf(css)}; script-src ${hashOf(script)}; img-src data:; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(document.info.title)}: reference</title>
<link rel="icon" href="data:,">
<style>${css}</style>
</head>
<body>
<header>
<h1>${escapeHtml(document.info.title)} ${escapeHtml(document.info.version)}</h1>
<p>${markup(document.info.description)} The same as a document for programs: <a href="/openapi.json">openapi.json</a>.</p>
</header>
<nav aria-label="Calls">
<form role="search" hidden><label for="search">Search</label><input id="search" type="search" autocomplete="off"></form>
<p id="status" class="quiet" role="status"></p>
${groups.map(toIndex).join("\n")}
</nav>
<main>
${preparation()}
${groups.map(toSection).join("\n")}
</main>
<script>${script}</script>
</body>
</html>
`;
}

function asset(name: string): string {
  return readFileSync(join(PROJECT, "scripts/openapi/reference", name), "utf8");
}

/** As a Content-Security-Policy names an inline text that may stand in the page. */
function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

type Group = { name: string; description: string; id: string; calls: Call[] };

function toIndex({ name, calls }: Group): string {
  const items = calls.map(
    ({ operation }) => `<li><a href="#${operation.operationId}">${escapeHtml(operation.summary)}</a></li>`,
  );
  return `<div data-group><h2>${escapeHtml(name)}</h2>\n<ul>\n${items.join("\n")}\n</ul></div>`;
}

function toSection({ name, description, id, calls }: Group): string {
  return `<section data-group aria-labelledby="${id}">
<h2 id="${id}">${escapeHtml(name)}</h2>
<p>${markup(description)}</p>
${calls.map(toArticle).join("\n")}
</section>`;
}

function preparation(): string {
  const lines = escapeHtml(PREPARATION).replace("{url}", '<span class="url">http://localhost:8787</span>');
  return `<section aria-labelledby="paste">
<h2 id="paste">To paste</h2>
<p>Each call has a line for bash. They work after these, which log alice in and register a token for her. The app and its
key are those of <code>npm start</code>.</p>
<pre class="curl" data-name="what comes first">${lines}</pre>
</section>`;
}

function toArticle({ path, method, operation }: Call): string {
  const content = Object.entries(operation.requestBody?.content ?? {});
  const bodies = content.map(
    ([type, { schema }]) => `<h4>Body <span class="quiet">${escapeHtml(type)}</span></h4>${bodyOf(schema as Schema)}`,
  );
  const ok = operation.responses["200"] as { content: Record<string, { schema: Schema; example: unknown }> };
  const data = ok.content["application/json"];
  return `<article id="${operation.operationId}">
<h3>${escapeHtml(operation.summary)}</h3>
<p class="call"><code>${method.toUpperCase()} ${escapeHtml(path)}</code></p>
<p>${markup(operation.description)}</p>
<p>Headers: ${headersOf(operation)}</p>
<pre class="curl" data-name="${escapeHtml(operation.summary)}">${escapeHtml(curlLine(path, method, operation))}</pre>
${parametersOf(operation)}
${bodies.join("\n")}
<details><summary>Reply</summary>
<pre>${escapeHtml(JSON.stringify(data?.example, null, 2))}</pre>
${fieldList(data?.schema ?? {})}</details>
<details><summary>Statuses</summary>
<dl>
${statusesOf(operation)}
</dl></details>
</article>`;
}

/** The headers as they are sent, one way after the other. */
function headersOf({ security }: OpenApiOperation): string {
  const names: Readonly<Record<string, string>> = { bearer: "Authorization: Bearer …" };
  const ways = security.map((way) =>
    Object.keys(way)
      .map((name) => `<code>${names[name] ?? name}</code>`)
      .join(" and "),
  );
  return ways.length === 0 ? "none." : `${ways.join(", or ")}.`;
}

function parametersOf({ parameters = [] }: OpenApiOperation): string {
  const named = parameters as { name: string; in: string; description?: string; schema: Schema }[];
  const items = named.map(({ name, in: place, description = "", schema }) =>
    item(name, `${place}, ${typeOf(schema)}`, description),
  );
  return items.length === 0 ? "" : `<h4>Parameters</h4><dl>\n${items.join("\n")}\n</dl>`;
}

function bodyOf(schema: Schema): string {
  return schema.properties === undefined ? "<p>The text itself.</p>" : fieldList(schema);
}

function fieldList(schema: Schema): string {
  const items = fieldsOf(schema, "").map(({ name, field, required }) =>
    item(name, `${typeOf(field)}${required ? "" : ", optional"}`, field.description ?? ""),
  );
  return `<dl>\n${items.join("\n")}\n</dl>`;
}

interface Field {
  name: string;
  field: Schema;
  required: boolean;
}

/** The fields at any depth, those of entries of lists as `items[].token`. */
function fieldsOf(schema: Schema, outer: string): Field[] {
  const { properties = {}, required = [], items, additionalProperties, anyOf = [] } = schema;
  const own = Object.entries(properties).flatMap(([name, field]) => [
    { name: outer + name, field, required: required.includes(name) },
    ...fieldsOf(field, `${outer}${name}.`),
  ]);
  const entries = items === undefined ? [] : fieldsOf(items, outer.replace(/\.$/, "[]."));
  const named = typeof additionalProperties === "object" ? fieldsOf(additionalProperties, outer) : [];
  const found = [...own, ...entries, ...named, ...anyOf.flatMap((each) => fieldsOf(each, outer))];
  return found.filter(({ name }, n) => found.findIndex((each) => each.name === name) === n);
}

function typeOf({ type, enum: values, const: value, anyOf, items }: Schema): string {
  if (value !== undefined) return JSON.stringify(value);
  if (values !== undefined) return values.map((each) => JSON.stringify(each)).join(" | ");
  if (anyOf !== undefined) return [...new Set(anyOf.map(typeOf))].join(" | ");
  const types = [type ?? []].flat();
  if (types.length === 0) return "anything";
  return types.map((each) => (each === "array" && items !== undefined ? `list of ${typeOf(items)}` : each)).join(" | ");
}

function item(name: string, type: string, description: string): string {
  return `<dt><code>${escapeHtml(name)}</code></dt><dd>${markup(description)} <span class="quiet">${escapeHtml(type)}</span></dd>`;
}

function statusesOf({ responses }: OpenApiOperation): string {
  return Object.entries(responses)
    .map(([status, { description }]: [string, { description?: string }]) => {
      return `<dt>${status}</dt><dd>${markup(description ?? "")}</dd>`;
    })
    .join("\n");
}

/** Text in which `code` is marked as in Markdown. */
function markup(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
