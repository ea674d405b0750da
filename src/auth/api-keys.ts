import type { ApiKey, App } from "../config/apps.ts";

/** The app's key whose SHA-256 is that of `presented`; digests are compared in constant time, and all of them. */
export async function findApiKey(app: App, presented: string): Promise<ApiKey | null> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(presented));
  let found: ApiKey | null = null;
  for (const key of app.apiKeys) {
    if (crypto.subtle.timingSafeEqual(digest, fromHex(key.sha256))) found = key;
  }
  return found;
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16));
}
