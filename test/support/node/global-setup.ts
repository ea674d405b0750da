// Builds the Worker once per run, as a deploy does: every test of the `node` project serves this bundle (`inject("bundle")`).
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { TestProject } from "vitest/node";
import { build } from "../../../scripts/lib/workerd.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Path of the bundle that `wrangler deploy` would upload. */
    bundle: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const bundle = await build();
  project.provide("bundle", bundle);
  return () => rm(dirname(bundle), { recursive: true, force: true });
}
