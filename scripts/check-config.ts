// `npm run check:config`: whether the apps in wrangler.toml are configured as the Worker wants them, before a deploy.
// `npm run deploy` records after a deploy, in deployed.json, what must not change unnoticed.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { type App, ConfigError, parseConfig } from "../src/config/apps.ts";
import { parseConsoleAccess } from "../src/config/console-access.ts";
import { lowerAscii } from "../src/domain/uids.ts";
import { DEMO_APP, IS_DEMO } from "./demo.ts";
import { CommandError, defineCommand, main } from "./lib/command.ts";
import { flag, text } from "./lib/options.ts";
import { PROJECT } from "./lib/workerd.ts";
import { readWranglerConfig, shortPath } from "./lib/wrangler-config.ts";

/** Settings that say which rows count as whose: a change needs a decision, which the app declares. */
const DECLARED = [
  { field: "policy", declaration: "policyChangedFrom", read: '"Changing the policy" in docs/apps.md' },
  { field: "fcmInstallations", declaration: "fcmInstallationsChangedFrom", read: "docs/fcm.md" },
] as const;

const DAY_SECONDS = 86_400;

/** The directory's objects, as far as another value means others. */
type DirectoryOf = Pick<App["directory"], "objects" | "epoch">;

type DeclaredSettings = Pick<App, (typeof DECLARED)[number]["field"]>;

/** What of an app must not change unnoticed, by appId, as it was last deployed. */
export type Deployed = Record<
  string,
  Partial<DeclaredSettings & Pick<App, "uidCase"> & { sessions: string; directory: DirectoryOf }> & {
    jurisdiction: string | null;
  }
>;

export interface Configuration {
  /** As wrangler.toml has them; secrets are not there. */
  vars: Record<string, unknown>;
  requiredSecrets: readonly string[];
  /** Names of the rate-limit bindings. */
  rateLimits: readonly string[];
  deployed: Deployed;
}

/** The default classes may be left out: then there is no such limit. */
const DEFAULT_CLASSES = ["IP", "SESSION", "KEY", "UNVERIFIED", "none"];

/** What is wrong, a line each. */
export function problemsOf({ vars, requiredSecrets, rateLimits, deployed }: Configuration): string[] {
  const config = parseConfig(vars);
  const names = Object.keys(vars).filter((name) => name.startsWith("APP_"));
  const problems = [...config.problems];
  if (vars.DEVELOPMENT !== undefined) problems.push("[vars].DEVELOPMENT: is for npm start only");
  for (const [appId, app] of config.apps) {
    const name = nameOf(vars, appId);
    if (app instanceof ConfigError) {
      problems.push(...app.problems);
      continue;
    }
    for (const [limit, rateClass] of Object.entries(app.rateLimits)) {
      if (!DEFAULT_CLASSES.includes(rateClass) && !rateLimits.includes(`RATE_LIMIT_${rateClass}`)) {
        problems.push(`${name}.rateLimits.${limit}: there is no [[ratelimits]] with the name RATE_LIMIT_${rateClass}`);
      }
    }
    if (appId === DEMO_APP.appId) problems.push(`${name}.appId: ${IS_DEMO}`);
    problems.push(...changesOf(name, app, deployed[appId]));
  }
  problems.push(...accessProblems(vars, [...config.apps.keys()]));
  for (const name of names) {
    const secret = name.replace("APP_", "SECRETS_");
    if (!requiredSecrets.includes(secret)) {
      problems.push(`[secrets].required: must hold "${secret}", so that a deploy without it is refused`);
    }
  }
  for (const secret of requiredSecrets.filter((each) => each.startsWith("SECRETS_"))) {
    if (!names.includes(secret.replace("SECRETS_", "APP_"))) {
      problems.push(`[secrets].required: "${secret}" is of no app; take it out, or add [vars.APP_…]`);
    }
  }
  return problems;
}

/** Who may use the console by Cloudflare Access. */
function accessProblems({ CONSOLE, CONSOLE_ACCESS }: Record<string, unknown>, apps: readonly string[]): string[] {
  if (CONSOLE_ACCESS === undefined) return [];
  const { people, problems } = parseConsoleAccess(CONSOLE_ACCESS);
  if (CONSOLE !== "true") problems.push('CONSOLE_ACCESS: needs CONSOLE = "true"');
  const seen = new Set<string>();
  for (const [index, { email, app }] of people.entries()) {
    if (!apps.includes(app)) problems.push(`CONSOLE_ACCESS.people[${index}].app: there is no app "${app}"`);
    const entry = `${lowerAscii(email)} ${app}`;
    if (seen.has(entry)) problems.push(`CONSOLE_ACCESS.people[${index}]: stands there twice for one app`);
    seen.add(entry);
  }
  return problems;
}

const NO_APP = "wrangler.toml has no app yet: npm run setup adds one and deploys it.";

/** Changes that need a decision, or would be the loss of all data. */
function changesOf(name: string, app: App, before: Deployed[string] | undefined): string[] {
  if (before === undefined) return [];
  const problems: string[] = [];
  for (const { field, declaration, read } of DECLARED) {
    const [was, is] = [JSON.stringify(before[field]), JSON.stringify(app[field])];
    // A record of before the setting existed holds none: then it had its default.
    if (was === undefined || was === is || JSON.stringify(app[declaration]) === was) continue;
    problems.push(
      `${name}.${field}: ${was} is deployed; read ${read}, and declare ${declaration} = ${was} to change it to ${is}`,
    );
  }
  const [was, is] = [before.sessions, sessionsOf(app)];
  if (was !== undefined && app.sessionsChangedFrom !== was && bringsBack(was, is)) {
    problems.push(
      `${name}: "${was}" is deployed as what a session is; with "${is}", sessions that ended may come back: read "What a session is" ` +
        `in docs/apps.md, and declare sessionsChangedFrom = "${was}"`,
    );
  }
  if (before.uidCase !== undefined && before.uidCase !== app.uidCase) {
    problems.push(
      `${name}.uidCase: "${before.uidCase}" is deployed; with another, users would have new objects without their logouts`,
    );
  }
  problems.push(...directoryChanges(`${name}.directory`, app.directory, before.directory));
  const jurisdiction = app.jurisdiction ?? null;
  if (before.jurisdiction !== jurisdiction) {
    problems.push(
      `${name}.jurisdiction: ${before.jurisdiction ?? "none"} is deployed; elsewhere all objects of the app would be new and empty`,
    );
  }
  return problems;
}

/** What names a user and a session, and how many seconds the longest session lasts. */
function sessionsOf(app: App): string {
  switch (app.identity) {
    case "issued":
      return `issued ${app.authTokens.maximumSeconds}`;
    case "jwt":
      return `jwt ${app.jwt.uidClaim} ${app.jwt.sessionClaim} ${app.jwt.maximumSessionDays * DAY_SECONDS}`;
    case "cometchat":
      return "cometchat";
  }
}

/**
 * Whether auth tokens may then act whose session has ended, and whose mark is under another name or gone. Minted ones keep the life
 * that they were given; those of an own login get the life that the setting of now allows.
 */
function bringsBack(was: string, is: string): boolean {
  const [before, after] = [was, is].map((rule) => /^(.*?)(?: ([\d.]+))?$/.exec(rule) ?? []);
  if (before?.[1] !== after?.[1]) return true;
  const [from, to] = [Number(before?.[2]), Number(after?.[2])];
  return is.startsWith("jwt") ? to > from : to < from;
}

/** Another number or epoch are other objects, and empty ones: they know nobody until they were filled. */
function directoryChanges(name: string, is: App["directory"], was: DirectoryOf | undefined): string[] {
  if (was === undefined || (was.objects === is.objects && was.epoch === is.epoch)) return [];
  const problems: string[] = [];
  if (is.epoch <= was.epoch) {
    const why = is.objects === was.objects ? "an epoch never returns" : `objects = ${was.objects} is deployed`;
    problems.push(`${name}.epoch: must be above ${was.epoch}, which is deployed: ${why}`);
  }
  if (is.complete) {
    problems.push(
      `${name}.complete: must be false until \`npm run directory -- --rebuild\` has ended: the new objects know nobody`,
    );
  }
  return problems;
}

function nameOf(vars: Record<string, unknown>, appId: string): string {
  const entry = Object.entries(vars).find(
    ([name, value]) => name.startsWith("APP_") && (value as { appId?: unknown }).appId === appId,
  );
  return entry?.[0] ?? appId;
}

/** What `--record` writes. */
export function toDeployed(vars: Record<string, unknown>): Deployed {
  const apps = [...parseConfig(vars).apps].filter(
    (entry): entry is [string, App] => !(entry[1] instanceof ConfigError),
  );
  return Object.fromEntries(
    apps
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([appId, app]) => {
        const { policy, fcmInstallations, uidCase, jurisdiction = null } = app;
        const { objects, epoch } = app.directory;
        const sessions = sessionsOf(app);
        return [appId, { policy, fcmInstallations, uidCase, sessions, directory: { objects, epoch }, jurisdiction }];
      }),
  );
}

export interface CheckResult {
  problems: string[];
  /** What to tell where nothing is wrong. */
  lines: string[];
}

/**
 * Checks a wrangler.toml, and with `record` notes what is deployed if nothing is wrong.
 * `config`: its path, that of this project by default; `env`: the name of an environment in it; `forDeploy`: whether there must be an app.
 */
export async function check({
  config = join(PROJECT, "wrangler.toml"),
  env,
  record = false,
  forDeploy = record,
}: {
  config?: string;
  env?: string | undefined;
  record?: boolean;
  forDeploy?: boolean;
}): Promise<CheckResult> {
  const { vars, requiredSecrets, rateLimits } = await readWranglerConfig({ config, env });
  const file = join(config, env === undefined ? "../deployed.json" : `../deployed.${env}.json`);
  const problems = problemsOf({ vars, requiredSecrets, rateLimits, deployed: await readDeployed(file) });
  if (forDeploy && !Object.keys(vars).some((name) => name.startsWith("APP_"))) problems.push(NO_APP);
  if (problems.length > 0) return { problems, lines: [] };
  const lines = [...parseConfig(vars).apps].map(([appId, app]) => {
    const name = nameOf(vars, appId);
    const { identity, policy } = app as App;
    const secret = name.replace("APP_", "SECRETS_");
    return `${name}: app "${appId}", identity ${identity}, policy ${policy}; its secret is ${secret}`;
  });
  if (lines.length === 0) lines.push(NO_APP);
  if (record) {
    await writeFile(file, `${JSON.stringify(toDeployed(vars), null, 2)}\n`);
    lines.push(`Noted in ${shortPath(file)}: commit it.`);
  }
  return { problems, lines };
}

const recordSchema = z.record(
  z.string(),
  z.looseObject({
    policy: z.optional(z.enum(["exclusive", "shared"])),
    fcmInstallations: z.optional(z.boolean()),
    uidCase: z.optional(z.enum(["sensitive", "insensitive"])),
    sessions: z.optional(z.string()),
    jurisdiction: z.nullable(z.string()),
  }),
);

async function readDeployed(file: string): Promise<Deployed> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
  const where = `${shortPath(file)}: is not what npm run deploy noted`;
  const repair = "take the last committed one: git checkout";
  try {
    return recordSchema.parse(JSON.parse(text)) as Deployed;
  } catch (error) {
    const path = error instanceof z.core.$ZodError ? `, at ${error.issues[0]?.path.join(".")}` : " (no JSON)";
    throw new CommandError(`${where}${path}; ${repair} ${shortPath(file)}`);
  }
}

export const command = defineCommand({
  name: "check:config",
  summary: "Says whether the apps in wrangler.toml are configured as the Worker wants them, before a deploy.",
  options: {
    config: text({ help: "The file.", placeholder: "FILE", default: null, defaultSays: "wrangler.toml" }),
    env: text({ help: "The environment in it.", placeholder: "NAME", default: null, defaultSays: "the top level" }),
    record: flag("Note in deployed.json what must not change unnoticed; `npm run deploy` does it after a deploy."),
  },
  examples: ["", "--env staging"],
  notes: "Exit code 1: something is wrong; each line names the app's var and the field.",
  hasJson: true,
  async run({ config, env, record }, { output }) {
    const result = await check({ record, ...(config === null ? {} : { config }), ...(env === null ? {} : { env }) });
    output.result(result, () => {
      for (const problem of result.problems) console.error(problem);
      for (const line of result.lines) output.say(line);
    });
    return result.problems.length === 0 ? 0 : 1;
  },
});

if (import.meta.main) await main(command);
