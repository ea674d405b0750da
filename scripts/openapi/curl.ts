// Each call of the API as one line for a shell.
import type { OpenApiOperation } from "./document.ts";

/** Where the lines go, as whom, and what they are about: to be pasted before them. `{url}` is where `npm start` serves. */
export const PREPARATION = `URL={url} APP_ID=demo API_KEY=demo-server-key
BACK_END=(-H "appId: $APP_ID" -H "apikey: $API_KEY")
AUTH_TOKEN=$(curl -s -X POST "$URL/v3/users/alice/auth_tokens" \\
  "\${BACK_END[@]}" | grep -o 'ey[^"]*')
TICKET=$(curl -s "$URL/v2/tokens" -H "appId: $APP_ID" -H "authToken: $AUTH_TOKEN" \\
  -d '{"fcmToken":"fcm-registration-token"}' | grep -o 'ey[^"]*')
SESSION=$(curl -s "$URL/v3/users/alice/sessions" "\${BACK_END[@]}" \\
  | grep -o '"id":"[^"]*' | head -1 | cut -c7-)`;

/** What stands in a path for the values of the shell. */
const PLACES: Readonly<Record<string, string>> = {
  uid: "alice",
  sid: "$SESSION",
  pushToken: "fcm-registration-token",
};

/** The call with its example, ready to paste after {@link PREPARATION}. */
export function curlLine(path: string, method: string, { security, requestBody }: OpenApiOperation): string {
  const names = Object.keys(security[0] ?? {});
  const values: Readonly<Record<string, string>> = { appId: "$APP_ID", authToken: "$AUTH_TOKEN", apikey: "$API_KEY" };
  const headers = names.map((name) => `-H "${name}: ${values[name]}"`);
  const [content] = Object.values(requestBody?.content ?? {});
  const data = dataOf(content?.example);
  const isImplied = method === (data === "" ? "get" : "post");
  const url = path.replace(/\{(\w+)\}/g, (_, name: string) => PLACES[name] ?? "");
  return ["curl", ...(isImplied ? [] : [`-X ${method.toUpperCase()}`]), `"$URL${url}"`, ...headers, data]
    .filter((part) => part !== "")
    .join(" ");
}

function dataOf(example: unknown): string {
  if (example === "{unregisterTicket}") return '-d "$TICKET"';
  if (typeof example !== "object" || example === null || Object.keys(example).length === 0) return "";
  return `-d '${JSON.stringify(example).replaceAll("'", "'\\''")}'`;
}
