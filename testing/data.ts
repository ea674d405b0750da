// Where a registry keeps its data, and beside it, for a later start, what its clock shows.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** As testing/inside/time.js takes it. */
export interface Clock {
  /** How far it is ahead of the real one. */
  offsetMs: number;
  alarms: { objects: string; name: string; at: number }[];
}

/** The classes that set alarms, and their bindings. */
const CLASSES = { UserTokens: "USER_TOKENS", TokenOwners: "TOKEN_OWNERS" } as const;

export class Data {
  readonly isTemporary: boolean;
  #directory: string;
  /** Also where nobody stops the registry. */
  readonly #removeAtExit = () => rmSync(this.#directory, { recursive: true, force: true });

  /** `parent`: one that stays, and may hold other things; all is in a directory of its own there. Else there is a temporary one until {@link remove}. */
  constructor(parent: string | undefined) {
    this.isTemporary = parent === undefined;
    this.#directory = parent === undefined ? temporary() : join(parent, "push-token-registry");
    if (this.isTemporary) process.once("exit", this.#removeAtExit);
  }

  get directory(): string {
    return this.#directory;
  }

  /** The clock that an earlier run left. No server may be running. */
  async read(): Promise<Clock> {
    const clock: Clock = { offsetMs: 0, alarms: [] };
    const text = await readFile(join(this.#directory, "clock.json"), "utf8").catch(() => null);
    if (text !== null) clock.offsetMs = JSON.parse(text).offsetMs;
    for (const [className, objects] of Object.entries(CLASSES)) {
      const file = join(this.#directory, "do", `registry-${className}`, "metadata.sqlite");
      if (existsSync(file)) clock.alarms.push(...(await alarmsIn(file, objects, clock.offsetMs)));
    }
    return clock;
  }

  async keep(offsetMs: number): Promise<void> {
    if (this.isTemporary) return;
    await mkdir(this.#directory, { recursive: true });
    await writeFile(join(this.#directory, "clock.json"), JSON.stringify({ offsetMs }));
  }

  /** Another temporary directory, in place of this one; answers how to remove that. */
  renew(): () => Promise<void> {
    const before = this.#directory;
    this.#directory = temporary();
    return () => rm(before, { recursive: true, force: true });
  }

  /** Everything that a registry put there. No server may be running. */
  async clear(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  async end(): Promise<void> {
    if (!this.isTemporary) return;
    await rm(this.#directory, { recursive: true, force: true });
    process.off("exit", this.#removeAtExit);
  }
}

function temporary(): string {
  return mkdtempSync(join(tmpdir(), "push-token-registry-testing-"));
}

/** workerd has the alarms of a class in a file of its own, by real time, in nanoseconds. */
async function alarmsIn(file: string, objects: string, offsetMs: number): Promise<Clock["alarms"]> {
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(file);
  try {
    const select = database.prepare("SELECT actor_name AS name, scheduled_time / 1000000 AS at FROM _cf_ALARM");
    return select.all().map(({ name, at }) => ({ objects, name: String(name), at: Number(at) + offsetMs }));
  } finally {
    database.close();
  }
}
