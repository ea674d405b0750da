// The settings that send an SDK back to this Worker for every later call.
import type { Context } from "hono";
import type { AppEnv } from "./context.ts";

/**
 * SDKs call `https://<slug>-<REGION>.<EXTENSION_DOMAIN>/…` for extensions and `https://<CLIENT_API_HOST>/<CHAT_API_VERSION>/…`
 * for the rest. Both are ours: the app's `publicHost`, else the host that this very request was sent to.
 */
export function hostSettingsOf(c: Context<AppEnv>) {
  const host = c.var.app.publicHost ?? hostOf(c);
  return { EXTENSION_DOMAIN: extensionHost(host)?.domain ?? host, CLIENT_API_HOST: host };
}

/** The settings of an app that has nothing but this Worker: all hosts are ours. */
export function settingsOf(c: Context<AppEnv>) {
  const hosts = hostSettingsOf(c);
  return {
    ...hosts,
    // The host's own region, else SDKs would be sent to a host that nobody serves.
    REGION: extensionHost(hosts.CLIENT_API_HOST)?.region ?? c.var.app.region,
    CHAT_API_VERSION: "v3.0",
    ADMIN_API_HOST: hosts.CLIENT_API_HOST,
    APP_VERSION: 4,
    MODE: "DEFAULT",
    ANALYTICS_PING_DISABLED: true,
    extensions: [{ id: "push-notification" }],
  };
}

/** The parts of a host that is named as SDKs name the extension's. */
function extensionHost(host: string): { region: string; domain: string } | null {
  const [, region, domain] = host.match(/^push-notification-([a-z0-9-]+)\.(.+)$/) ?? [];
  return region === undefined || domain === undefined ? null : { region, domain };
}

/** `localhost:port` for an IP address: no name can be put before one. */
function hostOf(c: Context<AppEnv>): string {
  const { hostname, host, port } = new URL(c.req.url);
  const isAddress = /^[\d.]+$/.test(hostname) || hostname.startsWith("[");
  if (!isAddress) return host;
  return port === "" ? "localhost" : `localhost:${port}`;
}
