// Changing members of a JSON text and nothing else: numbers, keys and their order stay as they were written, which
// `JSON.parse` and `JSON.stringify` do not promise (they round large numbers and drop repeated keys). Pure: no I/O.

/** A string, a bracket, a colon, a comma, or a number or word. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g;

interface Level {
  /** The key of the member that is being read; `null` in an array. */
  key: string | null;
  isArray: boolean;
  /** Whether this is the object whose members are set. */
  isTarget: boolean;
  /** Members that it has already. */
  found: Set<string>;
  isEmpty: boolean;
}

/**
 * `json` with `members` in the object to which the keys of `path` lead: replaced where they stand, else added at its end.
 * Unchanged if there is no such object. `json` must be valid.
 */
export function setMembers(json: string, path: readonly string[], members: Readonly<Record<string, string>>): string {
  const levels: Level[] = [];
  let result = "";
  let copiedTo = 0;
  const put = (text: string, from: number, to: number) => {
    result += json.slice(copiedTo, from) + text;
    copiedTo = to;
  };
  let replaces: { value: string; depth: number; from: number } | null = null;
  let isKey = false;
  for (const { 0: token, index } of json.matchAll(TOKENS)) {
    const level = levels.at(-1);
    if (replaces !== null && levels.length === replaces.depth && (token === "," || token === "}")) {
      put(replaces.value, replaces.from, json.slice(0, index).trimEnd().length);
      replaces = null;
    }
    if (token === "{" || token === "[") {
      if (level !== undefined) level.isEmpty = false;
      const isTarget = token === "{" && isAt(levels, path);
      levels.push({ key: null, isArray: token === "[", isTarget, found: new Set(), isEmpty: true });
      isKey = token === "{";
    } else if (token === "}" || token === "]") {
      if (level?.isTarget === true) {
        const missing = Object.entries(members).filter(([key]) => !level.found.has(key));
        const text = missing.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",");
        put(level.isEmpty || text === "" ? text : `,${text}`, index, index);
      }
      levels.pop();
      isKey = false;
    } else if (token === ",") {
      isKey = level?.isArray === false;
    } else if (token === ":") {
      const key = level?.key ?? "";
      if (level?.isTarget === true && Object.hasOwn(members, key)) {
        level.found.add(key);
        replaces = { value: JSON.stringify(members[key]), depth: levels.length, from: index + 1 };
      }
    } else if (level !== undefined) {
      level.isEmpty = false;
      if (isKey) level.key = JSON.parse(token);
      isKey = false;
    }
  }
  return result + json.slice(copiedTo);
}

/** Whether an object that begins now is the one to which `path` leads. */
function isAt(levels: readonly Level[], path: readonly string[]): boolean {
  return levels.length === path.length && levels.every(({ isArray, key }, i) => !isArray && key === path[i]);
}
