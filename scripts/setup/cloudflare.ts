// What setup asks Cloudflare, by wrangler: who is logged in, to which account, and what is there under the Worker's name.
import { CommandError, type Environment } from "../lib/command.ts";
import { runWrangler } from "../lib/wrangler.ts";

export interface Account {
  id: string;
  name: string;
}

export interface Where {
  project: string;
  env: Environment;
}

/** The accounts of whoever is logged in; `null` if nobody is. */
export async function accounts({ project, env }: Where): Promise<Account[] | null> {
  const { out } = await runWrangler(["whoami", "--json"], { project, env });
  try {
    const { loggedIn, accounts: all = [] } = JSON.parse(out.slice(out.indexOf("{")));
    return loggedIn === true ? all : null;
  } catch {
    return null;
  }
}

/** In the browser, as wrangler does it. */
export async function logIn({ project, env }: Where): Promise<void> {
  const { code } = await runWrangler(["login"], { project, env, talks: true });
  if (code !== 0) throw new CommandError("Nobody is logged in to Cloudflare. Run npm run setup again.");
}

/** The names of the Worker's secrets; `null` if there is no such Worker. @throws {CommandError} with wrangler's words */
export async function secretNames({ project, env }: Where): Promise<string[] | null> {
  const { code, out, errors } = await runWrangler(["secret", "list"], { project, env });
  if (code === 0) return JSON.parse(out.slice(out.indexOf("["))).map(({ name }: { name: string }) => name);
  if (/Worker ".*" not found/.test(errors)) return null;
  throw new CommandError(`Cloudflare does not say which secrets the Worker has.\n${plain(errors)}`);
}

/** wrangler's message without colours and the path of its own log. */
function plain(text: string): string {
  return text
    .replace(new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g"), "")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.includes("Logs were written to"))
    .join("\n");
}
