// The token fields of a body: which tokens they name, and what the operator is told of a build that names none.
import type { Context } from "hono";
import { KIND_NAMES, KINDS, type Kind, type TokenField } from "../domain/kinds.ts";
import type { AppEnv } from "../http/context.ts";
import { invalid } from "../http/errors.ts";
import { type Given, givenValue, problemsOf, wordOf } from "../http/given.ts";
import { flagOf, header } from "../http/request.ts";
import { hourly, log } from "../log.ts";
import { countWord } from "../metrics.ts";

type TokenFields = { [F in TokenField]?: Given<string> | undefined };

const FIELD_NAMES = KIND_NAMES.map((kind) => KINDS[kind].field);
const NONE_NAMED = `The body field must hold at least one of ${FIELD_NAMES.slice(0, -1).join(", ")} and ${FIELD_NAMES.at(-1)}.`;

/**
 * The tokens that the fields of a `/v2/tokens` body name, one per kind.
 * @throws {ApiError} 400 that says what each field holds instead, if none names a token
 */
export function tokensOf(c: Context<AppEnv>, fields: TokenFields): { kind: Kind; token: string }[] {
  noteWords(c, fields);
  const tokens = KIND_NAMES.flatMap((kind) => {
    const token = givenValue(fields[KINDS[kind].field]);
    return token === undefined ? [] : [{ kind, token }];
  });
  if (tokens.length > 0) return tokens;
  const problems = problemsOf(fields);
  throw invalid(Object.keys(problems).length > 0 ? problems : { body: [NONE_NAMED] });
}

/**
 * Tells the operator that a build of the app sends words like `null` in place of tokens: counts each, and names one per
 * app and hour. Such a build would otherwise be seen only in pushes that do not arrive.
 */
export function noteWords(c: Context<AppEnv>, fields: Readonly<Record<string, Given<unknown> | undefined>>): void {
  for (const [field, given] of Object.entries(fields)) {
    const word = wordOf(given);
    if (word === undefined) continue;
    const { appId } = c.var.app;
    countWord(c.env, appId, field);
    hourly(`word:${appId}`, () => {
      const sdk = header(c, "sdk")?.slice(0, 64);
      log.warn("an app sends a word in place of a token", { app: appId, field, word, sdk });
    });
  }
}

/**
 * Whether a removal means all of the user's tokens. `all` counts in the query too: some HTTP clients cannot send a body
 * with DELETE.
 * @throws {ApiError} 400 if it is neither true nor false, or the two places contradict each other
 */
export function isAll(c: Context<AppEnv>, inBody?: boolean | null): boolean {
  const given = flagOf(c, "all");
  const said = new Set([given, inBody].filter((value) => typeof value === "boolean"));
  if (said.size > 1) throw invalid({ all: ["The all field is both true and false: in the query and in the body."] });
  return said.has(true);
}
