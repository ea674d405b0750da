// Azure Notification Hubs: the blob of an ExportRegistrations job, an XML registration per line. There is no date of last use.
import type { Hints } from "../formats.ts";
import { type Reading, skipped } from "../item.ts";
import { timeOf } from "../time.ts";

/** The element that holds the token. */
const TOKENS: Readonly<Record<string, "apns" | "fcm">> = {
  DeviceToken: "apns",
  GcmRegistrationId: "fcm",
  FcmRegistrationId: "fcm",
  FcmV1RegistrationId: "fcm",
};

export function azureRegistration(line: string, { uidFrom, uidFromSays }: Hints): Reading {
  if (!line.includes("RegistrationDescription")) {
    return /^\s*(<\?xml|<\/?(feed|entry)\b)/.test(line)
      ? skipped("no registration")
      : { is: "rejected", why: "no registration" };
  }
  const found = Object.entries(TOKENS).find(([name]) => elementOf(line, name) !== undefined);
  if (found === undefined) return skipped("a platform that is not FCM's or APNs'");
  const expires = timeOf(elementOf(line, "ExpirationTime"));
  if (expires !== null && expires <= Date.now()) return skipped("expired there");
  const [name, kind] = found;
  const tags = elementOf(line, "Tags") ?? "";
  const [, user] = /\$UserId:\{([^}]*)\}/.exec(tags) ?? [];
  const [, installation] = /\$InstallationId:\{([^}]*)\}/.exec(tags) ?? [];
  // Tags as a whole name no user: many devices have the same.
  const uid = user ?? (uidFromSays === null ? undefined : uidFrom(tags));
  const item = { uid, kind, token: elementOf(line, name), device: { id: installation } };
  return { is: "item", item: kind === "apns" ? { ...item, platform: "ios" } : item };
}

function elementOf(xml: string, name: string): string | undefined {
  const [, text] = new RegExp(`<(?:\\w+:)?${name}(?:\\s[^>]*)?>([^<]*)<`).exec(xml) ?? [];
  return text === undefined ? undefined : decoded(text.trim());
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function decoded(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    return ENTITIES[name] ?? whole;
  });
}
