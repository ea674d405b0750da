// What setup has to know of a new app: from options, or asked where somebody sits at a terminal.
import { parseConfig } from "../../src/config/apps.ts";
import { DEMO_APP, IS_DEMO } from "../demo.ts";
import { ask } from "../lib/ask.ts";
import { UsageError } from "../lib/options.ts";
import type { NewApp } from "./app-table.ts";

/** Asks for a line; an empty one is the default. */
export type Ask = (question: string, byDefault: string) => Promise<string>;

export interface Given {
  name: string | null;
  "app-id": string | null;
  region: string | null;
  identity: "issued" | "cometchat" | null;
  origins: string | null;
}

/** Asks on the terminal. */
export const askTerminal: Ask = async (question, byDefault) => {
  const shown = `${question}${byDefault === "" ? "" : ` [${byDefault}]`}: `;
  const answer = await ask(shown, { input: process.stdin, output: process.stdout });
  return answer.trim() === "" ? byDefault : answer.trim();
};

/** @throws {UsageError} that names the option of what is missing or cannot be meant */
export async function answersOf(given: Given, ask: Ask | null): Promise<NewApp> {
  const answer = async (value: string | null, question: string, byDefault: string) =>
    value ?? (ask === null ? byDefault : await ask(question, byDefault));
  const appId = await answer(given["app-id"], "The app's id, which clients send as appId", "");
  if (appId === "") throw new UsageError("--app-id is needed: what clients send as appId");
  if (appId === DEMO_APP.appId) throw new UsageError(`--app-id: ${IS_DEMO}`);
  const region = await answer(given.region, "The region that its SDKs are set to", "us");
  const identity = await answer(given.identity, "Who vouches for users: issued, cometchat, or jwt", "issued");
  if (identity === "jwt") {
    throw new UsageError(
      "--identity: jwt needs a table of its own; write it into wrangler.toml as docs/own-login.md says, and run setup without --app-id",
    );
  }
  if (identity !== "issued" && identity !== "cometchat") throw new UsageError("--identity must be issued or cometchat");
  const origins = await answer(given.origins, "Origins of web pages that may call, with commas; none for all", "");
  const name = given.name ?? appId.toUpperCase().replace(/[^A-Z0-9]/g, "_");
  if (!/^[A-Z0-9_]+$/.test(name)) throw new UsageError("--name must be like ACME, of capitals, digits and _");
  const app = { name, appId, region, identity, allowedOrigins: list(origins) } as const;
  refuseWrong(app);
  return app;
}

function list(origins: string): string[] {
  return origins
    .split(",")
    .map((origin) => origin.trim())
    .filter((origin) => origin !== "");
}

const OPTIONS: Record<string, string> = { appId: "--app-id", allowedOrigins: "--origins" };

/** As the Worker itself would. */
function refuseWrong({ name: _, ...table }: NewApp): void {
  const parsed = [...parseConfig({ APP_NEW: table }).apps.values()][0];
  if (!(parsed instanceof Error)) return;
  const [problem = ""] = parsed.problems;
  const [, field = "", says = problem] = problem.match(/^APP_NEW\.(\w+)[^:]*: (.*)$/) ?? [];
  throw new UsageError(`${OPTIONS[field] ?? `--${field}`} ${says}`);
}
