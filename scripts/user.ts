// `npm run user`: what a user is called in the places that hold no uid: names of objects, and lines of the log. Computed here;
// no server is asked.
import { join } from "node:path";
import { type App, ConfigError, parseConfig } from "../src/config/apps.ts";
import { lowerAscii } from "../src/domain/uids.ts";
import { shortUser, userHash, userTokensName } from "../src/durable/names.ts";
import * as schemas from "../src/http/schemas.ts";
import { uidOf } from "../src/http/uids.ts";
import { CommandError, defineCommand, main } from "./lib/command.ts";
import { choice, text, UsageError } from "./lib/options.ts";
import { PROJECT } from "./lib/workerd.ts";
import { readWranglerConfig } from "./lib/wrangler-config.ts";

export interface UserNames {
  appId: string;
  /** The form under which the app's user has an object. */
  uid: string;
  /** Name of the UserTokens object. */
  userTokens: string;
  /** `user` in lines of the log. */
  logged: string;
}

/** The names of a user; `uid` in the form that the app keeps it in. */
export async function namesOf(appId: string, uid: string): Promise<UserNames> {
  const hash = await userHash(appId, uid);
  return { appId, uid, userTokens: userTokensName(appId, hash), logged: shortUser(hash) };
}

export const command = defineCommand({
  name: "user",
  summary:
    "Prints what a user is called where no uid stands: the name of the user's object, as the dashboard and Data Studio want it, and " +
    "the short hash in lines of the log. Computed here; no server is asked.",
  operands: { placeholder: "UID", help: "The user's id, as your back end writes it.", min: 1, max: 1 },
  options: {
    "app-id": text({
      help: "The app's id.",
      placeholder: "ID",
      default: null,
      defaultSays: "every app of wrangler.toml",
      env: "REGISTRY_APP_ID",
    }),
    "uid-case": choice({
      help: "Whether alice and ALICE are one user. Needed only for an app that wrangler.toml does not have: for others its identity says so.",
      placeholder: "CASE",
      choices: ["sensitive", "insensitive"] as const,
      default: null,
    }),
    config: text({ help: "The file with the apps.", placeholder: "FILE", default: null, defaultSays: "wrangler.toml" }),
    env: text({ help: "The environment in it.", placeholder: "NAME", default: null, defaultSays: "the top level" }),
  },
  examples: ["alice", "alice --app-id acme", "Alice --app-id elsewhere --uid-case insensitive --json"],
  hasJson: true,
  async run({ "app-id": appId, "uid-case": uidCase, config, env }, { output, operands: [given = ""] }) {
    const apps = await configuredApps(config ?? join(PROJECT, "wrangler.toml"), env);
    const users = await usersOf(given, { apps, appId, uidCase });
    output.result(users, () => {
      for (const { appId: id, uid, userTokens, logged } of users) {
        output.say(`app ${id}, user ${uid}`);
        output.say(`  UserTokens object  ${userTokens}`);
        output.say(`  user in the log    ${logged}`);
      }
    });
    return 0;
  },
});

interface Which {
  apps: ReadonlyMap<string, App | ConfigError>;
  appId: string | null;
  uidCase: "sensitive" | "insensitive" | null;
}

/** The user in the app of that id, or in every app. */
async function usersOf(given: string, { apps, appId, uidCase }: Which): Promise<UserNames[]> {
  if (appId === null && uidCase !== null) throw new UsageError("--uid-case needs --app-id");
  const ids = appId === null ? [...apps.keys()] : [appId];
  if (ids.length === 0) throw new CommandError("wrangler.toml has no app: say --app-id");
  return await Promise.all(
    ids.map(async (id) => {
      const app = apps.get(id);
      if (app instanceof ConfigError) throw new CommandError(`${app.problems.join("\n")}\nSee npm run check:config.`);
      if (app === undefined || uidCase !== null) return await namesOf(id, formOf(given, uidCase ?? "sensitive"));
      return namesOf(
        id,
        refusing(() => uidOf(app, given)),
      );
    }),
  );
}

function formOf(given: string, uidCase: "sensitive" | "insensitive"): string {
  const problem = schemas.uid.safeParse(given).error?.issues[0]?.message;
  if (problem !== undefined) throw new UsageError(`UID ${problem}`);
  return uidCase === "insensitive" ? lowerAscii(given) : given;
}

/** What `read` refuses was misused here. */
function refusing(read: () => string): string {
  try {
    return read();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function configuredApps(config: string, env: string | null): Promise<ReadonlyMap<string, App | ConfigError>> {
  const { vars } = await readWranglerConfig({ config, env: env ?? undefined });
  return parseConfig(vars).apps;
}

if (import.meta.main) await main(command);
