// Writes an app into wrangler.toml: a change of its text, so that comments and everything else stay as they are. The file is read again
// and compared; if it does not say what it should, the text of before is put back.
import { readFile, writeFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { CommandError } from "../lib/command.ts";
import { readWranglerConfig, type WranglerConfig } from "../lib/wrangler-config.ts";

export interface NewApp {
  /** Of its var, without the prefix: `ACME`. */
  name: string;
  appId: string;
  region: string;
  identity: "issued" | "cometchat";
  allowedOrigins: readonly string[];
}

/** The name of the Worker, and with it its host name, as long as no app has chosen a region. */
const DEFAULT_NAME = /^name = "push-notification-[a-z0-9-]+"$/m;

/** The table of an app, as text. */
export function tableOf({ name, appId, region, identity, allowedOrigins }: NewApp): string {
  const origins = allowedOrigins.length === 0 ? [] : [`allowedOrigins = ${JSON.stringify(allowedOrigins)}`];
  return [
    `[vars.APP_${name}]`,
    `appId = ${JSON.stringify(appId)}`,
    `region = ${JSON.stringify(region)}`,
    `identity = ${JSON.stringify(identity)}`,
    ...origins,
    "",
  ].join("\n");
}

/** Answers the text of before, for whoever has to put it back. @throws {CommandError} and leaves the file as it was */
export async function addApp(file: string, app: NewApp): Promise<string> {
  const before = await readFile(file, "utf8");
  const old = await readWranglerConfig({ config: file });
  const isFirst = !Object.keys(old.vars).some((name) => name.startsWith("APP_"));
  const name = `push-notification-${app.region}`;
  const named = isFirst ? before.replace(DEFAULT_NAME, `name = "${name}"`) : before;
  const renames = isFirst && DEFAULT_NAME.test(before);
  await writeFile(file, withApp(named, app));
  const is = await readWranglerConfig({ config: file }).catch(() => null);
  if (is !== null && isDeepStrictEqual(is.whole, expected(old, app, renames ? name : undefined))) return before;
  await writeFile(file, before);
  throw new CommandError(
    `wrangler.toml is not written as expected, so it was left as it is. Add this by hand, and run npm run setup again:\n\n` +
      `${tableOf(app)}\n[secrets]\nrequired = ${JSON.stringify([...old.requiredSecrets, `SECRETS_${app.name}`])}`,
  );
}

/** Writes the account into the file, so that later deploys go there too. */
export async function addAccount(file: string, accountId: string): Promise<void> {
  const before = await readFile(file, "utf8");
  await writeFile(file, before.replace(/^name = .*$/m, `$&\naccount_id = ${JSON.stringify(accountId)}`));
  const is = await readWranglerConfig({ config: file }).catch(() => null);
  if (is?.accountId === accountId) return;
  await writeFile(file, before);
  throw new CommandError(`Add account_id = "${accountId}" to wrangler.toml by hand, and run npm run setup again.`);
}

function withApp(toml: string, app: NewApp): string {
  const secret = JSON.stringify(`SECRETS_${app.name}`);
  const list = /^(\[secrets\][^[]*?^required = \[)([^\]]*)\]/m;
  const listed = toml.match(list);
  const withSecret =
    listed === null
      ? `${toml.trimEnd()}\n\n[secrets]\nrequired = [${secret}]\n`
      : toml.replace(list, (_, start, names: string) => {
          const others = names.trim().replace(/,$/, "");
          return `${start}${others === "" ? secret : `${others}, ${secret}`}]`;
        });
  return `${withSecret.trimEnd()}\n\n${tableOf(app)}`;
}

/** The old configuration and the app, and nothing else. */
function expected(old: WranglerConfig, app: NewApp, name: string | undefined): Record<string, unknown> {
  const { appId, region, identity, allowedOrigins } = app;
  const table = { appId, region, identity, ...(allowedOrigins.length === 0 ? {} : { allowedOrigins }) };
  const renamed = name === undefined ? {} : { name, topLevelName: name };
  return {
    ...old.whole,
    ...renamed,
    vars: { ...old.vars, [`APP_${app.name}`]: table },
    secrets: { ...(old.whole.secrets as object), required: [...old.requiredSecrets, `SECRETS_${app.name}`] },
  };
}
