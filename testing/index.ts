// `push-token-registry/testing`, as it stands in the package: docs/testing.md.
import { join } from "node:path";
import { startWith } from "./registry.ts";
import type { Registry, RegistryOptions } from "./types.ts";

export type { ApiKeys, Registry, RegistryOptions, WorkerBeside } from "./types.ts";

/** What `npm run prepack` puts next to this file, and the static files of the package. */
const FILES = {
  bundle: join(import.meta.dirname, "worker.js"),
  statics: join(import.meta.dirname, "../../public"),
};

/**
 * Starts a registry of one app on this machine, at a free port: the Worker as it is deployed, in Miniflare, and a clock that
 * {@link Registry.advance} moves.
 * @throws {Error} if the app's configuration is wrong; it names the field
 */
export function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  return startWith(FILES, options);
}
