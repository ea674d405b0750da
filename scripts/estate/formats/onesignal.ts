// OneSignal's CSV export (POST /players/csv_export), with the extra fields external_user_id and timezone_id.
import { NO_USER, type Reading, skipped } from "../item.ts";

/** `device_type` (documentation.onesignal.com, "View devices"). */
const DEVICE_TYPES: Readonly<Record<string, "apns" | "fcm" | { why: string }>> = {
  "0": "apns",
  "1": "fcm",
  "2": { why: "Amazon's push service" },
  "5": { why: "a web push subscription" },
  "7": { why: "a web push subscription" },
  "8": { why: "a web push subscription" },
  "11": { why: "an e-mail address" },
  "13": { why: "Huawei's push service" },
  "14": { why: "a phone number" },
  "17": { why: "a web push subscription" },
};

export function oneSignalPlayer(row: Record<string, string>): Reading {
  const kind = DEVICE_TYPES[row.device_type ?? ""] ?? { why: "a device type that is not known" };
  if (typeof kind !== "string") return skipped(kind.why);
  if (/^t(rue)?$/i.test(row.invalid_identifier ?? "")) return skipped("unsubscribed, or its token is invalid");
  if ((row.external_user_id ?? "") === "") return skipped(NO_USER);
  return {
    is: "item",
    item: {
      uid: row.external_user_id,
      kind,
      token: row.identifier,
      platform: kind === "apns" ? "ios" : "android",
      registeredAt: row.created_at,
      refreshedAt: row.last_active,
      timezone: row.timezone_id,
      device: {
        id: row.id,
        model: row.device_model,
        os: row.device_os,
        appVersion: row.game_version,
        locale: row.language,
      },
    },
  };
}
