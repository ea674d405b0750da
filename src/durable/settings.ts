// What an object reads of its app's configuration of now, where no call brings it: in its alarm.
import { type App, ConfigError, loadConfig } from "../config/apps.ts";
import { appOf, type Platform } from "./platform.ts";

/** The app that the object is of; `null` if its configuration cannot be read: then nothing may be deleted by it. */
export function appNow(platform: Platform): App | null {
  const app = loadConfig(platform.env).apps.get(appOf(platform));
  return app === undefined || app instanceof ConfigError ? null : app;
}
