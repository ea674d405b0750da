// A wrangler.toml as wrangler reads it, and what is wrong with it in one line.
import { stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { CommandError } from "./command.ts";
import { PROJECT } from "./workerd.ts";

export interface WranglerConfig {
  /** Of the Worker; absent where the file has none. */
  name: string | undefined;
  /** Secrets are not there. */
  vars: Record<string, unknown>;
  requiredSecrets: readonly string[];
  /** Names of the rate-limit bindings. */
  rateLimits: readonly string[];
  accountId: string | undefined;
  /** All of it, to be compared. */
  whole: Record<string, unknown>;
}

/**
 * Reads a wrangler.toml, that of this project by default; `env`: the name of an environment in it.
 * @throws {CommandError} one line that names the file, and the line in it or the field
 */
export async function readWranglerConfig({
  config = join(PROJECT, "wrangler.toml"),
  env,
}: {
  config?: string | undefined;
  env?: string | undefined;
} = {}): Promise<WranglerConfig> {
  const file = await stat(config).catch(() => null);
  if (file?.isFile() !== true) throw new CommandError(`${shortPath(config)}: there is no such file`);
  const { unstable_readConfig } = await import("wrangler");
  try {
    // What wrangler warns of, it says again when it deploys.
    const read = unstable_readConfig({ config, ...(env === undefined ? {} : { env }) }, { hideWarnings: true });
    if (env !== undefined && read.definedEnvironments?.includes(env) !== true) {
      throw new Error(`there is no [env.${env}]; add it, or leave --env away`);
    }
    return {
      name: read.name,
      // Plain objects: wrangler's have no prototype.
      vars: JSON.parse(JSON.stringify(read.vars)),
      requiredSecrets: read.secrets?.required ?? [],
      rateLimits: read.ratelimits.map(({ name }: { name: string }) => name),
      accountId: read.account_id,
      whole: JSON.parse(JSON.stringify(read)),
    };
  } catch (error) {
    throw new CommandError(oneLine(shortPath(config), error));
  }
}

/** Of a file, relative to the working directory where that is shorter. */
export function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") || short === "" ? path : short;
}

function oneLine(file: string, error: unknown): string {
  const { message, location } = error as Error & { location?: { line: number; column: number } };
  if (location !== undefined) {
    return `${file}:${location.line}:${location.column}: is no TOML: ${message.replace(/^Invalid TOML document: /, "")}`;
  }
  const fields = [...message.matchAll(/^ +- (.+)$/gm)].map(([, field]) => field);
  return `${file}: ${fields.length > 0 ? fields.join(" ") : message.replace(/\s+/g, " ")}`;
}
