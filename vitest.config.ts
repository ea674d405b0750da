import { cloudflareTest } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";
import { unstable_readConfig } from "wrangler";
import { testBindings, testRateLimits } from "./test/support/apps.ts";
import { createOutbound } from "./test/support/outbound.ts";

// An operator's apps stand in wrangler.toml; under other ids they are in no test's way. A secret that is missing is a warning.
const { vars } = unstable_readConfig({ config: "./wrangler.toml" });
const operators = Object.keys(vars).filter((name) => name.startsWith("APP_"));
const outOfTheWay = Object.fromEntries(
  operators.flatMap((name): [string, string | object][] => [
    [name, { appId: `operators-${name}` }],
    [name.replace("APP_", "SECRETS_"), JSON.stringify({ signingKeys: [], apiKeys: [] })],
  ]),
);

export default defineConfig({
  test: {
    silent: "passed-only",
    projects: [
      {
        // Inside workerd, with real SQLite: the Worker over HTTP, and the objects.
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: { ...outOfTheWay, ...testBindings },
              ratelimits: testRateLimits,
              outboundService: createOutbound(),
            },
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
