// `npm run setup`: from a clone to a registry that is live. Run again, it upgrades, adds a further app, or repairs what failed in the middle;
// keys that are in use stay.
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type App, ConfigError, parseConfig } from "../src/config/apps.ts";
import { check } from "./check-config.ts";
import { deploy } from "./deploy.ts";
import { makeSecrets } from "./keys.ts";
import { CommandError, defineCommand, type Environment, main } from "./lib/command.ts";
import { choice, flag, notHttpUrl, text, UsageError } from "./lib/options.ts";
import type { Output } from "./lib/output.ts";
import { PROJECT } from "./lib/workerd.ts";
import { runWrangler } from "./lib/wrangler.ts";
import { readWranglerConfig } from "./lib/wrangler-config.ts";
import { mustBeWritable } from "./lib/writable.ts";
import { type Ask, answersOf, askTerminal, type Given } from "./setup/answers.ts";
import { addAccount, addApp } from "./setup/app-table.ts";
import { accounts, logIn, secretNames, type Where } from "./setup/cloudflare.ts";
import { becomesHealthy, isDeeplyHealthy } from "./setup/health.ts";
import { KEYS_FILE, type Kept, type KeptKeys, readKept, writeKept, writePrivately } from "./setup/kept-keys.ts";
import { COMMIT_TEXT, keysText, sdkText } from "./setup/report.ts";

export interface SetupOptions extends Given {
  url: string | null;
  yes: boolean;
}

export interface Surroundings {
  /** The directory of the wrangler.toml. */
  project: string;
  env: Environment;
  /** `null` where nobody can be asked. */
  ask: Ask | null;
  output: Output;
}

/** @throws {CommandError} with what to do; the next run goes on from there */
export async function setup(options: SetupOptions, surroundings: Surroundings): Promise<void> {
  const { project, output, ask } = surroundings;
  const toml = join(project, "wrangler.toml");
  await mustBeWritable(project);
  const where = await logInAndChooseAccount(surroundings, toml);
  await addNewApp(options, surroundings, toml);
  await updateTypes(project, toml);
  const { vars, requiredSecrets, name = "" } = await readWranglerConfig({ config: toml });

  const there = await output.during("asking Cloudflare for the Worker", secretNames(where));
  if (there !== null) await refuseForeign({ name, there, requiredSecrets, yes: options.yes, ask });
  const missing = requiredSecrets.filter((secret) => there?.includes(secret) !== true);
  const path = join(project, KEYS_FILE);
  const kept = await keepKeys(path, missing, vars);
  const apps = [...parseConfig(vars).apps].filter(
    (entry): entry is [string, App] => !(entry[1] instanceof ConfigError),
  );
  const targets = await deployWith(missing, kept, where, output);
  try {
    const url = options.url ?? urlOf(apps, targets);
    await mustAnswer(url, apps, kept, output);
    output.say(`\nThe registry is live at ${url}`);
    const added = apps.filter(([appId, app]) => missing.includes(app.secretsName) || appId === options["app-id"]);
    for (const [appId, app] of added.length > 0 ? added : apps) {
      output.say(sdkText({ appId, identity: app.identity, region: app.region }, new URL(url).host));
    }
  } finally {
    await showKeys(path, kept, apps, output);
  }
  output.say(`\n${COMMIT_TEXT}`);
}

/** Once, when the Worker has them: also in the run after one that was killed. */
async function showKeys(path: string, kept: Kept, apps: readonly [string, App][], output: Output): Promise<void> {
  const unseen = apps.flatMap(([appId, { secretsName }]) => {
    const keys = kept[secretsName];
    return keys === undefined || keys.shown === true ? [] : [{ appId, keys }];
  });
  for (const { appId, keys } of unseen) {
    output.say(keysText(appId, keys, KEYS_FILE));
    keys.shown = true;
  }
  if (unseen.length > 0) await writeKept(path, kept);
}

/** Answers where wrangler is to run: as whom, and with which account. */
async function logInAndChooseAccount(surroundings: Surroundings, toml: string): Promise<Where> {
  const { project, env, ask, output } = surroundings;
  const where = { project, env };
  const { accountId } = await readWranglerConfig({ config: toml });
  const isChosen = accountId !== undefined || env.CLOUDFLARE_ACCOUNT_ID !== undefined;
  // A token for one account may not be allowed to ask for more: what a deploy says of it is said then.
  if (isChosen && env.CLOUDFLARE_API_TOKEN !== undefined) return where;
  let all = await output.during("asking Cloudflare who is logged in", accounts(where));
  if (all === null && env.CLOUDFLARE_API_TOKEN === undefined) {
    if (ask === null) {
      throw new CommandError("Nobody is logged in to Cloudflare: run npx wrangler login, or set CLOUDFLARE_API_TOKEN.");
    }
    await logIn(where);
    all = await accounts(where);
  }
  if (isChosen || all === null || all.length < 2) return where;
  const list = all.map(({ id, name }) => `  ${id}  ${name}`).join("\n");
  if (ask === null) {
    throw new CommandError(`There are several accounts: say in CLOUDFLARE_ACCOUNT_ID which one.\n${list}`);
  }
  const id = await ask(`There are several accounts:\n${list}\nThe id of the one`, "");
  if (!all.some((account) => account.id === id)) throw new CommandError(`There is no account ${id}.`);
  await addAccount(toml, id);
  return { project, env: { ...env, CLOUDFLARE_ACCOUNT_ID: id } };
}

/** Adds the app that the options or the answers describe, unless it is there. */
async function addNewApp(options: SetupOptions, { ask, project }: Surroundings, toml: string): Promise<void> {
  const { vars } = await readWranglerConfig({ config: toml });
  const tables = Object.entries(vars).filter(([name]) => name.startsWith("APP_"));
  const there = tables.find(([, app]) => (app as { appId?: unknown }).appId === options["app-id"]);
  if (there !== undefined) refuseOther(options, there);
  const isAgain = options["app-id"] === null && tables.length > 0;
  if (there !== undefined || (isAgain && (ask === null || !(await agreed(ask, "Add a further app? yes or no")))))
    return await mustBeRight(project);
  const app = await answersOf(options, ask);
  if (Object.hasOwn(vars, `APP_${app.name}`)) {
    throw new CommandError(`wrangler.toml has a table APP_${app.name} already: say another --name.`);
  }
  const before = await addApp(toml, app);
  try {
    await mustBeRight(project);
  } catch (error) {
    await writeFile(toml, before);
    throw error;
  }
}

/** An app that is there is changed in its table, by hand: an option that says something else would be overlooked. */
function refuseOther(options: SetupOptions, [name, table]: [string, unknown]): void {
  for (const field of ["region", "identity"] as const) {
    const is = (table as Record<string, unknown>)[field];
    if (options[field] === null || is === undefined || options[field] === is) continue;
    throw new UsageError(`--${field}: [vars.${name}] in wrangler.toml has ${JSON.stringify(is)}; change it there`);
  }
}

async function mustBeRight(project: string): Promise<void> {
  const { problems } = await check({ config: join(project, "wrangler.toml"), forDeploy: true });
  if (problems.length > 0) throw new CommandError(problems.join("\n"));
}

async function agreed(ask: Ask, question: string): Promise<boolean> {
  return /^y(es)?$/i.test(await ask(question, "no"));
}

/** src/env.d.ts names each app and secret; else `npm run check` would find it old. */
async function updateTypes(project: string, toml: string): Promise<void> {
  const { vars, requiredSecrets } = await readWranglerConfig({ config: toml });
  const types = await readFile(join(project, "src/env.d.ts"), "utf8").catch(() => "");
  if ([...Object.keys(vars), ...requiredSecrets].every((name) => types.includes(`\t${name}: `))) return;
  const args = ["types", "src/env.d.ts", "--include-runtime=false", "--strict-vars=false"];
  const { code, out, errors } = await runWrangler(args, { project });
  if (code !== 0) throw new CommandError(`The types could not be written (npm run types):\n${out}${errors}`);
}

interface Found {
  name: string;
  /** Names of the secrets that the Worker has. */
  there: readonly string[];
  requiredSecrets: readonly string[];
  yes: boolean;
  ask: Ask | null;
}

/** wrangler would replace a Worker of that name without a question. */
async function refuseForeign({ name, there, requiredSecrets, yes, ask }: Found): Promise<void> {
  if (yes || requiredSecrets.some((secret) => there.includes(secret))) return;
  const what = `There is a Worker ${name} in this account, and it has none of this configuration's secrets`;
  if (ask !== null && (await agreed(ask, `${what}. Replace it? yes or no`))) return;
  throw new CommandError(
    `${what}. Nothing was deployed. Give this one another name in wrangler.toml, or replace that one with --yes.`,
  );
}

/** The keys of the secrets that are missing, from the file, or made and written there. */
async function keepKeys(path: string, missing: readonly string[], vars: Record<string, unknown>): Promise<Kept> {
  const kept = await readKept(path);
  const toMake = missing.filter((secret) => kept[secret] === undefined);
  for (const secret of toMake) {
    const { value, apiKeys, jwtSecret } = makeSecrets(vars[secret.replace("SECRETS_", "APP_")]);
    const keys: KeptKeys = {
      secret: value,
      apiKeys: Object.fromEntries(apiKeys.map(({ scope, key }) => [scope, key])),
    };
    if (jwtSecret !== undefined) keys.jwtSecret = jwtSecret.secret;
    kept[secret] = keys;
  }
  if (toMake.length > 0) await writeKept(path, kept);
  return kept;
}

/** Deploys with the secrets that are missing, and with no other: an old value in the file never replaces one that was rotated. */
async function deployWith(missing: readonly string[], kept: Kept, where: Where, output: Output): Promise<string[]> {
  const path = join(where.project, `${KEYS_FILE}.new`);
  const args = missing.length === 0 ? [] : ["--secrets-file", path];
  try {
    if (missing.length > 0) {
      const secrets = Object.fromEntries(missing.map((secret) => [secret, kept[secret]?.secret]));
      await writePrivately(path, JSON.stringify(secrets));
    }
    const { targets, lines } = await deploy({ ...where, args });
    for (const line of lines) output.say(line);
    return targets;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(
      `${error.message}\nRun npm run setup again once that is mended: it goes on with the same keys.`,
    );
  } finally {
    await rm(path, { force: true });
  }
}

/** Where the registry is: an app's public host, else what wrangler said. */
function urlOf(apps: readonly [string, App][], targets: readonly string[]): string {
  const publicHost = apps.map(([, app]) => app.publicHost).find((host) => host !== undefined);
  const host =
    publicHost ??
    targets[0]
      ?.replace(/ \(.*\)$/, "")
      .replace(/^https:\/\//, "")
      .replace(/\/.*$/, "");
  if (host !== undefined) return `https://${host}`;
  throw new CommandError(
    "The Worker is deployed, but has no address: add a route, or say --url. Then run npm run setup again.",
  );
}

async function mustAnswer(url: string, apps: readonly [string, App][], kept: Kept, output: Output): Promise<void> {
  if (!(await output.during(`waiting for ${url}/health`, becomesHealthy(url)))) {
    throw new CommandError(
      `The Worker is deployed, but ${url}/health does not answer yet. Run npm run setup again in some minutes.`,
    );
  }
  for (const [appId, app] of apps) {
    const key = kept[app.secretsName]?.apiKeys.fullAccess;
    if (key !== undefined && !(await isDeeplyHealthy(url, appId, key))) {
      throw new CommandError(
        `The Worker answers, but ${url}/health/deep fails for ${appId}: see its log with npx wrangler tail.`,
      );
    }
  }
}

export const command = defineCommand({
  name: "setup",
  summary:
    "Puts the registry on Cloudflare: logs in, writes your app into wrangler.toml, makes its keys, deploys, and waits until it answers. " +
    "Run it again to upgrade, to add an app, or after a failure: keys that are in use stay.",
  options: {
    "app-id": text({ help: "The id of the app to add: what clients send as appId.", placeholder: "ID", default: null }),
    name: text({
      help: "The name of its table: ACME for [vars.APP_ACME].",
      placeholder: "NAME",
      default: null,
      defaultSays: "from the id",
    }),
    region: text({
      help: "The region that its SDKs are set to.",
      placeholder: "REGION",
      default: null,
      defaultSays: "us",
    }),
    identity: choice({
      help: "Who vouches for users. For jwt, write the table by hand (docs/own-login.md), then run this.",
      placeholder: "IDENTITY",
      choices: ["issued", "cometchat"] as const,
      default: null,
    }),
    origins: text({
      help: "Origins of the web pages that may call, with commas.",
      placeholder: "ORIGINS",
      default: null,
      defaultSays: "all",
    }),
    url: text({
      help: "Where the registry will be reached.",
      placeholder: "URL",
      default: null,
      defaultSays: "the app's publicHost, or what wrangler says",
      check: notHttpUrl,
    }),
    yes: flag("Replace a Worker of the same name that is not this one's."),
  },
  examples: ["", "--app-id acme --region eu --origins https://app.acme.example"],
  notes: "Without a terminal nothing is asked: --app-id is needed the first time, and somebody must be logged in.",
  hasJson: false,
  async run(values, { output }) {
    const ask = process.stdin.isTTY === true && process.stdout.isTTY === true ? askTerminal : null;
    await setup(values, { project: PROJECT, env: process.env, ask, output });
    return 0;
  },
});

if (import.meta.main) await main(command);
