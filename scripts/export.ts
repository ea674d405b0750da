// `npm run export`: all registrations of an app in a file, which `npm run import` reads. docs/moving.md says what for.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, rename, rm, stat, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import type { SenderToken } from "../src/domain/sender-token.ts";
import { readJson } from "./estate/checkpoint.ts";
import { EXPORT_FORMATS, type Exact, type ExportFormat, lineOf, WRITERS } from "./estate/lines.ts";
import { count } from "./estate/survey.ts";
import { CommandError, defineCommand, main } from "./lib/command.ts";
import { choice, flag, number, text } from "./lib/options.ts";
import type { Output } from "./lib/output.ts";
import { openPrivate, writeAll } from "./lib/private-file.ts";
import { patient, REGISTRY_OPTIONS, type Registry, registryOf } from "./lib/registry.ts";

/** How far an export is; beside its file, so that the same command goes on after a kill. */
interface Place {
  /** Format, app and registry: another export begins anew. */
  of: string;
  /** Of the next page; `null`: the first. */
  cursor: string | null;
  /** There is no next page. */
  isDone: boolean;
  /** How long the file is. */
  bytes: number;
  users: number;
  registrations: number;
  byKind: Record<string, number>;
  startedAt: number;
}

/** What stands beside the file in the end. Times are ISO 8601. */
export interface Manifest {
  format: ExportFormat;
  appId: string;
  /** Whether the times are those of the users' own objects. */
  exact: boolean;
  startedAt: string;
  endedAt: string;
  users: number;
  registrations: number;
  byKind: Record<string, number>;
  /** Of the file as it stands. `null`: it went to the standard output. */
  sha256: string | null;
}

export interface ExportOptions {
  format: ExportFormat;
  /** `null`: the standard output. */
  out: string | null;
  exact: boolean;
  appId: string;
  url: string;
}

interface Page {
  users: { uid: string; pushTokens: SenderToken[] }[];
  cursor?: string;
}

const USERS_PER_PAGE = 1000;
/** Users whose own objects are asked at once. */
const EXACT_AT_ONCE = 16;

export async function exportAll(registry: Registry, options: ExportOptions, output: Output): Promise<Manifest> {
  const { format, out, exact, appId, url } = options;
  const of = JSON.stringify([format, exact, appId, url]);
  const before = out === null ? null : await readPlace(out, of);
  const place = before !== null && (await isOpen(registry, out, before)) ? before : newPlace(of);
  if (place.users > 0) output.note(`Going on behind ${place.users} users, where an earlier run ended.`);
  else if (before !== null && place !== before) output.note("An earlier run cannot be gone on with: beginning anew.");
  const total = await usersOf(registry);
  const target = await Target.open(out, place);
  const progress = output.progress("Users exported", total);
  if (place.bytes === 0) await target.write(WRITERS[format].header, place);
  while (!place.isDone) {
    const query = place.cursor === null ? "" : `&cursor=${encodeURIComponent(place.cursor)}`;
    const path = `/v3/push_tokens?limit=${USERS_PER_PAGE}&includeMuted=true${query}`;
    const page = (await registry.call("GET", path)) as Page;
    await target.write(await linesOf(registry, page, options, place), place);
    place.users += page.users.length;
    place.cursor = page.cursor ?? null;
    place.isDone = page.cursor === undefined;
    if (out !== null) await writePlace(out, place);
    progress.at(place.users);
  }
  progress.end();
  await target.close();
  const { users, registrations, byKind } = place;
  const times = { startedAt: new Date(place.startedAt).toISOString(), endedAt: new Date().toISOString() };
  const sha256 = out === null ? null : await digestOf(out);
  const manifest: Manifest = { format, appId, exact, ...times, users, registrations, byKind, sha256 };
  if (out !== null) {
    await writeFile(`${out}.manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
    await rm(placeFile(out), { force: true });
  }
  return manifest;
}

async function linesOf(
  registry: Registry,
  page: Page,
  { format, exact }: ExportOptions,
  place: Place,
): Promise<string> {
  const lines: string[] = [];
  for (let from = 0; from < page.users.length; from += EXACT_AT_ONCE) {
    const some = page.users.slice(from, from + EXACT_AT_ONCE);
    const written = some.map(async ({ uid, pushTokens }) => {
      // Only the user's own object knows since when a token is suspect.
      const isAsked = exact || pushTokens.some(({ suspect }) => suspect);
      const own = isAsked ? await ownOf(registry, uid) : [];
      return pushTokens.map((shown) => {
        const same = own.find(({ session, kind }) => session === shown.sessionId && kind === shown.kind);
        place.registrations += 1;
        count(place.byKind, shown.kind);
        return WRITERS[format].write(lineOf(uid, shown, same));
      });
    });
    lines.push(...(await Promise.all(written)).flat());
  }
  return lines.join("");
}

async function ownOf(registry: Registry, uid: string): Promise<Exact[]> {
  const { registrations } = (await registry.call("GET", `/v3/users/${encodeURIComponent(uid)}/export`)) as {
    registrations: Exact[];
  };
  return registrations;
}

/** Only for the progress. */
async function usersOf(registry: Registry): Promise<number> {
  const { users } = (await registry.call("GET", "/v3/push_tokens/counts")) as { users: number };
  return users;
}

/** The file, or the standard output. A page is a gzip member of its own: members one after the other are gzip, too. */
class Target {
  readonly #handle: FileHandle | null;
  readonly #isGzip: boolean;

  private constructor(handle: FileHandle | null, isGzip: boolean) {
    this.#handle = handle;
    this.#isGzip = isGzip;
  }

  static async open(out: string | null, { bytes }: Place): Promise<Target> {
    if (out === null) return new Target(null, false);
    const handle = await openPrivate(out, bytes > 0 ? "r+" : "w");
    await handle.truncate(bytes);
    return new Target(handle, out.endsWith(".gz"));
  }

  async write(lines: string, place: Place): Promise<void> {
    if (lines === "") return;
    if (this.#handle === null) {
      await new Promise<void>((resolve) => void process.stdout.write(lines, () => resolve()));
      return;
    }
    const bytes = this.#isGzip ? gzipSync(lines) : Buffer.from(lines);
    await writeAll(this.#handle, bytes, place.bytes);
    // The checkpoint must not know of what a crash of the machine takes away.
    await this.#handle.datasync();
    place.bytes += bytes.length;
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }
}

function placeFile(out: string): string {
  return `${out}.export-checkpoint.json`;
}

function newPlace(of: string): Place {
  return { of, cursor: null, isDone: false, bytes: 0, users: 0, registrations: 0, byKind: {}, startedAt: Date.now() };
}

async function readPlace(out: string, of: string): Promise<Place | null> {
  const place = await readJson<Place>(placeFile(out));
  return place?.of === of ? place : null;
}

/** Whether the file still has what an earlier run wrote, and the registry still knows where that ended. */
async function isOpen(registry: Registry, out: string | null, { bytes, cursor }: Place): Promise<boolean> {
  const found = out === null ? null : await stat(out).catch(() => null);
  if (found === null || found.size < bytes) return false;
  if (cursor === null) return true;
  try {
    await registry.call("GET", `/v3/push_tokens?limit=1&cursor=${encodeURIComponent(cursor)}`);
    return true;
  } catch (error) {
    // The directory was made anew since.
    if (error instanceof CommandError && error.message.includes("was answered 400")) return false;
    throw error;
  }
}

async function writePlace(out: string, place: Place): Promise<void> {
  await writeFile(`${placeFile(out)}.new`, JSON.stringify(place), { mode: 0o600, flush: true });
  await rename(`${placeFile(out)}.new`, placeFile(out));
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

export const command = defineCommand({
  name: "export",
  summary:
    "Writes all registrations of an app into a file that npm run import reads: to move to another registry, or to compare with a " +
    "database of your own. Registrations that come or go meanwhile may be in it or not.",
  options: {
    format: choice({
      help: "A JSON object per line, or a table.",
      placeholder: "FORMAT",
      choices: EXPORT_FORMATS,
      default: "ndjson",
    }),
    out: text({
      help: "The file, which its owner alone can read; gzip if its name ends in .gz. Beside it stands FILE.manifest.json.",
      placeholder: "FILE",
      default: null,
      defaultSays: "the standard output",
    }),
    exact: flag(
      "Ask each user's own object for its times: refreshedAt may else be up to 90 days older than the truth.",
    ),
    repeats: number({ help: "How often a call that fails is repeated.", min: 0, max: 100, default: 10 }),
    ...REGISTRY_OPTIONS,
  },
  examples: [
    "--out estate.ndjson.gz --url https://push.example.com --app-id acme",
    "--format csv --out estate.csv --exact",
  ],
  notes: "After a kill, run the same command again: it goes on where it was. The API key needs the scope fullAccess.",
  hasJson: false,
  async run(values, { output }) {
    const once = registryOf(values);
    // Whoever named another address or key is told at once.
    await usersOf(once);
    const registry = patient(once, values.repeats, 500);
    const { out, exact } = values;
    const format = values.format ?? "ndjson";
    const options = { format, out, exact, appId: values["app-id"], url: values.url };
    const { users, registrations } = await exportAll(registry, options, output);
    output.note(`Done: ${registrations} registrations of ${users} users.`);
    return 0;
  },
});

if (import.meta.main) await main(command);
