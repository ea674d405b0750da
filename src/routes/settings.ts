// The settings that send an SDK back to this Worker for every later call.
import type { Context } from "hono";
import type { AppEnv } from "../http.ts";

/**
 * SDKs call `https://<slug>-<REGION>.<EXTENSION_DOMAIN>/…` for extensions and `https://<CLIENT_API_HOST>/<CHAT_API_VERSION>/…`
 * for the rest. All hosts are ours: the app's `publicHost`, else the host that this very request was sent to.
 */
export function settingsOf(c: Context<AppEnv>) {
  const { region, publicHost } = c.var.app;
  const host = publicHost ?? hostOf(c);
  const extensionHost = host.match(/^push-notification-[a-z0-9-]+?\.(.+)$/);
  return {
    REGION: region,
    EXTENSION_DOMAIN: extensionHost?.[1] ?? host,
    CHAT_API_VERSION: "v3.0",
    CLIENT_API_HOST: host,
    ADMIN_API_HOST: host,
    APP_VERSION: 4,
    MODE: "DEFAULT",
    ANALYTICS_PING_DISABLED: true,
    extensions: [{ id: "push-notification" }],
  };
}

/** `localhost:port` for an IP address: no name can be put before one. */
function hostOf(c: Context<AppEnv>): string {
  const { hostname, host, port } = new URL(c.req.url);
  const isAddress = /^[\d.]+$/.test(hostname) || hostname.startsWith("[");
  if (!isAddress) return host;
  return port === "" ? "localhost" : `localhost:${port}`;
}
