import { cloudflareTest } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";
import { testBindings, testRateLimits } from "./test/support/apps.ts";
import { createOutbound } from "./test/support/outbound.ts";

export default defineConfig({
  test: {
    silent: "passed-only",
    projects: [
      {
        // Inside workerd, with real SQLite: the Worker over HTTP, and the objects.
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: { bindings: testBindings, ratelimits: testRateLimits, outboundService: createOutbound() },
            verbose: false,
          }),
        ],
        test: {
          name: "workerd",
          include: ["test/{http,user-tokens,token-owners,domain}/**/*.test.ts"],
          testTimeout: 30_000,
        },
      },
      {
        // In Node: what needs processes, files, browsers or the SDK packages, and the search for protocol faults.
        test: {
          name: "node",
          include: ["test/{conformance,system,model,scripts,house}/**/*.test.ts"],
          globalSetup: ["test/support/node/global-setup.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
