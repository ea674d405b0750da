// `npm run cost`: the monthly bill of a workload, from counts of the real Worker.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { defineCommand, main } from "../scripts/lib/command.ts";
import { flag, number, type Option, UsageError } from "../scripts/lib/options.ts";
import { type Output, rounded, withRoundedNumbers } from "../scripts/lib/output.ts";
import { PROJECT } from "../scripts/lib/workerd.ts";
import { type Bill, DEFAULT_WORKLOAD, d1Bill, kvBill, registryBill, type Workload } from "./lib/cost.ts";
import { partsOfCost, partsOfPerformance } from "./lib/cost-page.ts";
import { countOperations } from "./lib/counts.ts";
import { withParts } from "./lib/pages.ts";
import { PRICES } from "./lib/prices.ts";

type Counts = Awaited<ReturnType<typeof countOperations>>;

export const COST_PAGE = join(PROJECT, "docs/cost.md");
export const PERFORMANCE_PAGE = join(PROJECT, "docs/performance.md");

const HELP: Record<keyof Workload, string> = {
  users: "Monthly users.",
  launches: "Launches per user and month.",
  senderReads: "Reads by senders per user and month.",
  logouts: "Logouts per user and month.",
  newTokens: "New tokens per user and month.",
  refreshes: "Registrations refreshed per user and month: launches after the refresh window.",
  batch: "Users per billed request of a sender: 1, or up to 500 by lookup.",
  devices: "Devices per user.",
  cpuMs: "CPU of one request in milliseconds.",
  readSeconds: "How long an object is active for a call that only reads.",
  writeSeconds: "How long an object is active for a call that writes.",
  storageKib: "KiB on disk per user.",
  alarms: "Runs of a user's alarm per month.",
};

const OPTIONS = Object.fromEntries(
  Object.entries(DEFAULT_WORKLOAD).map(([name, value]): [string, Option<number>] => [
    name,
    number({
      help: HELP[name as keyof Workload],
      min: name === "batch" ? 1 : 0,
      fractions: true,
      default: value,
      defaultSays: String(Number(value.toPrecision(3))),
    }),
  ]),
) as Record<keyof Workload, Option<number>>;

export const command = defineCommand({
  name: "cost",
  summary:
    "Prints the monthly bill of a workload on Cloudflare: for the registry, from counts of the real Worker, and for the same API " +
    "on D1 and on KV.",
  options: { ...OPTIONS, write: flag("Write the figures of docs/cost.md and docs/performance.md, with the defaults.") },
  examples: ["--users 1000000 --batch 500"],
  hasJson: true,
  async run({ write, ...workload }, { output }) {
    if (write && !isDeepStrictEqual(workload, DEFAULT_WORKLOAD))
      throw new UsageError("--write takes the defaults alone");
    const counts = await output.during("counting what each call costs", countOperations());
    const bills = billsOf(counts, workload);
    if (write) {
      await writeFile(COST_PAGE, withParts(await readFile(COST_PAGE, "utf8"), partsOfCost(counts)));
      await writeFile(
        PERFORMANCE_PAGE,
        withParts(await readFile(PERFORMANCE_PAGE, "utf8"), partsOfPerformance(counts)),
      );
    }
    output.result(withRoundedNumbers({ prices: PRICES.date, workload, counts, bills }), () =>
      tell(counts, bills, workload, output),
    );
    return 0;
  },
});

function billsOf(counts: Counts, workload: Workload): Bill[] {
  const single = { ...workload, batch: 1 };
  return [
    registryBill(counts, workload),
    { ...registryBill(counts, single), design: "registry, no batches" },
    d1Bill(workload),
    { ...d1Bill(single), design: "D1, no batches" },
    kvBill(workload),
    { ...kvBill(single), design: "KV, no batches" },
  ];
}

function tell(counts: Counts, bills: readonly Bill[], workload: Workload, output: Output): void {
  output.say("Counted on this Worker, per call:");
  console.table(counts);
  const given = Object.entries(workload).map(([name, value]) => `${name} ${rounded(value)}`);
  output.say(`US dollars per month, prices of ${PRICES.date}, for ${given.join(", ")}:`);
  const meters = [...new Set(bills.flatMap((bill) => Object.keys(bill.meters)))];
  const dollars = (amount: number | undefined) => (amount === undefined ? "" : amount.toFixed(0));
  console.table(
    Object.fromEntries(
      [...meters, "total"].map((meter) => [
        meter,
        Object.fromEntries(bills.map((b) => [b.design, dollars(meter === "total" ? b.total : b.meters[meter])])),
      ]),
    ),
  );
}

if (import.meta.main) await main(command);
