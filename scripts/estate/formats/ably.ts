// Ably's push device registrations: GET /push/deviceRegistrations, or `ably push devices list --json`.
import { type Reading, skipped } from "../item.ts";
import { at } from "../json.ts";

export function ablyDevice(device: Record<string, unknown>): Reading {
  const transport = at(device, "push.recipient.transportType");
  const isApple = transport === "apns";
  if (!isApple && transport !== "fcm" && transport !== "gcm")
    return skipped("a web push subscription, or no FCM or APNs");
  if (String(at(device, "push.state")).toUpperCase() === "FAILED") return skipped("failed there");
  const platform = device.platform === "browser" ? "web" : device.platform;
  return {
    is: "item",
    item: {
      uid: device.clientId,
      kind: isApple ? "apns" : "fcm",
      token: at(device, isApple ? "push.recipient.deviceToken" : "push.recipient.registrationToken"),
      platform,
      device: { id: device.id },
    },
  };
}
