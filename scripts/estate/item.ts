// One registration on its way from another system into the registry, and what readers of files say of each entry.
import { isNothing } from "../../src/domain/nothing.ts";
import { sha256 } from "../../src/durable/names.ts";
import { importItem } from "../../src/http/schemas.ts";

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
export type Reading = { is: "item"; item: Fields } | { is: "skipped"; why: string } | { is: "rejected"; why: string };

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

/** The item that a format's fields make, or what is wrong with it. */
export function toItem(fields: Fields): Exclude<Reading, { is: "item" }> | { is: "item"; item: EstateItem } {
  const { uid, token, registeredAt, refreshedAt, suspectAt, muted, device, ...others } = fields;
  if (isBlank(uid)) return skipped(NO_USER);
  if (isBlank(token)) return skipped(NO_TOKEN);
  const times = { registeredAt, refreshedAt, suspectAt };
  const item: Record<string, unknown> = { uid: String(uid), token: String(token) };
  for (const [name, value] of Object.entries(others)) if (!isBlank(value)) item[name] = value;
  for (const [name, value] of Object.entries(times)) {
    if (isBlank(value)) continue;
    const time = timeOf(value);
    if (time === null) return rejected(`The ${name} field is no time.`);
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

const SECONDS_MAX = 100_000_000_000;
const ZONE = /(z|utc|gmt|[+-]\d\d:?\d\d)$/i;

/** Epoch ms of a time as files write it: ISO 8601, a date, epoch seconds or ms. One without a zone is UTC. `null`: none of these. */
export function timeOf(value: unknown): number | null {
  if (typeof value === "object" && value !== null && "$date" in value) return timeOf(value.$date);
  if (typeof value === "number" || (typeof value === "string" && /^\d{9,13}(\.\d+)?$/.test(value.trim()))) {
    const number = Number(value);
    if (!Number.isFinite(number)) return null;
    return Math.round(Math.abs(number) < SECONDS_MAX ? number * 1000 : number);
  }
  if (typeof value !== "string") return null;
  const text = value
    .trim()
    .replace(/^(\d{4}-\d\d-\d\d)[ T]+(\d)/, "$1T$2")
    .replace(/ +(UTC|GMT)$/i, "Z");
  const time = Date.parse(ZONE.test(text) || !text.includes("T") ? text.replace(/ /g, "") : `${text}Z`);
  return Number.isNaN(time) ? null : time;
}
