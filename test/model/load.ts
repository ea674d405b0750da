// Loads the objects' own source for the model: src/user-tokens, src/token-owners and src/directory as they are, in Node, with the modules,
// the clock and the timers of the model in place of the platform's. A variant is the same source with a few named lines
// replaced: a mutation. Limits are variables, so that a world can have smaller ones. A line that is not there is an error, so that no variant is silently the original.
//
// Node itself must load this file (hooks and `import()` are its own, not those of a test runner): see native.ts.
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { isRetryable } from "./runtime/cloudflare-durable-objects.ts";

/** One replaced piece of source. */
export interface Edit {
  /** Path below src/. */
  file: string;
  /** Stands in the file exactly once. */
  find: string;
  replace: string;
}

type Method = (...args: unknown[]) => unknown;
export type ObjectClass = new (ctx: unknown, env: unknown) => object;

export interface Protocol {
  UserTokens: ObjectClass;
  TokenOwners: ObjectClass;
  Directory: ObjectClass;
  /** Whether the runtime may deliver a call of the method more than once. */
  isRetryable(target: ObjectClass, method: string): boolean;
}

/** What stands for the platform's globals while objects run. */
export interface Host {
  /** Limits that a schedule of a few operations can meet. */
  readonly areLimitsSmall: boolean;
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

const GLOBALS = Symbol.for("push-token-registry.model.globals");
const SOURCE = new URL("../../src/", import.meta.url).href;
const RUNTIME = new URL("./runtime/", import.meta.url).href;
const VARIANT = "?variant=";

/** The limits as they stand in the source, and small ones. */
const LIMITS = {
  REGISTRATIONS_PER_USER_MAX: ["100", "3"],
  FENCES_MAX: ["1000", "2"],
  UNDATED_FENCES_MAX: ["10_000", "1"],
  RELEASES_PER_CLAIM_MAX: ["40", "1"],
} as const;

const VARIABLE_LIMITS = Object.entries(LIMITS).map(
  ([name, [usual, small]]): Edit => ({
    file: "limits.ts",
    find: `export const ${name} = ${usual};`,
    replace: `export let ${name} = ${usual}; onLimits((areSmall) => { ${name} = areSmall ? ${small} : ${usual}; });`,
  }),
);

const limits: ((areSmall: boolean) => void)[] = [];
let areLimitsSmall = false;

/** Set by the world that runs; the objects' clock and timers. */
let host: Host | null = null;

export function setHost(next: Host | null): void {
  host = next;
  if (next === null || next.areLimitsSmall === areLimitsSmall) return;
  areLimitsSmall = next.areLimitsSmall;
  for (const set of limits) set(areLimitsSmall);
}

function theHost(): Host {
  if (host === null) throw new Error("an object runs outside a schedule");
  return host;
}

Object.defineProperty(globalThis, GLOBALS, {
  value: {
    Date: { now: () => theHost().now() },
    setTimeout: (callback: () => void, ms: number) => theHost().setTimeout(callback, ms),
    clearTimeout: (timer: unknown) => theHost().clearTimeout(timer),
    console: { log: () => {}, warn: () => {}, error: () => {} },
    onLimits: (set: (areSmall: boolean) => void) => {
      limits.push(set);
      set(areLimitsSmall);
    },
  },
});

// On the first line of each module, so that line numbers stay.
const PROLOGUE = `const { Date, setTimeout, clearTimeout, console, onLimits } = globalThis[Symbol.for(${JSON.stringify(Symbol.keyFor(GLOBALS))})]; `;

const variants: (readonly Edit[])[] = [];

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier.startsWith("cloudflare:")) {
      const file = `${specifier.replace(":", "-")}.ts`;
      return { url: RUNTIME + file, format: "module-typescript", shortCircuit: true };
    }
    const variant = context.parentURL?.split(VARIANT)[1];
    const resolved = nextResolve(specifier, context);
    if (variant === undefined || !resolved.url.startsWith(SOURCE)) return resolved;
    return { ...resolved, url: `${resolved.url}${VARIANT}${variant}` };
  },
  load(url, context, nextLoad) {
    const [file, variant] = url.split(VARIANT);
    if (file === undefined || variant === undefined) return nextLoad(url, context);
    const source = edited(
      file.slice(SOURCE.length),
      readFileSync(fileURLToPath(file), "utf8"),
      variants[Number(variant)] ?? [],
    );
    return { format: "module-typescript", source: PROLOGUE + source, shortCircuit: true };
  },
});

function edited(file: string, source: string, edits: readonly Edit[]): string {
  let result = source;
  for (const edit of edits.filter((e) => e.file === file)) {
    if (result.split(edit.find).length !== 2) throw new Error(`${file} does not hold exactly once: ${edit.find}`);
    result = result.replace(edit.find, () => edit.replace);
  }
  return result;
}

/** The classes, with `edits` applied to their source and to whatever they import. */
export async function loadProtocol(edits: readonly Edit[] = []): Promise<Protocol> {
  for (const { file, find } of edits)
    edited(file, readFileSync(fileURLToPath(SOURCE + file), "utf8"), [{ file, find, replace: "" }]);
  const variant = variants.push([...edits, ...VARIABLE_LIMITS]) - 1;
  const load = async (path: string, name: string) =>
    ((await import(`${SOURCE}${path}${VARIANT}${variant}`)) as Record<string, ObjectClass>)[name] as ObjectClass;
  return {
    UserTokens: await load("user-tokens/user-tokens.do.ts", "UserTokens"),
    TokenOwners: await load("token-owners/token-owners.do.ts", "TokenOwners"),
    Directory: await load("directory/directory.do.ts", "Directory"),
    isRetryable: (target, method) => isRetryable((target.prototype as Record<string, Method>)[method] as Method),
  };
}
