// Parse Server: the class _Installation, by its REST API (`results`) or by mongoexport.
import type { Hints } from "../formats.ts";
import { type Reading, skipped } from "../item.ts";
import { at } from "../json.ts";

export function parseInstallation(row: Record<string, unknown>, { uidField }: Hints): Reading {
  const kind = kindOf(row);
  if (kind === undefined) return skipped(`a device type that is not FCM's or APNs'`);
  return {
    is: "item",
    item: {
      uid: uidOf(row, uidField ?? "user.objectId"),
      kind,
      token: row.deviceToken,
      platform: row.deviceType === "ios" ? "ios" : "android",
      registeredAt: row.createdAt ?? row._created_at,
      refreshedAt: row.updatedAt ?? row._updated_at,
      timezone: row.timeZone,
      device: {
        id: row.installationId,
        appVersion: row.appVersion,
        locale: row.localeIdentifier,
        bundleId: row.deviceType === "ios" ? row.appIdentifier : undefined,
      },
    },
  };
}

function kindOf({ deviceType, pushType }: Record<string, unknown>): "fcm" | "apns" | undefined {
  const isFirebase = ["gcm", "fcm"].includes(String(pushType));
  if (deviceType === "android") return "fcm";
  if (deviceType === "ios") return isFirebase ? "fcm" : "apns";
  return undefined;
}

/** A pointer stands as `user: {objectId}` in the API, and as `_p_user: "_User$id"` in MongoDB. */
function uidOf(row: Record<string, unknown>, path: string): unknown {
  const found = at(row, path);
  if (found !== undefined) return found;
  const [pointer = ""] = path.split(".");
  const stored = row[`_p_${pointer}`];
  return typeof stored === "string" ? stored.slice(stored.indexOf("$") + 1) : undefined;
}
