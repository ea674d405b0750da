import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { cloudflareTest } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";
import { unstable_readConfig } from "wrangler";
import { testBindings, testRateLimits } from "./test/support/apps.ts";
import { ownTmp } from "./test/support/node/own-tmp.ts";
import { createOutbound } from "./test/support/outbound.ts";

// The commands that tests start read large files, wrangler's above all: what was compiled once is kept.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), "node-compile-cache");
process.env.TMPDIR = ownTmp();
// Else each test file has a line on where secrets come from.
process.env.WRANGLER_LOG ??= "warn";

// An operator's apps stand in wrangler.toml; under other ids they are in no test's way.
const { vars, secrets } = unstable_readConfig({ config: "./wrangler.toml" });
const operators = Object.keys(vars).filter((name) => name.startsWith("APP_"));
const outOfTheWay = Object.fromEntries(operators.map((name) => [name, { appId: `operators-${name}` }]));
// wrangler warns of each secret that is missing.
for (const name of secrets?.required ?? []) process.env[name] ??= '{"signingKeys":[],"apiKeys":[]}';

/** Of `expect.poll`: on a slow machine too, what is awaited comes before that. */
const POLL = { interval: 10, timeout: 40_000 };

export default defineConfig({
  test: {
    // Much of the time, what runs in a worker waits for servers and browsers.
    maxWorkers: availableParallelism() + 1,
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
          include: ["test/{http,user-tokens,token-owners,directory,domain}/**/*.test.ts"],
          testTimeout: 60_000,
          expect: { poll: POLL },
        },
      },
      {
        // In Node: what needs processes, files, browsers or the SDK packages, and the search for protocol faults.
        test: {
          name: "node",
          include: ["test/{clients,conformance,system,model,scripts,house}/**/*.test.ts"],
          globalSetup: ["test/support/node/global-setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: { poll: POLL },
        },
      },
    ],
  },
});
