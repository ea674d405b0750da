// Documents of a database, for which nobody fixed a format: dotted paths say where things stand. A token field may hold a text, a
// list of texts, or a list or map of objects.
import type { Hints } from "../formats.ts";
import { NO_TOKEN, type Reading, skipped } from "../item.ts";
import { at } from "../json.ts";
import { kindOf } from "../kinds.ts";

export function firestoreDocument(document: Record<string, unknown>, hints: Hints): readonly Reading[] {
  const fields = plain(document) as Record<string, unknown>;
  const [uidField, tokenField, seenField] = [hints.uidField ?? "id", hints.tokenField ?? "fcmToken", hints.seenField];
  const uid = at(fields, uidField);
  const seen = seenField === null ? undefined : at(fields, seenField);
  const tokens = tokensIn(at(fields, tokenField));
  if (tokens.length === 0) return [skipped(NO_TOKEN)];
  return tokens.map(({ token, more }): Reading => {
    const kind = kindOf(more.kind) ?? hints.kind ?? "fcm";
    const item = { uid, kind, token, platform: more.platform, refreshedAt: seen ?? more.timestamp ?? more.updatedAt };
    return { is: "item", item };
  });
}

function tokensIn(value: unknown): { token: unknown; more: Record<string, unknown> }[] {
  if (value === undefined || value === null || value === "") return [];
  if (Array.isArray(value)) return value.flatMap(tokensIn);
  if (typeof value !== "object") return [{ token: value, more: {} }];
  const more = value as Record<string, unknown>;
  if (more.token !== undefined) return [{ token: more.token, more }];
  return Object.values(more).flatMap((each) => (typeof each === "object" ? tokensIn(each) : []));
}

const TYPED = ["stringValue", "integerValue", "doubleValue", "booleanValue", "timestampValue", "referenceValue"];

/** The REST API's typed values as plain ones; `id` is the last part of a document's name. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  const object = value as Record<string, unknown>;
  const [only, ...others] = Object.keys(object);
  if (only !== undefined && others.length === 0) {
    if (TYPED.includes(only)) return object[only];
    if (only === "arrayValue") return plain(at(object, "arrayValue.values") ?? []);
    if (only === "mapValue") return plain(at(object, "mapValue.fields") ?? {});
  }
  if (typeof object.name === "string" && object.name.includes("/documents/") && typeof object.fields === "object") {
    const fields = plain(object.fields) as Record<string, unknown>;
    return { id: object.name.slice(object.name.lastIndexOf("/") + 1), ...fields };
  }
  return Object.fromEntries(Object.entries(object).map(([name, each]) => [name, plain(each)]));
}
