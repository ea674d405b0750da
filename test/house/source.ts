// What the tests of the house read: the files of src/ and scripts/, parsed by the compiler itself.
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import type { Node } from "typescript/unstable/ast";
import * as is from "typescript/unstable/ast/is";
import { API } from "typescript/unstable/sync";
import { PROJECT } from "../../scripts/lib/workerd.ts";

export interface SourceFile {
  /** From the top of the repository: `src/http/errors.ts`. */
  path: string;
  lines: number;
  /** Modules that it imports or exports from; `import type`, `import()` and types by `import()` included. */
  imports: string[];
  functions: { name: string; line: number; lines: number }[];
  /** Line of each call of a method `exec` of something named `sql`. */
  sql: number[];
  /** Line of each use of the console. */
  console: number[];
}

/** Every `.ts` file of `directory`, but for the declarations that wrangler generates. */
export function readSource(directory: "src" | "scripts"): SourceFile[] {
  const paths = globSync(`${directory}/**/*.ts`, { cwd: PROJECT }).filter((path) => !path.endsWith(".d.ts"));
  const config = join(PROJECT, directory === "src" ? "tsconfig.json" : `${directory}/tsconfig.json`);
  const api = new API({ cwd: PROJECT });
  try {
    const program = api.updateSnapshot({ openProjects: [config] }).getProject(config)?.program;
    return paths.sort().map((path) => {
      const root = program?.getSourceFile(join(PROJECT, path));
      if (root === undefined) throw new Error(`${path} is not of ${config}: nothing checks its types`);
      return describeFile(path, root);
    });
  } finally {
    api.close();
  }
}

/** The file that an import of `from` leads to: `src/http/errors.ts`; `undefined` for a package or the platform. */
export function resolveImport(from: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? normalize(join(dirname(from), specifier)) : undefined;
}

function describeFile(path: string, root: Node): SourceFile {
  const text = readFileSync(join(PROJECT, path), "utf8");
  const file: SourceFile = {
    path,
    lines: lineAt(text, text.length) - 1,
    imports: [],
    functions: [],
    sql: [],
    console: [],
  };
  const visit = (node: Node): void => {
    const specifier = importOf(node);
    if (specifier !== undefined) file.imports.push(specifier);
    const line = lineAt(text, node.getStart());
    if (is.isFunctionLikeDeclaration(node)) {
      file.functions.push({ name: nameOf(node), line, lines: lineAt(text, node.end) - line + 1 });
    }
    if (is.isPropertyAccessExpression(node)) {
      if (node.name.text === "exec" && /sql$/i.test(node.expression.getText())) file.sql.push(line);
      if (/^(globalThis\.)?console$/.test(node.expression.getText())) file.console.push(line);
    }
    node.forEachChild(visit);
  };
  visit(root);
  return file;
}

function importOf(node: Node): string | undefined {
  const at =
    is.isImportDeclaration(node) || is.isExportDeclaration(node)
      ? node.moduleSpecifier
      : is.isImportTypeNode(node)
        ? node.argument
        : is.isCallExpression(node) && node.expression.getText() === "import"
          ? node.arguments[0]
          : undefined;
  // Whatever is no plain text is reported too: nobody could say where it leads.
  return at?.getText().replace(/^["']|["']$/g, "");
}

function nameOf(node: Node): string {
  if ("name" in node && node.name !== undefined) return (node.name as Node).getText();
  const { parent } = node;
  if (is.isVariableDeclaration(parent) || is.isPropertyAssignment(parent)) return parent.name.getText();
  return is.isConstructorDeclaration(node) ? "constructor" : "(no name)";
}

const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length;
