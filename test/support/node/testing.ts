// The project's own `startRegistry`: what the package exports, with this run's bundle.
import { join } from "node:path";
import { inject } from "vitest";
import { PROJECT } from "../../../scripts/lib/workerd.ts";
import { startWith } from "../../../testing/registry.ts";
import type { Registry, RegistryOptions } from "../../../testing/types.ts";

/** Users may take over as many installations as a test likes. */
export const UNLIMITED_APP = { appId: "test", takeovers: { perUserAndHour: 1_000_000 } };

export function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  return startWith({ bundle: inject("bundle"), statics: join(PROJECT, "public") }, options);
}
