// Amazon SNS: the pages of ListEndpointsByPlatformApplication. There are no dates.
import type { Hints } from "../formats.ts";
import { type Fields, NO_USER, type Reading, rejected, skipped } from "../item.ts";
import { at } from "../json.ts";

/** The platform in an endpoint's ARN. */
const PLATFORMS: Readonly<Record<string, Pick<Fields, "kind" | "platform" | "device">>> = {
  GCM: { kind: "fcm" },
  APNS: { kind: "apns", platform: "ios", device: { environment: "production" } },
  APNS_SANDBOX: { kind: "apns", platform: "ios", device: { environment: "sandbox" } },
  APNS_VOIP: { kind: "voip", platform: "ios", device: { environment: "production" } },
  APNS_VOIP_SANDBOX: { kind: "voip", platform: "ios", device: { environment: "sandbox" } },
};

export function snsEndpoint(endpoint: Record<string, unknown>, { uidFrom, uidFromSays }: Hints): Reading {
  const [, platform = ""] = /:endpoint\/([A-Z_]+)\//.exec(String(endpoint.EndpointArn)) ?? [];
  const kind = PLATFORMS[platform];
  if (kind === undefined) return skipped(`a platform that is not FCM's or APNs': ${platform}`);
  if (String(at(endpoint, "Attributes.Enabled")).toLowerCase() === "false") return skipped("disabled");
  const data = String(at(endpoint, "Attributes.CustomUserData") ?? "");
  if (uidFromSays === null && /^\s*[{[]/.test(data))
    return rejected("CustomUserData is JSON: say --uid-from json:PATH.");
  const uid = uidFrom(data);
  if (uid === undefined) return skipped(NO_USER);
  return { is: "item", item: { ...kind, uid, token: at(endpoint, "Attributes.Token") } };
}
