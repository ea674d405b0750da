// Who may use the console by Cloudflare Access: the var `CONSOLE_ACCESS`. docs/console.md explains the fields.
import * as z from "zod/mini";
import { SETTING_DAYS_MAX } from "../limits.ts";
import { toProblems } from "./apps.ts";
import { choice, hostName, type JwtSettings, nonEmptyText, SCOPES, text } from "./schema.ts";

const accessSchema = z.strictObject({
  /** Such as `acme.cloudflareaccess.com`. */
  teamDomain: hostName,
  /** The audience tag of the Access application, and of no other. */
  audience: text(/^[0-9a-f]{64}$/, "64 lower-case hex digits"),
  /** A person may stand here once per app. */
  people: z.array(z.strictObject({ email: nonEmptyText, app: nonEmptyText, scope: choice(SCOPES) })),
});

export type Person = z.infer<typeof accessSchema>["people"][number];

/** `problems` name the field, never a value. */
export interface ConsoleAccess {
  people: Person[];
  /** What an application token of Access must be: developers.cloudflare.com/cloudflare-one, "Validate JWTs", "Application token". */
  jwt: JwtSettings;
  problems: string[];
}

const read = new WeakMap<object, ConsoleAccess>();

/** As the deployment says it, read once per isolate; `null` where there is no such way, or no console. */
export function consoleAccess(env: object): ConsoleAccess | null {
  const { CONSOLE, CONSOLE_ACCESS } = env as Record<string, unknown>;
  if (CONSOLE !== "true" || CONSOLE_ACCESS === undefined) return null;
  let access = read.get(env);
  if (access === undefined) {
    access = parseConsoleAccess(CONSOLE_ACCESS);
    read.set(env, access);
  }
  return access;
}

/** Never throws. */
export function parseConsoleAccess(value: unknown): ConsoleAccess {
  const { data, error } = accessSchema.safeParse(value);
  const { teamDomain, audience, people } = data ?? { teamDomain: "", audience: "", people: [] };
  const issuer = `https://${teamDomain}`;
  return {
    people,
    jwt: {
      algorithms: ["RS256"],
      issuer,
      audience,
      jwksUrl: `${issuer}/cdn-cgi/access/certs`,
      uidClaim: "email",
      sessionClaim: "email",
      // Access itself says when a login ends, in `exp`.
      maximumSessionDays: SETTING_DAYS_MAX,
      clockToleranceSeconds: 0,
      secrets: [],
    },
    problems: toProblems("CONSOLE_ACCESS", error),
  };
}
