// Stream's devices: GET /devices?user_id=…, one reply after the other in a file.
import { type Reading, skipped } from "../item.ts";

export function streamDevice(device: Record<string, unknown>): Reading {
  const isApple = device.push_provider === "apn";
  if (!isApple && device.push_provider !== "firebase") return skipped("a provider that is not FCM or APNs");
  if (device.disabled === true) return skipped("disabled");
  return {
    is: "item",
    item: {
      uid: device.user_id,
      kind: isApple ? (device.voip === true ? "voip" : "apns") : "fcm",
      token: device.id,
      platform: isApple ? "ios" : undefined,
      registeredAt: device.created_at,
      providerId: device.push_provider_name,
      device: { id: device.hardware_id },
    },
  };
}
