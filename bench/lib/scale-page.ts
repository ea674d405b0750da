// What docs/scale.md and `npm run scale` say: tables and a chart, from one model.

import { DIRECTORY_OBJECTS, LOOKUP_USERS_MAX } from "../../src/limits.ts";
import type { Counts } from "../subjects/counted/counted.ts";
import { svgOf } from "./chart.ts";
import type { Operation } from "./counts.ts";
import { entrySizes } from "./entry-sizes.ts";
import { bytes, figure, people, table } from "./pages.ts";
import {
  type Break,
  breaksOf,
  type EntrySizes,
  LIMITS,
  PEAK,
  type Scale,
  type ServiceTimes,
  type Settings,
  scaleOf,
  shareAsked,
  sharesOf,
} from "./scale.ts";
import { busiestHour, FLOODS, flood, hotGroup, hotUser, lookupsAtOnce } from "./scenarios.ts";

export const DEFAULT_SETTINGS: Omit<Settings, "users"> = {
  batch: 500,
  devices: 2,
  directoryObjects: DIRECTORY_OBJECTS,
  peak: PEAK,
};
export const SIZES = [1_000_000, 10_000_000, 100_000_000, 1_000_000_000] as const;

export interface Given {
  counts: Record<Operation, Counts>;
  times: ServiceTimes;
  sizes: EntrySizes;
}

export function givenOf(counts: Record<Operation, Counts>, times: ServiceTimes, devices: number): Given {
  return { counts, times, sizes: entrySizes(devices) };
}

const scaled = ({ counts, times, sizes }: Given, settings: Settings) => scaleOf(counts, times, sizes, settings);

/** Every part of docs/scale.md that has figures, by its name. */
export function partsOf(given: Given, settings: Omit<Settings, "users">, sizes: readonly number[]) {
  return {
    loads: loadTable(given, settings, sizes),
    breaks: breakTable(given, settings),
    groups: groupTable(given, settings),
    objects: objectsTable(given, settings),
    waits: waitTable(given, settings, sizes),
    "hot-user": hotUserTable(given),
    "hot-group": hotGroupTable(given, settings),
    floods: floodTable(given, settings),
    given: givenText(given, settings),
  };
}

function loadTable(given: Given, settings: Omit<Settings, "users">, sizes: readonly number[]): string {
  const rows = sizes.flatMap((users) => {
    const scale = scaled(given, { ...settings, users });
    const { loads, requestsPerSecond, callsPerSecond } = scale;
    const row = (name: string, load: Scale["loads"]["user"]) => [
      name,
      load.objects.toLocaleString("en-US"),
      figure(load.readsPerSecond),
      figure(load.writesPerSecond),
      `${figure(load.busy * 100)} %`,
      bytes(load.bytes),
    ];
    return [
      [
        `**${people(users)} users**`,
        "",
        "",
        "",
        `${figure(requestsPerSecond)} requests/s`,
        `${figure(callsPerSecond)} calls/s`,
      ],
      row("a user's object", loads.user),
      row("an owner object", loads.owner),
      row("a directory object", loads.directory),
    ];
  });
  return table(["", "objects", "reads/s of one", "writes/s of one", "busy", "size of one"], rows);
}

const LIMIT_NAMES = {
  calls: `${LIMITS.callsPerSecond.toLocaleString("en-US")} calls a second`,
  time: `${LIMITS.busy * 100} % of its time`,
  size: bytes(LIMITS.bytes),
} as const;

const REMEDIES: Record<`${Break["kind"]} ${Break["limit"]}`, string> = {
  "directory size": "`directory.objects`",
  "directory time": "lookups of more users at once; `directory.objects` for small groups",
  "directory calls": "lookups of more users at once; `directory.objects` for small groups",
  "owner size": "none: 256 is part of their names",
  "owner time": "none: 256 is part of their names",
  "owner calls": "none: 256 is part of their names",
  "user size": "",
  "user time": "",
  "user calls": "",
};

function breakTable(given: Given, settings: Omit<Settings, "users">): string {
  const users = SIZES[0];
  const rows = breaksOf(scaled(given, { ...settings, users }), users).map((each) => [
    `${each.kind} objects: ${LIMIT_NAMES[each.limit]}`,
    people(each.users),
    REMEDIES[`${each.kind} ${each.limit}`],
  ]);
  return table(["what ends", "at users", "what moves it"], rows);
}

const firstOf = (given: Given, settings: Omit<Settings, "users">, isMeant: (each: Break) => boolean = () => true) => {
  const users = SIZES[0];
  const first = breaksOf(scaled(given, { ...settings, users }), users).find(isMeant);
  return first === undefined ? "" : `${people(first.users)} (${LIMIT_NAMES[first.limit]})`;
};
const isLoad = ({ kind, limit }: Break) => kind === "directory" && limit !== "size";

/** By how many users a message goes to: many small groups are many calls. */
function groupTable(given: Given, settings: Omit<Settings, "users">): string {
  const sizes = [2, 10, 100, 500, 1000];
  const numbers = [DEFAULT_SETTINGS.directoryObjects, 64, 256];
  const rows = sizes.map((batch) => [
    batch.toLocaleString("en-US"),
    ...numbers.map((directoryObjects) => firstOf(given, { ...settings, batch, directoryObjects }, isLoad)),
  ]);
  return table(["users of a lookup", ...numbers.map((number) => `with ${number} directory objects`)], rows);
}

function objectsTable(given: Given, settings: Omit<Settings, "users">): string {
  const rows = [8, 16, 32, 64, 128, 256].map((directoryObjects) => [
    String(directoryObjects),
    firstOf(given, { ...settings, directoryObjects }),
    ...[10, 100, 500].map((batch) => figure(shareAsked(batch, directoryObjects) * directoryObjects)),
  ]);
  const head = ["`directory.objects`", "ends at users", "calls for a lookup of 10", "of 100", "of 500"];
  return table(head, rows);
}

function waitTable(given: Given, settings: Omit<Settings, "users">, sizes: readonly number[]): string {
  const rows = sizes.map((users) => {
    const { batch, directoryObjects } = settings;
    const usersOfCall = batch / (directoryObjects * shareAsked(batch, directoryObjects));
    const { p50, p99, late } = busiestHour(scaled(given, { ...settings, users }), given.times, usersOfCall);
    return [people(users), figure(p50), figure(p99), `${figure(late * 100)} %`];
  });
  return table(["users", "half take at most, ms", "99 % take at most, ms", "longer than 1.5 s"], rows);
}

function hotUserTable({ times }: Given): string {
  const rows = [100, 500, 1000, 2000].map((perSecond) => {
    const { p50, p99 } = hotUser(times, perSecond);
    return [perSecond.toLocaleString("en-US"), figure(p50), figure(p99)];
  });
  return table(["reads of one user a second", "half take at most, ms", "99 % take at most, ms"], rows);
}

function hotGroupTable({ times }: Given, { directoryObjects }: Omit<Settings, "users">): string {
  const rows = [10_000, 100_000, 1_000_000, 10_000_000].map((members) => {
    const { lookups, seconds } = hotGroup(times, directoryObjects, members);
    return [people(members), lookups.toLocaleString("en-US"), figure(seconds)];
  });
  const most = lookupsAtOnce(times, directoryObjects).toLocaleString("en-US");
  const size = LOOKUP_USERS_MAX.toLocaleString("en-US");
  return `${table(["members", `lookups of ${size}`, "seconds until the last answer"], rows)}

Up to ${most} lookups of ${size} users may be under way at once before one waits 1.5 s for a directory object.`;
}

function floodTable({ counts }: Given, { directoryObjects }: Omit<Settings, "users">): string {
  const rows = FLOODS.map(([what, operation]) => {
    const { seconds, pace, rowsWritten, dollars } = flood(counts[operation], 1_000_000, directoryObjects);
    return [what, figure(seconds), figure(pace), `${figure(rowsWritten / 1e6)} million`, figure(dollars)];
  });
  return table(
    ["a million users at once", "seconds at least", "a gentle pace, a second", "rows written", "dollars"],
    rows,
  );
}

function givenText({ times, sizes }: Given, { peak, devices }: Omit<Settings, "users">): string {
  return table(
    ["what goes in", "", "where from"],
    [
      ["the busiest hour", `${figure(peak)} means`, "the day's curve in bench/lib/scale.ts"],
      [
        "a call of a directory object",
        `${times.directoryCall} µs, and ${times.directoryRow} µs a user`,
        `CPU time, ${times.machine}, ${times.measured}`,
      ],
      ["a read of a user's object", `${times.userRead} µs`, "the same"],
      [
        "writes of one object",
        `${LIMITS.writesPerSecond} a second`,
        "measured in production by others; Cloudflare says 200 to 500",
      ],
      ["a token in its owner object", `${sizes.ownerEntry} bytes`, "the real table, 30,000 rows"],
      [
        `a user of ${devices} devices in the directory`,
        `${sizes.directoryUser.toLocaleString("en-US")} bytes`,
        "the same, with 200 bytes of facts per device",
      ],
    ],
  );
}

/** Shares of their limits, over the number of users. */
export function chartOf(given: Given, settings: Omit<Settings, "users">): string {
  const share = (of: (scale: Scale) => number) =>
    SIZES.map((users) => [users, of(scaled(given, { ...settings, users })) * 100] as const);
  const line = (name: string, kind: "owner" | "directory", limit: Break["limit"]) => ({
    name,
    points: share(({ loads }) => sharesOf(loads[kind])[limit]),
  });
  return svgOf({
    title: "Load of one object, as a share of its limit",
    xName: "monthly users of one app",
    yName: "percent of the limit",
    x: SIZES.map((users) => [users, people(users)]),
    y: [0.001, 0.01, 0.1, 1, 10, 100, 1000].map((value) => [value, `${value.toLocaleString("en-US")} %`]),
    limit: { y: 100, name: "the limit" },
    lines: [
      line("directory: size", "directory", "size"),
      line("directory: time", "directory", "time"),
      line("owners: size", "owner", "size"),
      line("owners: time", "owner", "time"),
    ],
  });
}
