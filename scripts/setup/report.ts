// What setup prints at its end: what SDKs are told, and what to do next.
import type { App } from "../../src/config/apps.ts";
import type { KeptKeys } from "./kept-keys.ts";

/** API keys, for the one time that they are shown. */
export function keysText(appId: string, { apiKeys, jwtSecret }: KeptKeys, file: string): string {
  const keys = Object.entries(apiKeys).map(([scope, key]) => `  ${scope.padEnd(10)} ${key}`);
  const jwt = jwtSecret === undefined ? [] : [`  ${"jwtSecret".padEnd(10)} ${jwtSecret}`];
  return `
Keys of ${appId}, shown only now. Give each back end the one that it needs:

${[...keys, ...jwt].join("\n")}

They stand in ${file} too, which git ignores: move them to where you keep secrets, and delete that file.`;
}

/** Lines for each SDK, with this host. */
export function sdkText(
  { appId, identity, region }: Pick<App, "identity" | "region"> & { appId: string },
  host: string,
): string {
  const isChat = identity === "cometchat";
  // Without chat nobody answers the socket that an SDK opens by itself.
  const alone = isChat ? "" : `.overrideAdminHost("${host}/v3.0").autoEstablishSocketConnection(false)`;
  const both = (builder: string) => `${builder}.overrideClientHost("${host}/v3.0")${alone}.build()`;
  return `
SDKs of ${appId}:

  Web, React Native, Ionic
    ${both(`new CometChat.AppSettingsBuilder().setRegion("${region}")`)}
  Android
    ${both(`new AppSettings.AppSettingsBuilder().setRegion("${region}")`)}
  iOS
    ${both(`AppSettings.AppSettingsBuilder().setRegion(region: "${region}")`)}
${nameText(host, region, isChat)}`;
}

/**
 * SDKs put the name of the extension before a host that does not begin with one. From the registry's own settings they take the region of the
 * host; from CometChat's they take the app's.
 */
function nameText(host: string, region: string, isChat: boolean): string {
  const [, ofHost, domain] = host.match(/^push-notification-([a-z0-9-]+)\.(.+)$/) ?? [];
  if (ofHost !== undefined && (!isChat || ofHost === region)) return "";
  return `
SDKs will call https://push-notification-${region}.${domain ?? host} for push tokens: route that name to the Worker too
(docs/cometchat.md, "Names, routes and certificates").
`;
}

export const COMMIT_TEXT = `Commit what this deployment is made of:

  git add wrangler.toml src/env.d.ts deployed.json && git commit -m "Configure the registry"`;
