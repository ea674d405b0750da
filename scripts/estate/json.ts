// JSON as systems export it: one object per line, an array of objects, or documents (pages of an API) with the array in a field.
// Read as a stream, whatever its size.
import { linesOf, textOf } from "./source.ts";

export interface JsonRecord {
  line: number;
  /** `undefined`: it is no JSON object. */
  value: Record<string, unknown> | undefined;
}

/** How much of a file is looked at to know its shape. */
const SHAPE_CHARACTERS = 65_536;

/** The objects of a file: one per line, the elements of the array that it is, or those of the arrays in the field `list`. */
export async function* jsonRecords(file: string, list: string): AsyncGenerator<JsonRecord> {
  if (await isDocument(file, list)) yield* elements(file, list);
  else for await (const { line, text } of linesOf(file)) yield { line, value: parsed(text) };
}

async function isDocument(file: string, list: string): Promise<boolean> {
  let beginning = "";
  for await (const part of textOf(file)) {
    beginning += part;
    if (beginning.length >= SHAPE_CHARACTERS) break;
  }
  if (beginning.trimStart().startsWith("[")) return true;
  if (new RegExp(`"${list}"\\s*:\\s*\\[`).test(beginning)) return true;
  // One object over several lines is a document without the list, or a single record.
  const [first = ""] = beginning.trimStart().split("\n");
  return parsed(first) === undefined && first.trim() === "{";
}

/** The objects in the array at the top, or in arrays under the key `list`. What ends too early, or has none, is answered as no JSON. */
async function* elements(file: string, list: string): AsyncGenerator<JsonRecord> {
  const scanner = new Scanner(list);
  for await (const part of textOf(file)) yield* scanner.push(part);
  if (!scanner.isAtEnd || !scanner.hasList) yield { line: scanner.line, value: undefined };
}

const [QUOTE, COLON, BACKSLASH, NEWLINE] = [34, 58, 92, 10];

class Scanner {
  line = 1;
  hasList = false;
  readonly #list: string;
  /** What is open outside of a record: `{`, `[`, or `*` for an array of records. */
  readonly #open: string[] = [];
  #inString = false;
  #isEscaped = false;
  /** Outside of a record: the last text in quotes, and the one before the last colon. */
  #text = "";
  #key = "";
  /** The record under way: where it began, its text so far, and how many of its brackets are open. */
  #record: { line: number; text: string; depth: number } | null = null;

  constructor(list: string) {
    this.#list = list;
  }

  get isAtEnd(): boolean {
    return this.#open.length === 0 && this.#record === null && !this.#inString;
  }

  *push(part: string): Generator<JsonRecord> {
    let from = 0;
    for (let i = 0; i < part.length; i += 1) {
      const code = part.charCodeAt(i);
      if (code === NEWLINE) this.line += 1;
      if (this.#inString) this.#readString(code, part, i);
      else if (code === QUOTE) {
        this.#inString = true;
        this.#text = "";
      } else if (code === COLON) this.#key = this.#text;
      else {
        const bracket = part[i] ?? "";
        if (this.#record === null && bracket === "{" && this.#open.at(-1) === "*") {
          this.#record = { line: this.line, text: "", depth: 0 };
          from = i;
        }
        if (this.#record === null) this.#readBracket(bracket);
        else if (bracket === "{" || bracket === "[") this.#record.depth += 1;
        else if (bracket === "}" || bracket === "]") {
          this.#record.depth -= 1;
          if (this.#record.depth > 0) continue;
          const { line, text } = this.#record;
          this.#record = null;
          yield { line, value: parsed(text + part.slice(from, i + 1)) };
        }
      }
    }
    if (this.#record !== null) this.#record.text += part.slice(from);
  }

  #readString(code: number, part: string, i: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (code === BACKSLASH) this.#isEscaped = true;
    else if (code === QUOTE) this.#inString = false;
    if (this.#inString && this.#record === null) this.#text += part[i];
  }

  #readBracket(bracket: string): void {
    if (bracket === "{") this.#open.push("{");
    else if (bracket === "[") this.#open.push(this.#open.length === 0 || this.#key === this.#list ? "*" : "[");
    else if (bracket === "}" || bracket === "]") this.#open.pop();
    if (bracket === "{" || bracket === "[") this.#key = "";
    this.hasList ||= this.#open.at(-1) === "*";
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The value at a dotted path, `user.objectId`; a number is an index. A path that is itself a key is that key. */
export function at(value: unknown, path: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if (Object.hasOwn(value, path)) return (value as Record<string, unknown>)[path];
  const dot = path.indexOf(".");
  return dot < 0 ? undefined : at(at(value, path.slice(0, dot)), path.slice(dot + 1));
}
