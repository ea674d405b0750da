// `npm run cost -- --users 10000000 --batch 100 …`: the monthly bill of a workload, from counts of the real Worker.
import { parseArgs } from "node:util";
import { type Bill, DEFAULT_WORKLOAD, d1Bill, kvBill, registryBill, type Workload } from "./lib/cost.ts";
import { countOperations } from "./lib/counts.ts";
import { PRICES } from "./lib/prices.ts";

const options = Object.fromEntries(Object.keys(DEFAULT_WORKLOAD).map((name) => [name, { type: "string" as const }]));
const { values } = parseArgs({ options: { ...options, help: { type: "boolean" } } });
if (values.help === true) {
  console.log("npm run cost -- [--<option> <number>]…, per user and month where a rate is meant. The defaults:");
  console.log(DEFAULT_WORKLOAD);
  process.exit(0);
}
const workload: Workload = { ...DEFAULT_WORKLOAD };
for (const name of Object.keys(DEFAULT_WORKLOAD) as (keyof Workload)[]) {
  const given = (values as Record<string, string | undefined>)[name];
  if (given === undefined) continue;
  if (!(Number(given) >= 0)) throw new Error(`--${name} must be a number, not ${given}`);
  workload[name] = Number(given);
}

const counts = await countOperations();
console.log("Counted on this Worker, per call:");
console.table(counts);
console.log(`US dollars a month, prices of ${PRICES.date}, for`, workload);
const bills: Bill[] = [
  registryBill(counts, workload),
  { ...registryBill(counts, { ...workload, batch: 1 }), design: "registry, no batches" },
  d1Bill(workload),
  { ...d1Bill({ ...workload, batch: 1 }), design: "D1, no batches" },
  kvBill(workload),
  { ...kvBill({ ...workload, batch: 1 }), design: "KV, no batches" },
];
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
