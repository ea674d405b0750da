// A page to read the API on: one file, no script, nothing fetched.
import type { OpenApiDocument, OpenApiOperation } from "./document.ts";

/** The reference page of a document. */
export function toReference(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const sections = document.tags.map(({ name, description }) => {
    const mine = operations.filter(({ operation }) => operation.tags.includes(name));
    return `<section><h2>${escapeHtml(name)}</h2><p>${markup(description)}</p>${mine.map(toArticle).join("")}</section>`;
  });
  const index = operations.map(
    ({ path, method, operation }) =>
      `<li><a href="#${operation.operationId}"><code>${method.toUpperCase()} ${escapeHtml(path)}</code></a></li>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(document.info.title)}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; color: #1a1a1a; background: #fff; }
h1, h2 { line-height: 1.2; } nav ul { columns: 2; padding-left: 1rem; list-style: none; }
article { border-top: 1px solid #ccc; padding: 0.5rem 0 1rem; } h3 { margin: 0.5rem 0; }
code, pre { font: 14px/1.45 ui-monospace, monospace; background: #f2f2f2; border-radius: 3px; } code { padding: 0 0.2em; }
pre { padding: 0.7rem; overflow-x: auto; } details pre { max-height: 30rem; } th, td { text-align: left; vertical-align: top; padding: 0.1rem 1rem 0.1rem 0; }
@media (prefers-color-scheme: dark) { body { color: #e8e8e8; background: #161616; } code, pre { background: #262626; } a { color: #8ab4f8; } article { border-color: #444; } }
@media (max-width: 40rem) { nav ul { columns: 1; } }
</style>
</head>
<body>
<h1>${escapeHtml(document.info.title)} ${escapeHtml(document.info.version)}</h1>
<p>${markup(document.info.description)} The same as a document for programs: <a href="/openapi.json">openapi.json</a>.</p>
<nav><ul>${index.join("")}</ul></nav>
${sections.join("\n")}
</body>
</html>
`;
}

function toArticle({ path, method, operation }: { path: string; method: string; operation: OpenApiOperation }): string {
  const headers = [...new Set(operation.security.flatMap((scheme) => Object.keys(scheme)))];
  const content = operation.requestBody?.content ?? {};
  const bodies = Object.entries(content).map(
    ([type, { schema, example }]) =>
      `<h4>Body <code>${escapeHtml(type)}</code></h4>${pre(example)}<details><summary>Schema</summary>${pre(schema)}</details>`,
  );
  const replies = Object.entries(operation.responses).map(([status, reply]) => {
    const { description } = reply as { description: string };
    return `<tr><th>${status}</th><td>${markup(description)}</td></tr>`;
  });
  const ok = operation.responses["200"] as { content: Record<string, { schema: object; example: unknown }> };
  const data = ok.content["application/json"];
  return `<article id="${operation.operationId}">
<h3><code>${method.toUpperCase()} ${escapeHtml(path)}</code> ${escapeHtml(operation.summary)}</h3>
<p>${markup(operation.description)}</p>
<p>Headers: ${headers.length === 0 ? "none" : headers.map((name) => `<code>${name}</code>`).join(", ")}</p>
${bodies.join("")}
<h4>Reply</h4>${pre(data?.example)}<details><summary>Schema</summary>${pre(data?.schema)}</details>
<table>${replies.join("")}</table>
</article>`;
}

function pre(value: unknown): string {
  return `<pre>${escapeHtml(typeof value === "string" ? value : JSON.stringify(value, null, 2))}</pre>`;
}

/** Text in which `code` is marked as in Markdown. */
function markup(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
