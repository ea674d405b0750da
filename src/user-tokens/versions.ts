// Which directory a version is of, and which changes need one.
import type { Rules } from "../domain/registration.ts";
import { directoryGeneration } from "../durable/names.ts";
import type { Platform } from "../durable/platform.ts";
import { appNow } from "../durable/settings.ts";
import { SHOWN_EVERY_MAX_MS } from "../limits.ts";

/** `""` where the app's configuration cannot be read: then it is shown again once it can. */
export function generationNow(platform: Platform): string {
  const app = appNow(platform);
  return app === null ? "" : directoryGeneration(app.directory);
}

/** A refresh is shown this long after the last one that was: no token that lives is ever missing where only those are known. */
export function showEveryMs({ retentionMs }: Rules): number {
  return Math.min(SHOWN_EVERY_MAX_MS, retentionMs / 3);
}
