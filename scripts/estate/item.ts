// One registration on its way from another system into the registry, and what readers of files say of each entry.
import { isNothing } from "../../src/domain/nothing.ts";
import { sha256 } from "../../src/durable/names.ts";
import { importItem } from "../../src/http/schemas.ts";
import { EPOCH_MS_MIN } from "../../src/limits.ts";
import { timeOf } from "./time.ts";

/** An item of `POST /v3/push_tokens/import`. Times are epoch milliseconds. */
export interface EstateItem {
  uid: string;
  kind: "fcm" | "apns" | "voip";
  token: string;
  platform?: string;
  session?: string;
  registeredAt?: number;
  refreshedAt?: number;
  suspectAt?: number;
  muted?: boolean;
  providerId?: string;
  timezone?: string;
  device?: Record<string, string>;
}

/** An entry of a file: where it stands, and what it is. */
export type Entry = { line: number } & (
  | { is: "item"; item: EstateItem }
  /** By the rules of its format, nothing for this registry: `why` is one of few texts, which are counted. */
  | { is: "skipped"; why: string }
  /** A mistake: `why` goes to the file of rejects. It holds no token, auth token or uid. */
  | { is: "rejected"; why: string }
);

/** As {@link Entry}, before anybody knows the line. */
export type Reading =
  /** `isOurs`: a registry like this one wrote it. */
  { is: "item"; item: Fields; isOurs?: boolean } | { is: "skipped"; why: string } | { is: "rejected"; why: string };

/** What a format knows of an item; whatever is missing or blank is left out. */
export interface Fields {
  uid?: unknown;
  kind?: unknown;
  token?: unknown;
  platform?: unknown;
  session?: unknown;
  registeredAt?: unknown;
  refreshedAt?: unknown;
  suspectAt?: unknown;
  muted?: unknown;
  providerId?: unknown;
  timezone?: unknown;
  device?: Record<string, unknown> | undefined;
}

export function skipped(why: string): { is: "skipped"; why: string } {
  return { is: "skipped", why };
}

export function rejected(why: string): { is: "rejected"; why: string } {
  return { is: "rejected", why };
}

export const NO_USER = "no user";
export const NO_TOKEN = "no token";

/**
 * The item that a format's fields make, or what is wrong with it. `isOurs`: whatever stands for the uid is one, also "nil"; elsewhere
 * it may be what a language prints for nothing.
 */
export function toItem(
  fields: Fields,
  isOurs = false,
): Exclude<Reading, { is: "item" }> | { is: "item"; item: EstateItem } {
  const { uid, token, registeredAt, refreshedAt, suspectAt, muted, device, ...others } = fields;
  if (uid === undefined || uid === null || (typeof uid === "string" && uid.trim() === "")) return skipped(NO_USER);
  if (isBlank(uid) && !isOurs) return skipped(`${NO_USER}, but a word for nothing`);
  if (isBlank(token)) return skipped(NO_TOKEN);
  for (const [name, value] of Object.entries({ uid, token })) {
    const problem = textProblem(value);
    if (problem !== undefined) return rejected(`The ${name} field ${problem}.`);
  }
  const times = { registeredAt, refreshedAt, suspectAt };
  const item: Record<string, unknown> = { uid: String(uid), token: String(token) };
  for (const [name, value] of Object.entries(others)) if (!isBlank(value)) item[name] = value;
  for (const [name, value] of Object.entries(times)) {
    if (isBlank(value)) continue;
    const time = timeOf(value);
    if (time === null) return rejected(`The ${name} field is no time.`);
    if (time < EPOCH_MS_MIN) return rejected(`The ${name} field is of a day before push tokens were.`);
    item[name] = time;
  }
  if (muted === true || muted === "true") item.muted = true;
  const known = Object.entries(device ?? {}).filter(([, value]) => !isBlank(value));
  if (known.length > 0) item.device = Object.fromEntries(known.map(([name, value]) => [name, String(value)]));
  const parsed = importItem.safeParse(item);
  if (!parsed.success)
    return rejected(
      parsed.error.issues.map((issue) => `The ${issue.path.join(".")} field ${issue.message}.`).join(" "),
    );
  const { token: given } = parsed.data;
  if (given?.is === "wrong") return rejected(`The token field ${given.why}.`);
  return { is: "item", item: item as unknown as EstateItem };
}

export function isBlank(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === "string" && isNothing(value));
}

/** The session of a CometChat auth token, as identity `cometchat` knows it. The auth token itself goes no further. */
export function sessionOfAuthToken(authToken: unknown): Promise<string> | undefined {
  return typeof authToken === "string" && authToken !== "" ? sha256(authToken) : undefined;
}

/** Why a uid or token of a file is none; `undefined`: it may be one. */
function textProblem(value: unknown): string | undefined {
  if (typeof value === "number" && !Number.isSafeInteger(value))
    return "is a number that JSON cannot hold: write it as text";
  if (typeof value !== "string" && typeof value !== "number") return "is neither text nor a number";
  return String(value).includes(REPLACEMENT) ? "is no UTF-8" : undefined;
}

/** What stands in place of bytes that are no UTF-8. */
const REPLACEMENT = "\ufffd";
