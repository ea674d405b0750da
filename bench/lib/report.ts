// BENCHMARKS.md, written from what was measured in this very run.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import type { Counts } from "../subjects/counted/counted.ts";
import { DEFAULT_WORKLOAD, registryBill } from "./cost.ts";
import type { Operation as Counted } from "./counts.ts";
import type { Growth } from "./growth.ts";
import type { Measured } from "./load.ts";
import { causeOf, lossesIn } from "./losses.ts";
import { OPERATIONS } from "./operations.ts";
import { PRICES } from "./prices.ts";
import { median, ratio } from "./ratios.ts";
import type { Sizes } from "./sizes.ts";

export interface Report {
  users: number;
  seconds: number;
  rounds: number;
  connections: number;
  /** By operation and subject, a round each. */
  results: Record<string, Record<string, Measured[]>>;
  counts: Record<Counted, Counts>;
  sizes: Sizes;
  /** Milliseconds. */
  startUp: number;
  growth: Growth | null;
}

export async function writeReport(path: string, report: Report): Promise<void> {
  await writeFile(path, toMarkdown({ ...report, results: inOrder(report.results) }));
}

/** Those that read many users come last, whenever they were measured. */
function inOrder(results: Report["results"]): Report["results"] {
  const sizes = new Map(OPERATIONS.map(({ name, usersPerRequest }) => [name, usersPerRequest]));
  return Object.fromEntries(Object.entries(results).toSorted(([a], [b]) => (sizes.get(a) ?? 0) - (sizes.get(b) ?? 0)));
}

function toMarkdown(report: Report): string {
  return `# Benchmarks

Written by \`npm run bench -- --write\` on ${new Date().toISOString().slice(0, 10)}. Repeat it: \`npm ci && npm run bench -- --write --growth\`; Debian's \`postgresql\` for the last
two columns, and npm for the last. Machines differ and drift, so read the ratios: all subjects ran in one run, in alternating rounds.

- Machine: ${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}
- ${versions()}
- ${report.users} users, ${report.connections} connections, ${report.rounds} rounds of ${report.seconds} s each; medians, after a round
  to warm up. Every subject but Parse Server checks the same JWT or API key and sends replies of the same headers and fields; all name the same tokens
  (the run checks both), and commit to disk before they answer.

## Speed

Requests per second, and the median and 99th percentile of the reply time in milliseconds. *Floor*: a bare Hono route, the same JWT check, one
RPC and one SELECT (or INSERT), the same reply: the least that any Worker with one object per user must do.

${speed(report)}

${parseServer(report)}${cpuTime(report)}

${losses(report)}

### Against the floor

${table(
  ["operation", "budget (requests per second)", "measured", "by CPU time"],
  (
    [
      ["list", "≥ 0.85"],
      ["unchanged registration", "≥ 0.8"],
      ["new token", "≥ 0.3"],
    ] as const
  ).map(([operation, budget]) => [operation, budget, ...againstFloor(report, operation)]),
)}

What the floor does not do, and a launch pays for: it finds the app and checks its origin, hashes the user and the token, refuses a session that
ended, bounds the wait for the object, validates the body. No one of these takes more than a few percent;
[docs/performance.md](docs/performance.md) has what was tried. A new token is three objects' work: the owner object records the claim on disk before
the user's object stores the registration, and the directory has it before the reply. The floor writes once.

### Lookups

Users per second, in one request, against one request per user (\`GET /v3/users/{uid}/push_tokens\`):

${lookups(report)}

The same users are asked for again and again, as a busy group's are: PostgreSQL has their rows in its cache, and the directory objects in memory.
[docs/performance.md](docs/performance.md#lookups) says what users take who were not asked for before.

## Counted

What Cloudflare bills, on SQLite's own counters, for one call on warm objects. Tests hold these figures to the budgets.

${table(
  ["operation", "calls of user objects", "of owner objects", "of directory objects", "rows read", "rows written"],
  Object.entries(report.counts).map(([name, c]) =>
    [name, c.userCalls, c.ownerCalls, c.directoryCalls, c.rowsRead, c.rowsWritten].map(String),
  ),
)}

- Bundle: ${(report.sizes.bundleBytes / 1024).toFixed(1)} KiB, gzip ${(report.sizes.gzipBytes / 1024).toFixed(1)} KiB (budget 60).
- Start-up: ${report.startUp} ms of computing on this machine, by \`wrangler check startup\`.
- Storage of a user: ${Object.entries(report.sizes.userBytes)
    .map(([devices, bytes]) => `${devices} device${devices === "1" ? "" : "s"} ${(bytes / 1024).toFixed(0)} KiB`)
    .join(", ")} (budget 20 KiB for 3 devices). In the directory, a user of 3 devices with 200 bytes of facts each:
  ${(report.sizes.directoryBytes / 1024).toFixed(1)} KiB.

## Growth

${growth(report.growth)}

## Cost

The default workload of \`npm run cost\` (10 million monthly users, 30 launches and 300 sender reads each), prices of ${PRICES.date}:
**$${dollars(report, Number.POSITIVE_INFINITY)} a month** with sender reads by the service binding, $${dollars(report, 500)} over HTTP in batches of 500, $${dollars(report, 100)} in batches of 100,
$${dollars(report, 1)} with one HTTP request per read. \`npm run cost\` prints
every meter, and the same for D1 and KV.

## What these figures do not say

- Production adds the network and the replicated commit (5 to 13 ms, held by the output gate); here a commit is one fsync of a local disk.
- One machine ran the load and the server. On Cloudflare every user's object has a thread of its own somewhere.
- D1 and KV ran in their local simulators, beside the registry in the same simulator. D1 in production is one primary in one region; KV answers
  may be a minute old, so it cannot keep the promises at any speed.
- PostgreSQL was tuned with care (prepared statements, a pool per process, every core), and had the disk and all cores of one machine to
  itself, in the same place as its clients. It is one region, and somebody operates it.
- A handover of Parse Server writes the other user into the installation. Nothing there is fenced: whoever still has a session may write it again.
`;
}

function versions(): string {
  const version = (name: string) =>
    JSON.parse(readFileSync(join(PROJECT, "node_modules", name, "package.json"), "utf8")).version;
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: PROJECT, encoding: "utf8" }).trim();
  return `workerd ${version("workerd")}, Hono ${version("hono")}, Node ${process.versions.node}, commit ${commit}`;
}

function speed(report: Report): string {
  return bySubject(report, (measured) => {
    const [perSecond, p50, p99] = (["perSecond", "p50", "p99"] as const).map((key) =>
      median(measured.map((m) => m[key])),
    );
    return `${digits(perSecond)} (${p50}, ${p99})`;
  });
}

function cpuTime(report: Report): string {
  const measured = Object.values(report.results).flatMap((each) => Object.values(each).flat());
  if (measured.every(({ cpuPerRequest }) => cpuPerRequest === null)) return "CPU time is only known on Linux.";
  return `CPU time of a request, in microseconds, over all processes of the subject. It says what the figures above do not: workerd runs a Worker and its
objects on one thread here, where Node and PostgreSQL had ${cpus().length} cores. Linux counts it in hundredths of a second, so it is rough for what can be done only
once per user (logout, delete all).

${bySubject(report, (each) => digits(median(each.map(({ cpuPerRequest }) => cpuPerRequest ?? Number.NaN))))}`;
}

/** What is different about it. */
function parseServer({ results }: Report): string {
  const isMeasured = Object.values(results).some((each) => Object.keys(each).some((name) => name.startsWith("Parse")));
  if (!isMeasured) return "";
  return `*Parse Server* speaks its own API, as its SDKs do: \`POST /installations\`, its upsert, with a session token; queries of \`_Installation\` with the master
key. It has a process per core, PostgreSQL as Node has it, no log of requests, and indexes that it does not make by itself (by id, token and user of an
installation, and by session token): its configuration is in bench/subjects/parse-server. It looks a session up once in 5 seconds, so hardly ever here. An
unchanged registration is a write there. A page is of 1,000 installations, by object id. It has no logout or removal to measure: its logout leaves
the installation with the user, and no call removes those of a user.

`;
}

/** A row for each operation, a column for each subject. */
function bySubject({ results }: Report, cell: (measured: Measured[]) => string): string {
  // Most operations lack some subjects: those that lack none say in which order they stand.
  const names = Object.values(results).map((each) => Object.keys(each));
  const subjects = [...new Set(names.toSorted((a, b) => b.length - a.length).flat())];
  return table(
    ["operation", ...subjects],
    Object.entries(results).map(([name, measured]) => [
      name,
      ...subjects.map((subject) => (measured[subject] === undefined ? "" : cell(measured[subject]))),
    ]),
  );
}

function digits(value = Number.NaN): string {
  return value.toFixed(value < 10 ? 1 : 0);
}

/** Where the registry is slower than what people build instead, and why. */
function losses({ results }: Report): string {
  const lost = lossesIn(results);
  if (lost.length === 0) return "The registry is ahead of every other subject on its own host in every operation.";
  const factor = (value: number | null) => (value === null ? "" : value.toFixed(2));
  const rows = lost.map((loss) => [
    loss.operation,
    loss.peer,
    factor(loss.speed),
    factor(loss.machine),
    factor(loss.design),
    factor(loss.registry),
    causeOf(loss),
  ]);
  return `Where the registry loses on this machine. *Speed* is its share of the other's requests per second: the product of three factors.
*The machine*: it has one thread where Node and PostgreSQL have ${cpus().length} cores; this part is not lost by CPU time. *The design*: what the
floor loses by CPU time; no Worker with an object per user can win that. *Us*: what the registry needs beyond the floor. Where the
floor has no such operation, the last two are one figure.

${table(["operation", "against", "speed", "the machine", "the design", "us", "most of it"], rows)}

Writes cost the registry one fsync per object and file: a new token is three commits in three databases, one after
the other, and the alarm set back, where one database commits once, and groups the commits of concurrent requests. That is the price of one object per user, and what it buys
is that users do not share a database, a region or a limit. A lookup is one call of each directory object, where one database answers with one query.`;
}

/** Of the floor's throughput, and of its speed by CPU time. */
function againstFloor({ results }: Report, operation: string): [string, string] {
  const measured = results[operation];
  if (measured === undefined) return ["not measured", ""];
  const cpu = ratio(measured, "floor", "registry", "cpuPerRequest");
  return [ratio(measured, "registry", "floor").toFixed(2), Number.isNaN(cpu) ? "" : cpu.toFixed(2)];
}

function lookups({ results }: Report): string {
  const single = median((results["read by a sender"]?.registry ?? []).map((m) => m.perSecond));
  const rows = OPERATIONS.filter(({ usersPerRequest }) => usersPerRequest > 1).flatMap(({ name, usersPerRequest }) => {
    const measured = results[name]?.registry;
    if (measured === undefined) return [];
    const perSecond = median(measured.map((m) => m.perSecond)) * usersPerRequest;
    return [[name, Math.round(perSecond).toString(), `${(perSecond / single).toFixed(1)} ×`]];
  });
  return table(["", "users per second", "against single reads"], rows);
}

function growth(measured: Growth | null): string {
  if (measured === null) return "Not measured in this run (`npm run bench -- --growth --write`).";
  const chart = (title: string, points: Growth["users"]) => `\`\`\`mermaid
xychart-beta
  title "${title}"
  x-axis [${points.map(({ size }) => `"${size.toLocaleString("en")}"`).join(", ")}]
  y-axis "µs per request"
  line [${points.map(({ listMicros }) => Math.round(listMicros)).join(", ")}]
  line [${points.map(({ registerMicros }) => Math.round(registerMicros)).join(", ")}]
\`\`\``;
  const rows = (points: Growth["users"]) => [
    ...points.map((p) => [
      p.size.toLocaleString("en"),
      Math.round(p.listMicros).toString(),
      Math.round(p.registerMicros).toString(),
      p.bytesPerUser === undefined ? "" : (p.bytesPerUser / 1024).toFixed(1),
    ]),
    [
      "largest ÷ smallest",
      ...(["listMicros", "registerMicros", "bytesPerUser"] as const).map((key) => {
        const [first, last] = [points.at(0)?.[key], points.at(-1)?.[key]];
        return first === undefined || last === undefined ? "" : `**${(last / first).toFixed(2)}**`;
      }),
    ],
  ];
  return `Time per request while the number of users grows (upper line: new token, lower line: list), on a sample of the same size each time, in
alternating rounds; storage is of users with one device. Flat is a ratio of at most 1.2.

${chart("users", measured.users)}

${table(["users", "list µs", "new token µs", "KiB per user"], rows(measured.users))}

The same while one owner object grows; the new tokens all fall to that object (300 in a measurement, taken away after it):

${chart("entries of one owner object", measured.owners)}

${table(["entries of the owner object", "list µs", "new token µs", ""], rows(measured.owners))}`;
}

function dollars({ counts }: Report, batch: number): string {
  return registryBill(counts, { ...DEFAULT_WORKLOAD, batch }).total.toFixed(0);
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
