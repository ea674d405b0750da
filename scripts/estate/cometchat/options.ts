// CometChat itself as the source of an import: who is asked, and where what it says is kept.
import { notHttpUrl, number, text, UsageError, type Values } from "../../lib/options.ts";
import { type Output, rounded } from "../../lib/output.ts";
import { checkpointOf } from "../checkpoint.ts";
import { CometChatApi } from "./api.ts";
import { gather } from "./gathering.ts";

export const COMETCHAT_API = "cometchat-api" as const;

export const COMETCHAT_OPTIONS = {
  "cometchat-app-id": text({
    help: `${COMETCHAT_API}: the app's id at CometChat.`,
    placeholder: "ID",
    default: null,
    env: "COMETCHAT_APP_ID",
  }),
  "cometchat-region": text({
    help: `${COMETCHAT_API}: its region there.`,
    placeholder: "REGION",
    default: null,
    env: "COMETCHAT_REGION",
  }),
  "cometchat-url": text({
    help: `${COMETCHAT_API}: its REST API, where the app has a host of its own.`,
    placeholder: "URL",
    default: null,
    defaultSays: "https://ID.api-REGION.cometchat.io/v3",
    env: "COMETCHAT_URL",
    check: notHttpUrl,
  }),
  "cometchat-rate": number({
    help: `${COMETCHAT_API}: calls in a minute. CometChat allows an app 20,000, and your back ends need theirs.`,
    min: 1,
    max: 20_000,
    default: 10_000,
  }),
};

type Given = Values<typeof COMETCHAT_OPTIONS> & { repeats: number };

/**
 * Asks CometChat for all push tokens; answers the file that has them. One that an earlier run began is gone on with.
 * @throws {UsageError} where something is absent
 */
export async function cometChatFile(values: Given, file: string | undefined, output: Output): Promise<string> {
  const { "cometchat-app-id": appId, "cometchat-region": region, "cometchat-rate": callsPerMinute, repeats } = values;
  const apiKey = process.env.COMETCHAT_API_KEY ?? "";
  if (appId === null) throw new UsageError("--cometchat-app-id is needed, or COMETCHAT_APP_ID in the environment");
  if (region === null && values["cometchat-url"] === null) {
    throw new UsageError("--cometchat-region is needed, or COMETCHAT_REGION in the environment");
  }
  if (apiKey === "") throw new UsageError("COMETCHAT_API_KEY is needed in the environment");
  const url = (values["cometchat-url"] ?? `https://${appId}.api-${region}.cometchat.io/v3`).replace(/\/+$/, "");
  const found = file ?? `cometchat-${appId}.ndjson`;
  const api = new CometChatApi({ url, apiKey, callsPerMinute, repeats, waitMs: 1_000 }, (line) => output.note(line));
  const source = { file: found, checkpointFile: checkpointOf(found), of: `${url} ${appId}` };
  const { users, pushTokens, readAt } = await gather(api, source, (reading) => {
    output.note(`Users of CometChat read: ${rounded(reading.users)}, with ${rounded(reading.pushTokens)} push tokens`);
  });
  const at = new Date(readAt).toISOString();
  output.say(`CometChat has ${rounded(users)} users with ${rounded(pushTokens)} push tokens (read until ${at})`);
  return found;
}
