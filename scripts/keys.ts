// `npm run keys`: makes the secrets of an app. Keys are shown once, here, and are written nowhere; the Worker gets the
// signing key and only the SHA-256 of the API keys.
import { createHash, randomBytes } from "node:crypto";
import { SCOPES, type Scope } from "../src/config/apps.ts";
import { defineCommand, main } from "./lib/command.ts";
import { choice, flag, shown, UsageError } from "./lib/options.ts";
import { readWranglerConfig } from "./lib/wrangler-config.ts";

export interface NewApiKey {
  scope: Scope;
  /** What the caller sends as `apikey`. */
  key: string;
  entry: { name: string; scope: Scope; sha256: string };
}

/** An API key of 256 random bits. Its prefix says what it is, for whoever finds it. */
export function makeApiKey(scope: Scope, today = new Date()): NewApiKey {
  const key = `ptr_${scope}_${randomBytes(32).toString("base64url")}`;
  const sha256 = createHash("sha256").update(key).digest("hex");
  return { scope, key, entry: { name: `${scope}-${nameSuffix(today)}`, scope, sha256 } };
}

export function makeSigningKey(today = new Date()): { kid: string; secret: string } {
  return { kid: nameSuffix(today), secret: randomBytes(32).toString("base64url") };
}

/** A secret that an app's own login shares with this server, to sign JWTs by HS256. */
export function makeJwtSecret(today = new Date()): { kid: string; secret: string } {
  return { kid: nameSuffix(today), secret: randomBytes(32).toString("base64url") };
}

export interface NewSecrets {
  /** What the Worker gets, as JSON text. */
  value: string;
  apiKeys: NewApiKey[];
  /** Only where the app takes JWTs by a shared secret. */
  jwtSecret?: { kid: string; secret: string };
}

/** All secrets of an app; `app`: its table, if there is one. */
export function makeSecrets(app: unknown): NewSecrets {
  const apiKeys = SCOPES.map((scope) => makeApiKey(scope));
  const value = { signingKeys: [makeSigningKey()], apiKeys: apiKeys.map(({ entry }) => entry) };
  if (!sharesSecret(app)) return { value: JSON.stringify(value), apiKeys };
  const jwtSecret = makeJwtSecret();
  return { value: JSON.stringify({ ...value, jwtSecrets: [jwtSecret] }), apiKeys, jwtSecret };
}

function sharesSecret(app: unknown): boolean {
  const { algorithms } = (app as { jwt?: { algorithms?: unknown } } | undefined)?.jwt ?? {};
  return Array.isArray(algorithms) && algorithms.includes("HS256");
}

/** The day, and four digits so that two keys of one day have two names. */
function nameSuffix(today: Date): string {
  return `${today.toISOString().slice(0, 10)}-${randomBytes(2).toString("hex")}`;
}

function printAll(secret: string, app: unknown): void {
  const { value, apiKeys, jwtSecret } = makeSecrets(app);
  const keys = apiKeys.map(({ scope, key }) => `  ${scope.padEnd(10)} ${key}`);
  const shared =
    jwtSecret === undefined
      ? []
      : [`  jwtSecret  ${jwtSecret.secret} (kid ${jwtSecret.kid}): your login signs with it`];
  console.log(`Keys, shown only now. Give each back end the one that it needs:

${[...keys, ...shared].join("\n")}

The value of the Worker secret ${secret}. Keep it where you keep secrets. A new app gets its own by npm run setup; to replace all keys
of an app that is deployed, paste it into \`npx wrangler secret put ${secret}\`:

${value}
`);
}

function printApiKey(secret: string, scope: Scope): void {
  const { key, entry } = makeApiKey(scope);
  console.log(`A new API key, shown only now:

  ${scope.padEnd(10)} ${key}

Add this to "apiKeys" in ${secret}, beside the old one:

${JSON.stringify(entry)}
`);
}

function printSigningKey(secret: string): void {
  console.log(`Put this last in "signingKeys" of ${secret}, and first some minutes later (docs/apps.md, Rotating keys):

${JSON.stringify(makeSigningKey())}
`);
}

function printJwtSecret(secret: string): void {
  const made = makeJwtSecret();
  console.log(`Add this to "jwtSecrets" of ${secret}, beside the old one, and let your login sign with it then:

${JSON.stringify(made)}
`);
}

export const command = defineCommand({
  name: "keys",
  summary:
    "Makes the secrets of an app: a signing key, an API key of each scope, and what its own login shares with it; or one more of " +
    "them. Nothing is stored: what is printed is all there is. For a new app, npm run setup does it.",
  operands: { placeholder: "NAME", help: "That of the app's var: ACME for [vars.APP_ACME].", min: 0, max: 1 },
  options: {
    "api-key": choice({
      help: "Only one more API key, of this scope.",
      placeholder: "SCOPE",
      choices: SCOPES,
      default: null,
    }),
    "signing-key": flag("Only one more signing key."),
    "jwt-secret": flag("Only one more secret that your own login shares with the registry (HS256)."),
  },
  examples: ["ACME", "ACME --api-key sender", "ACME --signing-key", "ACME --jwt-secret"],
  notes:
    'docs/apps.md, "Rotating keys", has the steps of a rotation: the new entry goes beside the old one, and a new signing key last.',
  hasJson: false,
  async run(values, { operands }) {
    const secret = `SECRETS_${appName(operands[0])}`;
    const scope = values["api-key"];
    if (scope !== null) printApiKey(secret, scope);
    if (values["signing-key"]) printSigningKey(secret);
    if (values["jwt-secret"]) printJwtSecret(secret);
    const isOne = scope !== null || values["signing-key"] || values["jwt-secret"];
    if (!isOne) printAll(secret, (await readWranglerConfig()).vars[secret.replace("SECRETS_", "APP_")]);
    return 0;
  },
});

/** The name of an app's var without its prefix. */
function appName(given: string | undefined): string {
  if (given === undefined) return "<NAME>";
  const name = given.replace(/^(APP|SECRETS)_/, "");
  if (!/^[A-Z0-9_]+$/.test(name))
    throw new UsageError(`NAME must be like ACME, of capitals, digits and _; not ${shown(given)}`);
  return name;
}

if (import.meta.main) await main(command);
