// The keys that setup makes, kept in a file that git ignores and only its owner may read. They are there before anything is sent, so that a run
// that failed in the middle is repeated with the same keys.
import { chmod, readFile, rename, writeFile } from "node:fs/promises";
import { CommandError } from "../lib/command.ts";
import { shortPath } from "../lib/wrangler-config.ts";

/** In the project's directory. */
export const KEYS_FILE = ".secrets.json";

const OWNER_ONLY = 0o600;

export interface KeptKeys {
  /** The value of the Worker secret: JSON text. */
  secret: string;
  /** What callers send, by scope. */
  apiKeys: Record<string, string>;
  /** For the login that signs the app's JWTs, where it shares a secret. */
  jwtSecret?: string;
  /** Whether they were printed. */
  shown?: boolean;
}

/** By the name of the secret: `SECRETS_ACME`. */
export type Kept = Record<string, KeptKeys>;

/** Nothing where there is no file. @throws {CommandError} if it holds something else */
export async function readKept(path: string): Promise<Kept> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    // Never the message of the parser: it cites the text.
    throw new CommandError(
      `${shortPath(path)} cannot be read as JSON: repair it, or put it away if no key in it is in use.`,
    );
  }
}

/** Replaces the file as a whole: a run that is killed leaves the old one or the new one. */
export async function writeKept(path: string, kept: Kept): Promise<void> {
  await writePrivately(`${path}.new`, `${JSON.stringify(kept, null, 2)}\n`);
  await rename(`${path}.new`, path);
}

/** A file of mode 0600, also where one of another mode was there. */
export async function writePrivately(path: string, text: string): Promise<void> {
  await writeFile(path, "", { mode: OWNER_ONLY });
  await chmod(path, OWNER_ONLY);
  await writeFile(path, text);
}
